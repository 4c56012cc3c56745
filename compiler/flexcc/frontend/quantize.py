# SPDX-License-Identifier: Apache-2.0
"""Post-training quantisation: a lowered float graph and samples become a QDQ model.

ONNX Runtime's quantiser chooses scales and zero points (min-max over the samples) and writes the
QDQ model; int8 activations with zero points, int8 weights per output channel.
"""

import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from flexcc.frontend.calibration import Samples
from flexcc.frontend.export import export_float
from flexcc.frontend.importer import import_model
from flexcc.ir.graph import Graph, Port

__all__ = ["QuantizedModel", "quantize"]

_logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True, eq=False)
class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Hands samples to the quantiser one by one."""

    samples: Iterator[dict[str, NDArray[np.float32]]]

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self.samples, None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QuantizedModel:
    """A QDQ model and the integer graph that it means, whose ports are the float graph's."""

    onnx_model: onnx.ModelProto
    graph: Graph


def quantize(graph: Graph, calibration: Samples) -> QuantizedModel:
    """Quantises a lowered float graph on `calibration` [K,C,H,W] by tensor name.

    The same graph and samples give the same model.
    """
    model = _quantize_model(graph, calibration)
    integer = import_model(model)
    return QuantizedModel(
        onnx_model=model,
        graph=replace(
            integer,
            inputs=_ports(graph.inputs, integer.inputs),
            outputs=_ports(graph.outputs, integer.outputs),
        ),
    )


def _ports(named: tuple[Port, ...], tensors: tuple[Port, ...]) -> tuple[Port, ...]:
    """The tensors of one graph under the ONNX names and shapes of the other, in order."""
    return tuple(replace(port, tensor=of.tensor) for port, of in zip(named, tensors, strict=True))


def _quantize_model(graph: Graph, calibration: Samples) -> onnx.ModelProto:
    """The QDQ model of a lowered float graph, quantised on `calibration` [K,C,H,W] by tensor name.

    The same graph and samples give the same model.
    """
    count = len(next(iter(calibration.values())))
    reader = _Reader(
        samples=(
            {name: array[index : index + 1] for name, array in calibration.items()}
            for index in range(count)
        )
    )
    with tempfile.TemporaryDirectory(prefix="flexcc-quantize-") as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "qdq.onnx"
        onnx.save(export_float(graph), source)
        prepared = Path(folder) / "prepared.onnx"
        # Shapes only: the graph is canonical, and an optimiser could rename what it fuses.
        quant_pre_process(source, prepared, skip_optimization=True, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            target,
            reader,
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"QDQDisableWeightAdjustForInt32Bias": True},
        )
        model = onnx.load(target)
    _logger.debug("quantised %s on %d samples", graph.name, count)
    return model
