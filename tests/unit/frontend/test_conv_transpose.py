# SPDX-License-Identifier: Apache-2.0
"""ConvTranspose: every attribute means what ONNX Runtime takes it to mean, or is refused."""

from typing import Any

import numpy as np
import onnx
import pytest

from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.ir.layers import ConvTranspose2d, Pads
from tests.onnx_models import assert_imports_like_onnx_runtime, make_model, node


def _model(
    weight: tuple[int, ...] = (6, 3, 3, 2),
    *,
    bias: bool = True,
    size: tuple[int, ...] = (5, 4),
    **attributes: Any,
) -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    outputs = weight[1] * attributes.get("group", 1) if len(weight) > 1 else 1
    constants = {"w": rng.normal(size=weight), "b": rng.normal(size=outputs)}
    inputs = "x w b" if bias else "x w"
    return make_model(
        [node("ConvTranspose", inputs, "y", **attributes)], constants, shape=(1, 6, *size)
    )


def _attributes(rng: np.random.Generator, rank: int, size: list[int]) -> dict[str, Any]:
    """Attributes that ONNX Runtime accepts for kernels of 1 to 4."""
    strides = rng.integers(1, 5, rank).tolist()
    result: dict[str, Any] = {"strides": strides}
    if rng.integers(2):
        result["dilations"] = rng.integers(1, 4, rank).tolist()
    if rng.integers(2):
        result["output_padding"] = [int(rng.integers(stride)) for stride in strides]
    most = [(n - 1) * stride + 1 for n, stride in zip(size, strides, strict=True)]
    match rng.integers(5):
        case 0:
            result["pads"] = [int(rng.integers((value + 1) // 2)) for value in most * 2]
        case 1:
            result["auto_pad"] = "VALID"
        case 2:
            # Kernels of 4 reach at least input size times strides.
            result["auto_pad"] = str(rng.choice(["SAME_UPPER", "SAME_LOWER"]))
            result["kernel"] = 4
        case 3:
            result["output_shape"] = [int(rng.integers(1, value + 1)) for value in most]
            result["auto_pad"] = str(rng.choice(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    return result


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("trial", range(60))
def test_attributes(seed: int, trial: int, rank: int) -> None:
    rng = np.random.default_rng([seed, trial, rank])
    groups = int(rng.choice([1, 2, 3, 6]))
    size = rng.integers(2, 6, rank).tolist()
    attributes = _attributes(rng, rank, size)
    fixed = attributes.pop("kernel", None)
    kernel = [fixed or int(rng.integers(1, 5)) for _ in range(rank)]
    if groups > 1 or rng.integers(2):
        attributes["group"] = groups
    if rng.integers(2):
        attributes["kernel_shape"] = kernel
    model = _model(
        (6, int(rng.integers(1, 4)), *kernel),
        bias=bool(rng.integers(2)),
        size=tuple(size),
        **attributes,
    )
    assert_imports_like_onnx_runtime(model, rng)


def test_layer_has_its_weights_by_output_channel() -> None:
    model = _model((6, 3, 3, 2), group=2, pads=[1, 2, 3, 0], strides=[2, 1], output_padding=[1, 0])
    weight = onnx.numpy_helper.to_array(model.graph.initializer[0])
    graph = import_model(model)
    (conv,) = graph.layers
    assert isinstance(conv, ConvTranspose2d)
    assert (conv.pads, conv.output_padding) == (Pads(top=1, left=2, bottom=3), (1, 0))
    assert conv.weight.shape == (6, 3, 3, 2)
    for channel, source in np.ndindex(6, 3):
        of_group = channel // 3 * 3 + source
        assert np.array_equal(conv.weight[channel, source], weight[of_group, channel % 3])
    assert graph.outputs[0].onnx_shape == (1, 6, 4 * 2 + 3 - 4 + 1, 3 + 2 - 2)


def test_pads_of_an_output_shape() -> None:
    """ONNX puts an odd pixel before the output, for SAME_UPPER behind it."""
    wanted: dict[str, Any] = {"strides": [2, 2], "output_shape": [10, 7]}
    for mode, pads in (("NOTSET", (1, 1)), ("SAME_UPPER", (0, 1)), ("SAME_LOWER", (1, 1))):
        (conv,) = import_model(_model((6, 3, 3, 2), auto_pad=mode, **wanted)).layers
        assert isinstance(conv, ConvTranspose2d)
        assert (conv.pads.top, conv.pads.top + conv.pads.bottom) == (pads[0], 1)
        assert (conv.pads.left, conv.pads.left + conv.pads.right) == (pads[0], 1)
    (conv,) = import_model(_model((6, 3, 3, 2), pads=[1, 1, 0, 0], **wanted)).layers
    assert isinstance(conv, ConvTranspose2d)
    assert conv.pads == Pads(top=1, left=1)


def test_an_output_shape_beyond_all_products_adds_pixels_at_the_end() -> None:
    model = _model((6, 3, 3, 2), strides=[3, 3], output_shape=[16, 13], output_padding=[0, 1])
    graph = assert_imports_like_onnx_runtime(model, np.random.default_rng(1))
    (conv,) = graph.layers
    assert isinstance(conv, ConvTranspose2d)
    assert (conv.pads, conv.output_padding) == (Pads(), (1, 2))


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (_model((5, 3, 3, 2)), "its weights [5, 3, 3, 2] in 1 groups do not fit an input of 6"),
        (_model((6, 3, 3, 2), group=4), "its weights [6, 3, 3, 2] in 4 groups do not fit"),
        (_model(group=0, bias=False), "its weights [6, 3, 3, 2] in 0 groups do not fit"),
        (_model((6, 3, 3)), "its input has shape [1, 6, 5, 4], but its weights have rank 3"),
        (_model(size=(5,)), "its input has shape [1, 6, 5], but its weights have rank 4"),
        (
            _model((6, 3, 2, 2, 2, 2), size=(4, 4, 4, 4)),
            "a convolution over 4 dimensions is not supported, only over one ([1,C,L]), two",
        ),
        (_model(kernel_shape=[3, 3]), "its kernel_shape [3, 3] contradicts its weights of 3x2"),
        (_model(kernel_shape=[3]), "its attribute kernel_shape has 1 values, not 2"),
        (_model(pads=[1, 1]), "its attribute pads has 2 values, not 4"),
        (_model(pads=[0, -1, 0, 0]), "its pads [0, -1, 0, 0] must not be negative"),
        (_model(strides=[0, 1]), "kernel [3, 2], strides [0, 1] and dilations [1, 1] must be"),
        (_model((6, 3, 3), size=(5,), strides=[0]), "kernel [3], strides [0] and dilations [1]"),
        (_model(pads=[4, 0, 3, 0]), "its pads leave no output: its size would be [0, 5]"),
        (_model(output_padding=[1, 0]), "its output_padding [1, 0], with what output_shape adds,"),
        (_model(output_padding=[0, -1]), "its output_padding [0, -1], with what output_shape"),
        (_model(output_padding=[1]), "its attribute output_padding has 1 values, not 2"),
        (_model(output_shape=[6]), "its attribute output_shape has 1 values, not 2"),
        (_model(output_shape=[0, 3]), "its output_shape [0, 3] must be positive"),
        (_model(output_shape=[9, 5]), "its output_padding [2, 0], with what output_shape adds,"),
        (
            _model(output_shape=[6, 5], pads=[0, 0, 1, 0]),
            "its pads [0, 0, 1, 0] contradict its output_shape, which makes them [1, 0, 0, 0]",
        ),
        (_model(auto_pad="MAGIC"), "auto_pad=MAGIC is not defined by ONNX"),
        (
            _model(auto_pad="SAME_UPPER", pads=[0, 0, 1, 0]),
            "its pads [0, 0, 1, 0] contradict auto_pad=SAME_UPPER",
        ),
        (
            _model(auto_pad="SAME_LOWER", strides=[1, 4]),
            "auto_pad=SAME_LOWER with more outputs than its products reach is read differently",
        ),
        (_model(sparsity=3), "its attribute sparsity is not supported"),
    ],
)
def test_refused(model: onnx.ModelProto, problem: str) -> None:
    with pytest.raises(InputError) as raised:
        import_model(model)
    (line,) = [
        text for text in str(raised.value).splitlines() if text.startswith("convtranspose_1")
    ]
    assert line.startswith(f"convtranspose_1 (ConvTranspose): {problem}")
