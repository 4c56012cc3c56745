# SPDX-License-Identifier: Apache-2.0
"""The range of every tensor over calibration samples, and the scale that it gives."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray

from flexcc.errors import InputError
from flexcc.frontend.calibration import Samples
from flexcc.frontend.export import export_model
from flexcc.ir.graph import Graph, Port
from flexcc.ir.types import Quantization

__all__ = ["Range", "observed_ranges", "quantization_of"]

# What goes wrong comes as an exception, too.
_LOG_FATAL = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The smallest and the largest value of a tensor, 0 included."""

    low: float = 0.0
    high: float = 0.0

    def __or__(self, other: "Range") -> "Range":
        return Range(low=min(self.low, other.low), high=max(self.high, other.high))


def observed_ranges(graph: Graph, samples: Samples) -> dict[str, Range]:
    """Ranges by tensor of a lowered float graph, which ONNX Runtime runs on one sample at a time.

    Raises:
        InputError: ONNX Runtime cannot run the model, or a value is not finite.
    """
    inputs = {port.tensor: _plain_port(graph, port.tensor) for port in graph.inputs}
    names = [layer.output for layer in graph.layers]
    plain = replace(
        graph,
        inputs=tuple(inputs.values()),
        outputs=tuple(_plain_port(graph, name) for name in names),
    )
    try:
        session = _session(export_model(plain).model.SerializeToString())
        result = {name: _range(name, samples[name]) for name in inputs}
        for index in range(min(len(array) for array in samples.values())):
            feed = {name: samples[name][index : index + 1] for name in inputs}
            for name, array in zip(names, session.run(names, feed), strict=True):
                result[name] = result.get(name, Range()) | _range(name, array)
    except InputError:
        raise
    except Exception as error:  # ONNX Runtime has a class of its own for each code
        reason = str(error).strip().splitlines() or [repr(error)]
        raise InputError(
            f"ONNX Runtime cannot run the model on the samples: {reason[0]}; check that it runs "
            "there"
        ) from error
    return result


def quantization_of(bounds: Range) -> Quantization:
    """int8 with the range's ends at -128 and 127, and 0 exactly at the zero point.

    As ONNX Runtime's static quantiser does it with min-max calibration.
    """
    scale = (bounds.high - bounds.low) / 255
    if scale < np.finfo(np.float32).tiny:
        return Quantization(scale=1.0, zero_point=0)
    zero_point = round(-128 - bounds.low / scale)
    return Quantization(scale=float(np.float32(scale)), zero_point=zero_point)


def _range(name: str, array: NDArray[Any]) -> Range:
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(
            f"'{name}' is not finite on the calibration samples; the float model overflows there, "
            "check it and its samples"
        )
    return Range(low=min(low, 0.0), high=max(high, 0.0))


def _session(model: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _LOG_FATAL
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _plain_port(graph: Graph, tensor: str) -> Port:
    kind = graph.tensors[tensor]
    shape = (1, kind.channels, kind.height, kind.width)
    return Port(tensor=tensor, onnx_name=tensor, onnx_shape=shape)
