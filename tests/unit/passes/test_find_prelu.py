# SPDX-License-Identifier: Apache-2.0
"""Which sums are a PRelu in pieces."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from flexcc import reference
from flexcc.ir.functions import X, apply
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Add, ChannelAffine, Clamp, Clip, Layer, PRelu, Table
from flexcc.passes.base import run_pipeline
from flexcc.passes.find_prelu import FindPRelu
from tests.models import chain, tensor

SOURCE = tensor(2, 3, 4)
SLOPE = np.array([0.25, -0.5])


def _relu(source: str, output: str) -> Clip:
    return Clip(name=f"r_{output}", inputs=(source,), output=output, clamp=Clamp(low=0.0))


def _times(source: str, output: str, *scale: float) -> ChannelAffine:
    return ChannelAffine(
        name=f"m_{output}",
        inputs=(source,),
        output=output,
        scale=np.resize(np.array(scale), 2),
        offset=np.zeros(2),
    )


def _abs(source: str, output: str) -> Table:
    return Table(name=f"t_{output}", inputs=(source,), output=output, function=apply("Abs", X))


def _add(first: str, second: str, *, subtract: bool = False, output: str = "y") -> Add:
    return Add(name=f"s_{output}", inputs=(first, second), output=output, subtract=subtract)


def _found(layers: list[Layer]) -> Graph:
    graph = chain(SOURCE, layers)
    result = run_pipeline([FindPRelu()], graph)
    x = np.random.default_rng(0).normal(size=(1, 2, 3, 4))
    before, after = (reference.run_float(each, {"x": x})["y"] for each in (graph, result))
    np.testing.assert_allclose(before, after, rtol=1e-6)
    return result


def _check(layers: list[Layer], slope: NDArray[np.float64] = SLOPE) -> None:
    (prelu,) = _found(layers).layers
    assert isinstance(prelu, PRelu)
    assert prelu.inputs == ("x",)
    assert prelu.slope.tolist() == slope.tolist()


def test_relu_minus_scaled_relu_of_the_negative() -> None:
    neg = [_times("x", "n", -1.0), _relu("n", "r"), _times("r", "m", *SLOPE)]
    _check([_relu("x", "p"), *neg, _add("p", "m", subtract=True)])
    neg[2] = _times("r", "m", *-SLOPE)
    _check([_relu("x", "p"), *neg, _add("m", "p")])


def test_relu_plus_scaled_minimum() -> None:
    low = Clip(name="low", inputs=("x",), output="l", clamp=Clamp(high=0.0))
    _check([_relu("x", "p"), low, _times("l", "m", *SLOPE), _add("p", "m")])


def test_relu_plus_half_of_the_difference_to_the_absolute() -> None:
    half = [_abs("x", "a"), _add("x", "a", subtract=True, output="d"), _times("d", "m", 0.5)]
    _check([_relu("x", "p"), *half, _times("m", "k", *SLOPE), _add("p", "k")])


def test_a_slope_within_a_slope() -> None:
    """Below zero: relu(-bend(x)) is 0.5 |x| in channel 0 and 0 in channel 1."""
    bend = PRelu(name="b", inputs=("x",), output="b", slope=np.array([0.5, -2.0], np.float32))
    rest = [_times("b", "n", -1.0), _relu("n", "r"), _relu("x", "p")]
    _check([bend, *rest, _add("p", "r", subtract=True)], np.array([0.5, 0.0]))


def test_what_is_not_the_identity_above_zero_stays() -> None:
    layers: list[Layer] = [_relu("x", "p"), _times("x", "m", 0.5), _add("p", "m")]
    assert len(_found(layers).layers) == 3


def test_offsets_and_other_clips_stay() -> None:
    shifted = replace(_times("x", "m", 0.5), offset=np.ones(2))
    assert len(_found([_relu("x", "p"), shifted, _add("p", "m")]).layers) == 3
    cut = Clip(name="cut", inputs=("x",), output="p", clamp=Clamp(low=0.0, high=6.0))
    low = Clip(name="low", inputs=("x",), output="l", clamp=Clamp(high=0.0))
    assert len(_found([cut, low, _add("p", "l")]).layers) == 3


def test_rounding_in_between_is_kept() -> None:
    low = Clip(name="low", inputs=("x",), output="l", clamp=Clamp(high=0.0))
    graph = chain(SOURCE, [_relu("x", "p"), low, _times("l", "m", 0.5), _add("p", "m")])
    rounded = {name: tensor(2, 3, 4, 0.5) for name in ("x", "l", "y")}
    integer = replace(graph, tensors={**graph.tensors, **rounded})
    assert len(run_pipeline([FindPRelu()], integer).layers) == 4
    del rounded["l"]
    integer = replace(graph, tensors={**graph.tensors, **rounded})
    assert len(run_pipeline([FindPRelu()], integer).layers) == 1
