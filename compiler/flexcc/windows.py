# SPDX-License-Identifier: Apache-2.0
"""What a layer in front of the array reads: the window engine's side of a tile, axis by axis.

A tile's load window names pixels of the layer's output. From them follow the pixels that memory
brings, and where in their stream the first window ends: windows belong to their newest pixel.
"""

from dataclasses import dataclass

from flexcc.ir.layers import Conv2d

__all__ = [
    "MOST_STRIDE",
    "MOST_TAPS",
    "ColumnBeats",
    "Read",
    "WindowAxis",
    "column_beats",
    "read_of",
    "window_taps_needed",
]

MOST_TAPS = 3
"""Rows and columns of a window."""
MOST_STRIDE = 2


def window_taps_needed(layer: Conv2d) -> int | None:
    """The taps that the window engine must have for `layer`, 1 or 9; None if it cannot do it.

    It is depthwise, one output a channel, of at most 3x3 taps next to each other, with strides of 1
    or 2 and pads below the kernel's size, so that every window holds a pixel.
    """
    outputs, inputs, *kernel = layer.weight.shape
    pads = layer.pads
    before, behind = (pads.top, pads.left), (pads.bottom, pads.right)
    fits = (
        layer.groups == outputs
        and inputs == 1
        and max(kernel) <= MOST_TAPS
        and max(layer.strides) <= MOST_STRIDE
        and all(k == 1 or d == 1 for k, d in zip(kernel, layer.dilations, strict=True))
        and all(max(b, e) < k for b, e, k in zip(before, behind, kernel, strict=True))
    )
    if not fits:
        return None
    return 1 if max(*kernel, *layer.strides) == 1 else MOST_TAPS**2


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowAxis:
    """One axis of a window layer; `pad` is the padding before the `size` pixels of its input."""

    kernel: int
    stride: int
    pad: int
    size: int

    @property
    def plain(self) -> bool:
        """Whether each pixel comes of the one at its place."""
        return self.kernel == 1 and self.stride == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Along one axis `count` pixels of memory from `start` on, `step` apart.

    With a window the first one ends in the pixel `first` after the start, and the last one `extra`
    pixels behind what is read, in padding.
    """

    start: int
    count: int
    step: int
    first: int = 0
    extra: int = 0


def read_of(start: int, count: int, step: int, window: WindowAxis | None) -> Read:
    """What memory brings for the `count` pixels of a layer's output, or of memory without one.

    Only plain layers skip pixels (`step` above 1).
    """
    if window is None or window.plain or not count:
        return Read(start=start, count=count, step=step)
    if step > 1:
        raise ValueError(f"windows of {window.kernel} pixels for every {step}th pixel")
    newest = start * window.stride - window.pad + window.kernel - 1
    last = newest + (count - 1) * window.stride
    begin = max(newest - window.kernel + 1, 0)
    end = min(last, window.size - 1) + 1
    return Read(start=begin, count=end - begin, step=1, first=newest - begin, extra=last + 1 - end)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnBeats:
    """The columns of a tile in beats.

    Memory brings `beats` from `first_beat` of a row on; `extra_beats` of padding follow. Of the
    beats that come of them `drop_beats` are dropped; the first pixel kept is number `first_pixel`
    of the next one, and `out_beats` are left. `tail_lanes` pixels of the last memory beat lie
    behind the image; `odd` is the parity of the column in which the first window ends.
    """

    first_beat: int
    beats: int
    extra_beats: int
    drop_beats: int
    first_pixel: int
    out_beats: int
    tail_lanes: int
    odd: int


def column_beats(read: Read, window: WindowAxis | None, beat_pixels: int) -> ColumnBeats:
    """The columns `read` of a row, which begins with a beat of `beat_pixels` pixels."""
    size = beat_pixels
    if not read.count:
        return ColumnBeats(
            first_beat=0,
            beats=0,
            extra_beats=0,
            drop_beats=0,
            first_pixel=0,
            out_beats=0,
            tail_lanes=0,
            odd=0,
        )
    first_beat = read.start // size
    end_beat = (read.start + read.count - 1) // size + 1
    newest = read.start + read.first - first_beat * size
    last = read.start + read.count - 1 + read.extra - first_beat * size
    walked = last // size + 1
    stride = 1 if window is None else window.stride
    odd = newest % 2 if stride == 2 else 0
    position = newest // stride
    made = -(-walked // stride) if size > 1 else len(range(odd, walked, stride))
    behind = 0 if window is None else max(0, end_beat * size - window.size)
    return ColumnBeats(
        first_beat=first_beat,
        beats=end_beat - first_beat,
        extra_beats=walked - (end_beat - first_beat),
        drop_beats=position // size,
        first_pixel=position % size,
        out_beats=made - position // size,
        tail_lanes=behind,
        odd=odd,
    )
