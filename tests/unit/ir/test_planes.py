# SPDX-License-Identifier: Apache-2.0
"""int16 in two planes of int8: every value, and sums of products over them."""

import numpy as np

from flexcc import reference
from flexcc.ir.kernel import weight_sums
from flexcc.ir.layers import Pads
from flexcc.ir.planes import join_planes, split_planes
from flexcc.ir.types import Quantization, TensorType
from tests.models import random_conv, tensor


def test_every_value_splits_and_joins() -> None:
    values = np.arange(-32768, 32768).astype(np.int16)
    upper, lower = split_planes(values)
    assert np.array_equal(256 * upper.astype(np.int64) + (lower.astype(np.int64) + 128), values)
    assert np.array_equal(join_planes(upper, lower), values)
    # The larger value has the larger upper plane, or else the larger lower one: maxima by planes.
    order = upper.astype(np.int64) * 256 + lower
    assert (np.diff(order) == 1).all()


def test_a_convolution_is_its_planes(seed: int) -> None:
    """High taps, a shift by 8, low taps, 128 times the weights; padding by planes, too."""
    rng = np.random.default_rng(seed)
    zero_point = -1234
    kinds = [
        TensorType(channels=3, height=6, width=7, quantization=quantization)
        for quantization in (
            Quantization(scale=1.0, zero_point=zero_point, bits=16),
            *(
                Quantization(scale=1.0, zero_point=int(plane))
                for plane in split_planes(np.array(zero_point, np.int16))
            ),
        )
    ]
    source = "x", tensor(3, 6, 7)
    real = random_conv(rng, "c", source, channels=4, kernel=(3, 2), pads=Pads(top=1))
    conv = type(real)(
        name="c",
        inputs=("x",),
        output="y",
        weight=rng.integers(-128, 128, real.weight.shape).astype(np.int8),
        weight_scale=np.ones(4, np.float32),
        bias=np.zeros(4, np.int32),
        pads=real.pads,
    )
    x = rng.integers(-32768, 32768, (2, 3, 6, 7)).astype(np.int16)
    upper, lower = split_planes(x)
    sums = weight_sums(conv)[:, None, None]

    def plain(kind: TensorType, values: np.ndarray) -> np.ndarray:
        assert kind.quantization is not None
        centred = reference.accumulate(conv, kind, values)
        return centred + kind.quantization.zero_point * sums

    joined = (plain(kinds[1], upper) << 8) + plain(kinds[2], lower) + 128 * sums
    assert np.array_equal(joined, plain(kinds[0], x))
