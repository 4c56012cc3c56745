# SPDX-License-Identifier: Apache-2.0
"""Conv: every attribute means what ONNX Runtime takes it to mean, or is refused."""

from typing import Any

import numpy as np
import onnx
import pytest

from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.ir.layers import Conv2d, Pads
from tests.onnx_models import assert_imports_like_onnx_runtime, make_model, node


def _model(
    weight: tuple[int, ...] = (4, 3, 3, 2),
    *,
    bias: bool = True,
    size: tuple[int, ...] = (9, 8),
    **attributes: Any,
) -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    constants = {"w": rng.normal(size=weight), "b": rng.normal(size=weight[0])}
    inputs = "x w b" if bias else "x w"
    return make_model([node("Conv", inputs, "y", **attributes)], constants, shape=(1, 6, *size))


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("trial", range(40))
def test_attributes(seed: int, trial: int, rank: int) -> None:
    rng = np.random.default_rng([seed, trial, rank])
    groups = int(rng.choice([1, 2, 3, 6]))
    kernel = rng.integers(1, 4, rank).tolist()
    attributes: dict[str, Any] = {}
    if rng.integers(2):
        attributes["strides"] = rng.integers(1, 4, rank).tolist()
    padding = rng.integers(4)
    # ONNX Runtime does not dilate with auto_pad.
    if padding < 2 and rng.integers(2):
        attributes["dilations"] = rng.integers(1, 4, rank).tolist()
    if padding == 1:
        attributes["pads"] = rng.integers(0, 4, 2 * rank).tolist()
    elif padding > 1:
        attributes["auto_pad"] = str(rng.choice(["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"]))
    if groups > 1 or rng.integers(2):
        attributes["group"] = groups
    if rng.integers(2):
        attributes["kernel_shape"] = kernel
    shape = (6, 6 // groups, *kernel)
    size = (9, 8, 7)[:rank]
    model = _model(shape, bias=bool(rng.integers(2)), size=size, **attributes)
    assert_imports_like_onnx_runtime(model, rng)


def test_layer_takes_the_name_of_its_node() -> None:
    graph = import_model(_model((4, 6, 3, 2), pads=[1, 2, 3, 4]))
    (conv,) = graph.layers
    assert isinstance(conv, Conv2d)
    assert (conv.name, conv.inputs, conv.output) == ("conv_1", ("x",), "y")
    assert conv.pads == Pads(top=1, left=2, bottom=3, right=4)


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (_model(), "its weights [4, 3, 3, 2] in 1 groups do not fit an input of 6 channels"),
        (_model((4, 2, 1, 1), group=3), "its weights [4, 2, 1, 1] in 3 groups do not fit"),
        (_model((4, 6, 3)), "its input has shape [1, 6, 9, 8], but its weights have rank 3"),
        (_model((4, 6, 0, 3)), "its constant 'w' is empty: shape [4, 6, 0, 3]"),
        (_model((4, 6, 3, 3), kernel_shape=[5, 5]), "its kernel_shape [5, 5] contradicts"),
        (_model((4, 6, 3, 3), pads=[1, 1]), "its attribute pads has 2 values, not 4"),
        (_model((4, 6, 3, 3), pads=[0, 0, 0, -1]), "its pads [0, 0, 0, -1] must not be negative"),
        (_model((4, 6, 3, 3), strides=[1]), "its attribute strides has 1 values, not 2"),
        (_model((4, 6, 3, 3), strides=[0, 1]), "kernel [3, 3], strides [0, 1] and dilations"),
        (_model((4, 6, 3, 3), auto_pad="MAGIC"), "auto_pad=MAGIC is not defined by ONNX"),
        (
            _model((4, 6, 3, 3), auto_pad="VALID", pads=[1, 0, 0, 0]),
            "its pads [1, 0, 0, 0] contradict auto_pad=VALID",
        ),
        (_model((4, 6, 3, 3), dilations=[5, 1]), "its window of 11x3 pixels is larger than"),
        (_model((4, 6, 3, 3), sparsity=3), "its attribute sparsity is not supported"),
        (_model((4, 6, 3, 3), group=1.5), "its attribute group has the wrong type"),
    ],
)
def test_refused(model: onnx.ModelProto, problem: str) -> None:
    with pytest.raises(InputError) as raised:
        import_model(model)
    header, line = str(raised.value).splitlines()
    assert header == "the model cannot be compiled:"
    assert line.startswith(f"conv_1 (Conv): {problem}")


def test_one_dimension_is_an_image_of_height_one() -> None:
    graph = import_model(_model((4, 6, 3), size=(9,), pads=[2, 0], dilations=[2], strides=[3]))
    (conv,) = graph.layers
    assert isinstance(conv, Conv2d)
    assert (conv.weight.shape, conv.strides, conv.dilations) == ((4, 6, 1, 3), (1, 3), (1, 2))
    assert conv.pads == Pads(left=2)
    assert (graph.tensors["x"].height, graph.tensors["x"].width) == (1, 9)
    assert graph.inputs[0].onnx_shape == (1, 6, 9)
    assert graph.outputs[0].onnx_shape == (1, 4, 3)


def test_an_omitted_bias_is_none() -> None:
    weight = {"w": np.ones((4, 3, 3, 3))}
    (conv,) = import_model(make_model([node("Conv", "x w -", "y")], weight)).layers
    assert isinstance(conv, Conv2d)
    assert conv.bias.tolist() == [0, 0, 0, 0]


def test_four_dimensions_are_refused() -> None:
    model = make_model([node("Conv", "x w", "y")], {"w": np.ones((4, 3, 1, 1, 2, 3))})
    with pytest.raises(InputError) as raised:
        import_model(model)
    assert str(raised.value).splitlines()[1] == (
        "conv_1 (Conv): a convolution over 4 dimensions is not supported, only over one "
        "([1,C,L]), two ([1,C,H,W]) or three ([1,C,D,H,W])"
    )


@pytest.mark.parametrize(("value", "count"), [(np.nan, 1), (np.inf, 2)])
def test_weights_that_are_not_finite_are_refused(value: float, count: int) -> None:
    weight = np.ones((4, 3, 3, 3))
    weight[2, 1, 0, :count] = value
    model = make_model([node("Conv", "x w", "y", "first")], {"w": weight})
    with pytest.raises(InputError) as raised:
        import_model(model)
    assert str(raised.value).splitlines()[1] == (
        f"first (Conv): its constant 'w' holds {count} NaN or infinite values, the first at "
        "[2, 1, 0, 0]; export the model again from sound weights"
    )


def test_bias_of_wrong_size_and_computed_weights_are_refused() -> None:
    constants = {"w": np.ones((4, 3, 3, 3)), "b": np.ones(3)}
    with pytest.raises(InputError, match=r"its bias 'b' has shape \[3\] for 4 channels"):
        import_model(make_model([node("Conv", "x w b", "y")], constants))
    with pytest.raises(
        InputError, match="its input 'r' must be a constant, but the model computes"
    ):
        import_model(make_model([node("Relu", "x", "r"), node("Conv", "x r", "y")]))
    with pytest.raises(InputError, match="its input 'w' is a constant, not a computed tensor"):
        import_model(make_model([node("Relu", "x", "r"), node("Conv", "w r", "y")], constants))
