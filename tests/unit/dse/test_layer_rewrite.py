# SPDX-License-Identifier: Apache-2.0
"""Rewritten convolutions compute every value of the layer, in its new place."""

import random
from dataclasses import replace

import numpy as np
import pytest

from flexcc import reference
from flexcc.dse.layer_rewrite import rewrite_layer
from flexcc.ir.layers import Conv2d, Convolution, ConvTranspose2d, Pads
from flexcc.ir.packing import AxisPacking, Packing, block, block_axis
from flexcc.ir.shapes import output_shape
from flexcc.ir.types import Quantization, TensorType
from tests.models import transposed
from tests.networks import random_conv

QUANTIZATION = Quantization(scale=0.0625, zero_point=-11)


def _tensor(channels: int, height: int, width: int) -> TensorType:
    return TensorType(channels=channels, height=height, width=width, quantization=QUANTIZATION)


def _target(conv: Convolution, source: TensorType) -> TensorType:
    return _tensor(*output_shape(conv, [source], source))


def _assert_equal(
    conv: Convolution, source: TensorType, packing: Packing, blocks: tuple[int, int], seed: int
) -> Convolution | None:
    """The rewritten layer, proven on random inputs; None where there is none."""
    target = _target(conv, source)
    rewrite = rewrite_layer(conv, source, target, packing, blocks)
    if rewrite is None:
        return None
    layer = rewrite.layer(conv)
    assert type(layer) is rewrite.kind
    packed = source.packed(packing)
    stored = target.packed(block(target.height, target.width, *blocks))
    assert output_shape(layer, [packed], stored) == (stored.channels, stored.height, stored.width)
    shape = (2, source.channels, source.height, source.width)
    values = np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)
    wanted = reference.run_layer(conv, [source], target, [values])
    found = reference.run_layer(layer, [packed], stored, [packed.pack(values)])
    np.testing.assert_array_equal(found, stored.pack(wanted))
    np.testing.assert_array_equal(stored.unpack(found), wanted)
    return layer


def _random_layer(rng: random.Random) -> tuple[Convolution, TensorType]:
    """A layer of few channels with an output, and its input."""
    while True:
        source = _tensor(rng.randint(1, 6), rng.choice([4, 7, 8, 12]), rng.choice([8, 9, 12, 16]))
        conv = random_conv(
            rng,
            "c",
            "x",
            source.channels,
            most_kernel=4,
            most_channels=6,
            transposed=rng.random() < 0.5,
        )
        try:
            height, width = output_shape(conv, [source], source)[1:]
        except ValueError:
            continue
        if height * width < 4000:
            return conv, source


def _divisor(rng: random.Random, size: int) -> int:
    return rng.choice([b for b in (1, 2, 3, 4) if size % b == 0])


def _random_case(
    seed: int,
) -> tuple[Convolution, TensorType, Packing, tuple[int, int]]:
    """A layer, its input, and blocks of both its tensors."""
    rng = random.Random(seed)
    conv, source = _random_layer(rng)
    target = _target(conv, source)
    rows, columns = _divisor(rng, source.height), _divisor(rng, source.width)
    packing = block(source.height, source.width, rows, columns)
    return conv, source, packing, (_divisor(rng, target.height), _divisor(rng, target.width))


@pytest.mark.parametrize("seed", range(150))
def test_blocks_in_and_out(seed: int) -> None:
    _assert_equal(*_random_case(seed), seed)


def test_all_kinds_of_rewrites_occur() -> None:
    """The seeds above turn each kind of layer into each kind, or refuse."""
    found: set[tuple[object, object]] = set()
    for seed in range(150):
        conv, source, packing, blocks = _random_case(seed)
        rewrite = rewrite_layer(conv, source, _target(conv, source), packing, blocks)
        kind = None if rewrite is None else rewrite.kind
        found.add((type(conv), kind))
        if kind is not None:
            found |= {(kind, f"groups {conv.groups > 1}"), (kind, f"dilation {conv.dilations}")}
    kinds = (Conv2d, ConvTranspose2d)
    for old in kinds:
        assert {(old, new) for new in (*kinds, None)} <= found
        assert (old, "groups True") in found
        assert (old, "dilation (2, 2)") in found


@pytest.mark.parametrize("seed", range(60))
def test_folded_inputs(seed: int) -> None:
    """Packings with overlapping lanes, wide enough or not: what is not refused is equal."""
    rng = random.Random(seed)
    conv, source = _random_layer(rng)
    target = _target(conv, source)

    def axis(size: int) -> AxisPacking:
        return AxisPacking(
            lanes=rng.randint(1, 5),
            distance=rng.randint(1, 2),
            step=rng.randint(1, 2),
            offset=rng.randint(0, 4),
            size=size,
            extent=rng.randint(size // 2, size + 4),
        )

    packing = Packing(
        y=rng.choice([block_axis(source.height, 1), axis(source.height)]), x=axis(source.width)
    )
    blocks = rng.choice([(1, 1), (_divisor(rng, target.height), 1)])
    _assert_equal(conv, source, packing, blocks, seed)


def _conv(kernel: tuple[int, int], **fields: object) -> Conv2d:
    rng = np.random.default_rng(3)
    conv = Conv2d(
        name="c",
        inputs=("x",),
        output="y",
        weight=rng.integers(-128, 128, (4, 3, *kernel)).astype(np.int8),
        weight_scale=np.array([0.004, 0.002, 0.003, 0.005], np.float32),
        bias=np.array([-900, 0, 12.5, 70]),
    )
    return replace(conv, **fields)  # type: ignore[arg-type]


def test_a_3x3_stays_3x3_between_equal_blocks() -> None:
    conv = _conv((3, 3), pads=Pads(top=1, left=1, bottom=1, right=1))
    layer = _assert_equal(conv, _tensor(3, 8, 8), block(8, 8, 2, 2), (2, 2), 1)
    assert isinstance(layer, Conv2d)
    assert layer.weight.shape == (16, 12, 3, 3)
    assert (layer.strides, layer.pads) == ((1, 1), Pads(top=1, left=1, bottom=1, right=1))
    assert layer.bias[5] == 0
    np.testing.assert_array_equal(layer.bias[2::4], [12.5] * 4)


def test_blocks_make_and_undo_strides() -> None:
    conv, source = _conv((1, 1)), _tensor(3, 8, 8)
    down = _assert_equal(conv, source, block(8, 8, 1, 1), (4, 2), 1)
    assert isinstance(down, Conv2d)
    assert (down.strides, down.weight.shape) == ((4, 2), (32, 3, 4, 2))
    up = _assert_equal(conv, source, block(8, 8, 4, 2), (1, 1), 1)
    assert isinstance(up, ConvTranspose2d)
    assert (up.strides, up.weight.shape) == ((4, 2), (4, 24, 4, 2))


def test_blocks_swallow_dilation() -> None:
    conv = _conv((3, 3), dilations=(4, 2), pads=Pads(top=4, left=2, bottom=4, right=2))
    layer = _assert_equal(conv, _tensor(3, 8, 8), block(8, 8, 2, 2), (2, 2), 1)
    assert layer is not None
    assert layer.dilations == (2, 1)
    assert layer.weight.shape[2:] == (3, 3)


def test_a_transposed_layer_emits_its_phases_as_channels() -> None:
    conv = transposed(_conv((3, 3), pads=Pads(bottom=1, right=1), strides=(2, 2)))
    layer = _assert_equal(conv, _tensor(3, 8, 8), block(8, 8, 1, 1), (2, 2), 1)
    assert isinstance(layer, Conv2d)
    assert layer.weight.shape == (16, 3, 2, 2)


def test_slopes_go_with_their_channels() -> None:
    slope = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    source = _tensor(3, 8, 8)
    layer = _assert_equal(_conv((1, 1), slope=slope), source, block(8, 8, 2, 2), (2, 2), 1)
    assert layer is not None
    assert layer.slope is not None
    np.testing.assert_array_equal(layer.slope, np.tile(slope, 4))


@pytest.mark.parametrize(
    ("conv", "packing", "blocks"),
    [
        (_conv((1, 1)), block(6, 6, 1, 1), (4, 1)),  # an output that does not divide
        (_conv((1, 1)), block(6, 6, 3, 1), (2, 1)),  # strides that do not divide
        (_conv((1, 1)), block(6, 6, 2, 1), (1, 2)),  # a stride one way, a transposed one the other
        (_conv((1, 1)), block(8, 6, 2, 1), (2, 1)),  # another tensor's packing
    ],
)
def test_what_is_no_convolution_is_refused(
    conv: Conv2d, packing: Packing, blocks: tuple[int, int]
) -> None:
    source = _tensor(3, 6, 6)
    assert rewrite_layer(conv, source, _target(conv, source), packing, blocks) is None


def test_a_packing_that_lacks_pixels_is_refused() -> None:
    """The centre column of a folded 5x5 serves a 1x1; one position less does not."""
    source = _tensor(3, 6, 6)
    axis = AxisPacking(lanes=5, distance=1, step=1, offset=2, size=6, extent=6)
    packing = Packing(y=block_axis(6, 1), x=axis)
    assert _assert_equal(_conv((1, 1)), source, packing, (1, 1), 1) is not None
    short = Packing(y=packing.y, x=replace(axis, extent=5, lanes=3))
    assert _assert_equal(_conv((1, 1)), source, short, (1, 1), 1) is None
