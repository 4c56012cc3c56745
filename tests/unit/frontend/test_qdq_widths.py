# SPDX-License-Identifier: Apache-2.0
"""QDQ models of ONNX Runtime's quantiser in all types of activations and weights."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnxruntime.quantization import (  # type: ignore[import-untyped]
    CalibrationDataReader,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.quant_utils import (  # type: ignore[import-untyped]
    add_pre_process_metadata,
)

from flexcc.frontend import import_model
from flexcc.frontend.compare import compare, source_integers
from flexcc.ir.layers import Conv2d, Select
from flexcc.passes import lower
from tests.onnx_models import make_model, node

IMAGES = 6
BITS = {"QInt8": 8, "QUInt8": 8, "QInt16": 16, "QUInt16": 16}


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, images: NDArray[np.float32]) -> None:
        self._images = iter(images)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        image = next(self._images, None)
        return None if image is None else {"x": image[None]}


def _network(rng: np.random.Generator) -> onnx.ModelProto:
    """A residual block, a pool and a fully connected layer."""
    constants: dict[str, Any] = {
        "a": rng.normal(size=(6, 3, 3, 3)) / 5,
        "b": rng.normal(size=6),
        # All above zero: as uint8 they have the zero point 0.
        "c": np.abs(rng.normal(size=(6, 6, 3, 3))) / 16,
        "g": rng.normal(size=(6 * 16, 5)) / 6,
        "h": rng.normal(size=5),
    }
    nodes = [
        node("Conv", "x a b", "t1", "conv_1", pads=[1, 1, 1, 1]),
        node("Relu", "t1", "t2", "relu_1"),
        node("Conv", "t2 c", "t3", "conv_2", pads=[1, 1, 1, 1]),
        node("Add", "t2 t3", "t4", "add"),
        node("MaxPool", "t4", "t5", "pool", kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", "t5", "t6", "flatten"),
        node("Gemm", "t6 g h", "y", "gemm"),
    ]
    return make_model(nodes, constants, shape=(1, 3, 8, 8), opset=21, ir_version=10)


@pytest.mark.parametrize(
    ("activations", "weights"),
    # The quantiser has no unsigned weights beside QInt8.
    [(a, w) for a in sorted(BITS) for w in ("QInt8", "QUInt8") if (a, w) != ("QInt8", "QUInt8")],
)
@pytest.mark.parametrize("per_channel", [False, True])
def test_types(
    activations: str, weights: str, per_channel: bool, tmp_path: Path, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    model = _network(rng)
    add_pre_process_metadata(model)
    images = rng.normal(size=(IMAGES, 3, 8, 8)).astype(np.float32)
    quantize_static(
        model,
        tmp_path / "q.onnx",
        _Reader(images),
        per_channel=per_channel,
        activation_type=QuantType[activations],
        weight_type=QuantType[weights],
        extra_options={
            "QDQDisableWeightAdjustForInt32Bias": True,
            "WeightSymmetric": weights == "QInt8",
        },
    )
    quantized = onnx.load(tmp_path / "q.onnx")
    graph = lower(import_model(quantized))
    kinds = [type(layer).__name__ for layer in graph.layers if not isinstance(layer, Select)]
    assert kinds == ["Conv2d", "Conv2d", "Add", "MaxPool2d", "Conv2d"]
    repeated = [layer for layer in graph.layers if isinstance(layer, Select)]
    # Per tensor its unsigned weights are asymmetric, and read channels again.
    assert len(repeated) == (3 if weights == "QUInt8" and not per_channel else 0)
    assert all(layer.weight.dtype == np.int8 for layer in graph.layers if isinstance(layer, Conv2d))
    bits = {kind.quantization.bits for kind in graph.tensors.values() if kind.quantization}
    assert bits == {BITS[activations]}
    samples = {port.tensor: images.reshape(IMAGES, 3, 8, 8) for port in graph.inputs}
    comparison = compare(graph, samples, source_integers(quantized, graph))
    assert not comparison.problems(), str(comparison)
