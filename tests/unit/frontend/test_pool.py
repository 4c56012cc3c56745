# SPDX-License-Identifier: Apache-2.0
"""Pools: every attribute means what ONNX Runtime takes it to mean, or is refused."""

from typing import Any

import numpy as np
import onnx
import pytest

from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.frontend.network import import_network
from flexcc.ir.layers import Conv2d
from tests.onnx_models import (
    assert_imports_like_onnx_runtime,
    make_model,
    node,
    run_network,
    run_onnx,
)


def _model(outputs: str = "y", **attributes: Any) -> onnx.ModelProto:
    return make_model([node("MaxPool", "x", outputs, **attributes)], shape=(1, 3, 9, 8))


@pytest.mark.parametrize("trial", range(60))
def test_attributes(seed: int, trial: int) -> None:
    rng = np.random.default_rng([seed, trial])
    kernel = rng.integers(1, 5, 2)
    attributes: dict[str, Any] = {"kernel_shape": kernel.tolist()}
    if rng.integers(4):
        attributes["strides"] = rng.integers(1, 5, 2).tolist()
    if rng.integers(3) == 0:
        attributes["dilations"] = rng.integers(1, 3, 2).tolist()
    if rng.integers(3) == 0:
        attributes["storage_order"] = int(rng.integers(2))
    padding = rng.integers(4)
    if padding == 1:
        attributes["pads"] = [int(rng.integers(0, k)) for k in (*kernel, *kernel)]
    elif padding == 2:
        mode = str(rng.choice(["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"]))
        attributes["auto_pad"] = mode
        if mode.startswith("SAME"):
            # ONNX Runtime takes no stride beyond the kernel here, and no dilation is told below.
            attributes.pop("dilations", None)
            attributes["strides"] = [int(rng.integers(1, k + 1)) for k in kernel]
    # With SAME or VALID, ONNX derives the output size from the mode alone.
    if "auto_pad" not in attributes and rng.integers(2):
        attributes["ceil_mode"] = 1
    assert_imports_like_onnx_runtime(_model(**attributes), rng)


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (_model(), "its kernel_shape is missing"),
        (_model(kernel_shape=[2]), "its attribute kernel_shape has 1 values, not 2"),
        (_model(kernel_shape=[2, 0]), "kernel [2, 0], strides [1, 1] and dilations [1, 1] must"),
        (
            _model(kernel_shape=[2, 2], dilations=[1, 2], auto_pad="SAME_LOWER"),
            "auto_pad=SAME_LOWER with dilations [1, 2] is read differently",
        ),
        (_model(kernel_shape=[2, 9]), "its window of 2x9 pixels is larger than its padded input"),
        (_model(kernel_shape=[1, 1], pads=[1, 0, 0, 0]), "one of its windows covers nothing but"),
        (_model(kernel_shape=[2, 2], count_include_pad=1), "its attribute count_include_pad is"),
    ],
)
def test_refused(model: onnx.ModelProto, problem: str) -> None:
    with pytest.raises(InputError) as raised:
        import_model(model)
    assert str(raised.value).splitlines()[1].startswith(f"maxpool_1 (MaxPool): {problem}")


@pytest.mark.parametrize(
    "attributes",
    [
        {"dilations": [2, 2]},
        {"dilations": [1, 3], "strides": [2, 1]},
        {"dilations": [3, 1], "ceil_mode": 1},
        {"dilations": [2, 3], "pads": [1, 0, 1, 1], "count_include_pad": 1},
    ],
)
def test_dilated_means(seed: int, attributes: dict[str, Any]) -> None:
    mean = node("AveragePool", "x", "y", kernel_shape=[3, 2], **attributes)
    model = make_model([mean], shape=(1, 3, 9, 8), opset=19)
    [layer] = assert_imports_like_onnx_runtime(model, np.random.default_rng(seed)).layers
    assert isinstance(layer, Conv2d)


def test_dilated_means_of_integers(seed: int) -> None:
    nodes = [
        node("QuantizeLinear", "x s z", "q"),
        node("DequantizeLinear", "q s z", "d"),
        node("AveragePool", "d", "m", kernel_shape=[3, 3], dilations=[2, 2]),
        node("QuantizeLinear", "m s z", "r", "round"),
        node("DequantizeLinear", "r s z", "y", "out"),
    ]
    constants = {"s": np.array(0.01), "z": np.array(-9, np.int8)}
    model = make_model(nodes, constants, shape=(1, 3, 9, 8), opset=19)
    x = {"x": np.random.default_rng(seed).normal(size=(1, 3, 9, 8)).astype(np.float32)}
    steps = np.rint((run_network(import_network(model), x)["y"] - run_onnx(model, x)["y"]) / 0.01)
    assert not steps.any()


def test_dilated_means_beside_padding_that_does_not_count_are_refused() -> None:
    mean = node("AveragePool", "x", "y", kernel_shape=[3, 2], dilations=[2, 1], pads=[1, 0, 0, 0])
    with pytest.raises(InputError, match=r"its dilations .2, 1. are not supported with padding"):
        import_model(make_model([mean], opset=19))


def test_indices_are_refused_when_they_are_used() -> None:
    assert len(import_model(_model("y i", kernel_shape=[2, 2])).layers) == 1
    used = make_model(
        [node("MaxPool", "x", "p i", kernel_shape=[2, 2]), node("Cast", "i", "y", to=1)],
    )
    with pytest.raises(InputError, match="only its first output is supported, but another is used"):
        import_model(used)
