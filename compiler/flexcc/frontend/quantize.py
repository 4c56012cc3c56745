# SPDX-License-Identifier: Apache-2.0
"""Post-training quantisation: a lowered float graph and samples become an integer graph.

ONNX Runtime's static quantiser chooses the scales on the canonical model of the graph: min-max over
the samples, int8 activations with zero points, symmetric int8 weights per output channel. Weights,
biases and clamps are then rounded here, from the float graph: the quantiser drops clips whatever
their bounds, and lets biases overflow when weights are tiny.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnxruntime.quantization import (  # type: ignore[import-untyped]
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.quant_utils import (  # type: ignore[import-untyped]
    add_pre_process_metadata,
)

from flexcc.errors import InputError
from flexcc.frontend.calibration import Samples
from flexcc.frontend.export import clamp_name, export_model
from flexcc.frontend.weights import quantize_convolution
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Convolution, ConvTranspose2d, Layer
from flexcc.ir.types import Quantization
from flexcc.ir.verify import verify

__all__ = ["QuantizedModel", "quantize"]

# Severities of ONNX Runtime's log; the second is its default.
_LOG_FATAL, _LOG_WARNING = 4, 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QuantizedModel:
    """An integer graph with the ports of its float graph, and the same as a QDQ model."""

    onnx_model: onnx.ModelProto
    graph: Graph


def quantize(graph: Graph, calibration: Samples) -> QuantizedModel:
    """Quantises a lowered float graph on `calibration`: [K,C,H,W] by tensor name.

    The same graph and samples give the same model. Memory holds one sample's tensors at a time.

    Raises:
        InputError: ONNX Runtime cannot run the model, or a layer does not fit the accelerator.
    """
    model = _statically_quantized(graph, calibration)
    scales = _activation_scales(graph, model)
    weight_scales = _weight_scales(model)
    layers = list[Layer]()
    for layer in graph.layers:
        if isinstance(layer, Convolution):
            source, target = scales[layer.inputs[0]], scales[layer.output]
            layers.append(quantize_convolution(layer, source, target, weight_scales[layer.name]))
        else:
            # The quantiser gives a pool its input's scale; the layer demands it.
            scales[layer.output] = scales[layer.inputs[0]]
            layers.append(layer)
    integer = replace(
        graph,
        tensors={
            name: replace(kind, quantization=scales[name]) for name, kind in graph.tensors.items()
        },
        layers=tuple(layers),
    )
    verify(integer)
    return QuantizedModel(onnx_model=export_model(integer).model, graph=integer)


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Hands samples to the quantiser one by one."""

    def __init__(self, samples: Samples) -> None:
        count = min(len(array) for array in samples.values())
        self._samples: Iterator[dict[str, NDArray[np.float32]]] = (
            {name: array[index : index + 1] for name, array in samples.items()}
            for index in range(count)
        )

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next sample, None after the last."""
        return next(self._samples, None)


def _statically_quantized(graph: Graph, calibration: Samples) -> onnx.ModelProto:
    """ONNX Runtime's QDQ model of the graph, whose ports are plain tensors."""
    plain = replace(
        graph,
        layers=tuple(_in_one_group(layer) for layer in graph.layers),
        inputs=tuple(_plain_port(graph, port.tensor) for port in graph.inputs),
        outputs=tuple(
            _plain_port(graph, tensor)
            for tensor in dict.fromkeys(port.tensor for port in graph.outputs)
        ),
    )
    model = export_model(plain).model
    # The canonical model is what preprocessing aims at; without the mark the quantiser warns.
    add_pre_process_metadata(model)
    with tempfile.TemporaryDirectory(prefix="flexcc-quantize-") as folder:
        path = Path(folder) / "quantized.onnx"
        # What goes wrong comes as an exception, too.
        onnxruntime.set_default_logger_severity(_LOG_FATAL)
        try:
            quantize_static(
                model,
                path,
                _Reader(calibration),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv", "ConvTranspose", "MaxPool", "Relu", "Clip"],
                per_channel=True,
                activation_type=QuantType.QInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                # Adjusting weights to biases crashes on some models; it is done here anyway.
                extra_options={"QDQDisableWeightAdjustForInt32Bias": True},
            )
        except Exception as error:  # ONNX Runtime has a class of its own for each code
            reason = str(error).strip().splitlines() or [repr(error)]
            raise InputError(
                f"ONNX Runtime cannot quantise the model: {reason[0]}; check that it runs there"
            ) from error
        finally:
            onnxruntime.set_default_logger_severity(_LOG_WARNING)
        return onnx.load(path)


def _in_one_group(layer: Layer) -> Layer:
    """A transposed layer in one group; of more, the quantiser mistakes the bias."""
    if not isinstance(layer, ConvTranspose2d) or layer.groups == 1:
        return layer
    outputs, inputs, *kernel = layer.weight.shape
    per_group = outputs // layer.groups
    dense = np.zeros((outputs, layer.groups * inputs, *kernel), np.float32)
    for group in range(layer.groups):
        own = slice(group * per_group, (group + 1) * per_group)
        dense[own, group * inputs : (group + 1) * inputs] = layer.weight[own]
    return replace(layer, weight=dense, groups=1)


def _plain_port(graph: Graph, tensor: str) -> Port:
    kind = graph.tensors[tensor]
    shape = (1, kind.channels, kind.height, kind.width)
    return Port(tensor=tensor, onnx_name=tensor, onnx_shape=shape)


def _activation_scales(graph: Graph, model: onnx.ModelProto) -> dict[str, Quantization]:
    """Scale and zero point of every tensor of the graph, as the quantiser rounds it."""
    constants = _constants(model)
    rounded = {
        node.input[0]: Quantization(
            scale=float(constants[node.input[1]]), zero_point=int(constants[node.input[2]])
        )
        for node in model.graph.node
        if node.op_type == "QuantizeLinear"
    }
    # The quantiser renames outputs and drops clips, but a node keeps its name.
    values = {node.name: node.output[0] for node in model.graph.node}
    result = {port.tensor: rounded[port.tensor] for port in graph.inputs}
    for layer in graph.layers:
        last = clamp_name(layer.name) if clamp_name(layer.name) in values else layer.name
        result[layer.output] = rounded[values[last]]
    return result


def _weight_scales(model: onnx.ModelProto) -> dict[str, NDArray[np.float32]]:
    """Weight scales per output channel, by name of the convolution."""
    constants = _constants(model)
    producers = {node.output[0]: node for node in model.graph.node}
    return {
        node.name: np.atleast_1d(constants[producers[node.input[1]].input[1]])
        for node in model.graph.node
        if node.op_type in ("Conv", "ConvTranspose")
    }


def _constants(model: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
