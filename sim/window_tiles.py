# SPDX-License-Identifier: Apache-2.0
"""Random layers and tiles of the window engine, their beats, and what must come of them."""

import os
import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.bend import bend_of
from flexcc.ir.requantize import Requantization, requantize
from flexcc.program.encode import encode
from flexcc.program.formats import PARAMETER, SLOPE, WINDOW, WINDOW_WEIGHTS

_SIDE = 3
# Fields of a tile in SystemVerilog, from bit 0 upwards.
_TILE = (
    ("step_cols", 1),
    ("step_rows", 1),
    ("odd", 1),
    ("tail_lanes", 5),
    ("drop_beats", 2),
    ("first_row", 2),
    ("extra_beats", 2),
    ("extra_rows", 2),
    ("beats", 16),
    ("rows", 16),
    ("planes", 16),
    ("window", 1),
)

Bytes = NDArray[np.int8]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowShape:
    """Parameters of the window engine."""

    pixel_bytes: int
    beat_bytes: int
    taps: int
    line_beats: int
    channels: int
    slopes: bool

    @classmethod
    def from_environment(cls) -> "WindowShape":
        """The shape that the caller of the bench has put into the environment."""
        return cls(
            pixel_bytes=int(os.environ["N"]),
            beat_bytes=int(os.environ["DATA_BYTES"]),
            taps=int(os.environ["TAPS"]),
            line_beats=int(os.environ["LINE_BEATS"]),
            channels=int(os.environ["CHANNELS"]),
            slopes=bool(int(os.environ["SLOPES"])),
        )

    @property
    def beat_pixels(self) -> int:
        """Pixels of a beat."""
        return self.beat_bytes // self.pixel_bytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WindowLayer:
    """A depthwise layer and its image; arrays are [C, kh, kw] and [C, H, W]."""

    weight: Bytes
    stride: int
    pads: tuple[int, int, int, int]  # top, left, bottom, right
    rule: Requantization
    pad_value: int
    image: Bytes

    @property
    def kernel(self) -> tuple[int, int]:
        """Rows and columns of the window."""
        height, width = self.weight.shape[1:]
        return height, width

    def output(self) -> Bytes:
        """The whole output [C, OH, OW]."""
        top, left, bottom, right = self.pads
        padded = np.pad(
            self.image.astype(np.int64),
            ((0, 0), (top, bottom), (left, right)),
            constant_values=self.pad_value,
        )
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.kernel, axis=(1, 2))
        windows = windows[:, :: self.stride, :: self.stride]
        acc = np.einsum("chwyx,cyx->chw", windows, self.weight.astype(np.int64))
        return np.asarray(requantize(acc, self.rule), np.int8)

    def words(self) -> list[int]:
        """The layer's record without its header."""
        channels = len(self.weight)
        words = encode(
            WINDOW,
            channels=channels,
            pad_value=self.pad_value,
            zero_point=self.rule.zero_point,
            low=self.rule.low,
            high=self.rule.high,
        )
        height, width = self.kernel
        for channel in range(channels):
            taps = np.zeros((_SIDE, _SIDE), np.int8)
            taps[_SIDE - height :, _SIDE - width :] = self.weight[channel]
            *first, last = map(int, taps.reshape(-1))
            words += encode(
                PARAMETER,
                mult=int(self.rule.multiplier[channel]),
                shift=int(self.rule.shift[channel]),
                bias=int(self.rule.bias[channel]),
            )
            if self.rule.negative is not None:
                bend = bend_of(self.rule)
                words += encode(
                    SLOPE,
                    mult=int(bend.multiplier[channel]),
                    shift=int(bend.shift[channel]),
                    last=int(bend.last[channel]),
                    bias=int(bend.bias[channel]),
                )
            words += encode(WINDOW_WEIGHTS, weights=first, last_weight=last)
        return words


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WindowTile:
    """A tile: its record, the beats of the input, what output beats hold where something counts."""

    fields: dict[str, int]
    beats: list[int]
    output: list[tuple[Bytes, NDArray[np.bool_]]]

    def bits(self) -> int:
        """The tile as the engine takes it."""
        assert self.fields.keys() == {name for name, _ in _TILE}
        bits, low = 0, 0
        for name, width in _TILE:
            assert 0 <= self.fields[name] < 1 << width, f"{name} = {self.fields[name]}"
            bits |= self.fields[name] << low
            low += width
        return bits


def random_layer(shape: WindowShape, planes: int) -> WindowLayer:
    """A random layer of `planes` planes whose lines fit."""
    generator = np.random.default_rng(random.getrandbits(64))
    channels = planes * shape.pixel_bytes
    most = shape.line_beats * shape.beat_pixels
    if shape.taps == 1:
        kernel, stride, pads = (1, 1), 1, (0, 0, 0, 0)
    else:
        kernel = random.choice([(3, 3)] * 4 + [(1, 1), (2, 2), (1, 3), (3, 1), (2, 3)])
        stride = random.choice([1, 2])
        top, bottom = (random.randint(0, kernel[0] - 1) for _ in "tb")
        left, right = (random.randint(0, kernel[1] - 1) for _ in "lr")
        pads = (top, left, bottom, right)
    least = [max(1, kernel[0] - pads[0] - pads[2]), max(1, kernel[1] - pads[1] - pads[3])]
    height = random.randint(least[0], least[0] + 7)
    width = min(
        most, random.choice([least[1], random.randint(least[1], 4 * shape.beat_pixels + 3)])
    )
    weight = generator.integers(-128, 128, (channels, *kernel), dtype=np.int8)
    weight[generator.random(channels) < 0.1] = random.choice([-128, 127])
    low, high = sorted(random.sample(range(-128, 128), 2))
    if random.random() < 0.7:
        low, high = -128, 127

    def rule(least: int, negative: Requantization | None) -> Requantization:
        return Requantization(
            multiplier=generator.integers(least, 1 << 24, channels),
            shift=generator.integers(28, 40, channels),
            bias=generator.integers(-(1 << 40), 1 << 40, channels),
            zero_point=zero_point,
            low=low,
            high=high,
            negative=negative,
        )

    zero_point = random.randint(-128, 127)
    below = rule(1 - (1 << 24), None) if shape.slopes else None
    image = generator.integers(-128, 128, (channels, height, width), dtype=np.int8)
    return WindowLayer(
        weight=weight,
        stride=stride,
        pads=pads,
        rule=rule(0, below),
        pad_value=random.randint(-128, 127),
        image=image,
    )


def _beats_of(shape: WindowShape, pixels: Bytes) -> list[int]:
    """Rows [R, beats * B, N] as beats, byte 0 lowest."""
    flat = np.ascontiguousarray(pixels).reshape(-1, shape.beat_bytes)
    return [int.from_bytes(row.tobytes(), "little") for row in flat]


def _planes(shape: WindowShape, image: Bytes) -> Bytes:
    """[C, H, W] as [planes, H, W, N]."""
    split = image.reshape(-1, shape.pixel_bytes, *image.shape[1:])
    return np.ascontiguousarray(split.transpose(0, 2, 3, 1))


def window_tile(
    shape: WindowShape, layer: WindowLayer, rows: range, cols: range, planes: int
) -> WindowTile:
    """The tile of the output pixels `rows` x `cols` of the first `planes` planes."""
    size, stride = shape.beat_pixels, layer.stride
    top, left = layer.pads[:2]
    height, width = layer.image.shape[1:]
    image, output = _planes(shape, layer.image), _planes(shape, layer.output())
    # Newest row and column of the first and of the last window.
    first_y, last_y = (y * stride - top + layer.kernel[0] - 1 for y in (rows[0], rows[-1]))
    first_x, last_x = (x * stride - left + layer.kernel[1] - 1 for x in (cols[0], cols[-1]))
    begin_y = max(0, first_y - layer.kernel[0] + 1)
    end_y = min(height - 1, last_y) + 1
    begin_beat = max(0, first_x - layer.kernel[1] + 1) // size
    end_beat = min(width - 1, last_x) // size + 1
    beats = end_beat - begin_beat
    all_beats = last_x // size + 1 - begin_beat
    first_x -= begin_beat * size
    odd = first_x % 2 if stride == 2 else 0
    position = first_x // stride  # of the first wanted pixel in the output's row
    stored = np.zeros((planes, end_y - begin_y, beats * size, shape.pixel_bytes), np.int8)
    generator = np.random.default_rng(random.getrandbits(64))
    stored[...] = generator.integers(-128, 128, stored.shape, dtype=np.int8)
    seen = image[:planes, begin_y:end_y, begin_beat * size : end_beat * size]
    stored[:, :, : seen.shape[2]] = seen

    drop = position // size
    emitted = all_beats * size // stride if size > 1 else len(range(odd, all_beats, stride))
    out_beats = -(-emitted // size) - drop
    wanted = np.zeros((planes, len(rows), out_beats * size, shape.pixel_bytes), np.int8)
    counts = np.zeros(out_beats * size, np.bool_)
    at = slice(position % size, position % size + len(cols))
    wanted[:, :, at] = output[:planes, rows.start : rows.stop, cols.start : cols.stop]
    counts[at] = True
    results = [
        (wanted[plane, row, beat * size : beat * size + size], counts[beat * size :][:size])
        for plane in range(planes)
        for row in range(len(rows))
        for beat in range(out_beats)
    ]
    fields = {
        "window": 1,
        "planes": planes,
        "rows": end_y - begin_y,
        "beats": beats,
        "extra_rows": last_y + 1 - end_y,
        "extra_beats": all_beats - beats,
        "first_row": first_y - begin_y,
        "drop_beats": drop,
        "tail_lanes": max(0, end_beat * size - width),
        "odd": odd,
        "step_rows": stride - 1,
        "step_cols": stride - 1,
    }
    return WindowTile(fields=fields, beats=_beats_of(shape, stored), output=results)


def random_window_tiles(shape: WindowShape, layer: WindowLayer) -> list[WindowTile]:
    """The output cut into tiles, some of them."""
    height, width = layer.output().shape[1:]
    planes = len(layer.weight) // shape.pixel_bytes
    tile_rows = random.randint(1, height)
    tile_cols = random.choice([width, random.randint(1, width)])
    tiles = [
        (range(y, min(y + tile_rows, height)), range(x, min(x + tile_cols, width)))
        for y in range(0, height, tile_rows)
        for x in range(0, width, tile_cols)
    ]
    chosen = random.sample(tiles, min(4, len(tiles)))
    return [
        window_tile(shape, layer, rows, cols, random.choice([planes, random.randint(1, planes)]))
        for rows, cols in chosen
    ]


def plain_tile(shape: WindowShape, planes: int, rows: int, beats: int) -> WindowTile:
    """A tile whose random beats pass as they are."""
    fields = {name: 0 for name, _ in _TILE}
    generator = np.random.default_rng(random.getrandbits(64))
    pixels = generator.integers(
        -128, 128, (planes * rows * beats, shape.beat_pixels, shape.pixel_bytes), dtype=np.int8
    )
    everything = np.ones(shape.beat_pixels, np.bool_)
    return WindowTile(
        fields=fields | {"planes": planes, "rows": rows, "beats": beats},
        beats=_beats_of(shape, pixels),
        output=[(beat, everything) for beat in pixels],
    )
