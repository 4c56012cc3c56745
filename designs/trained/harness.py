# SPDX-License-Identifier: Apache-2.0
"""A trained network in float and in integers: quantised on samples, both run on inputs."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray

from flexcc import reference
from flexcc.frontend import import_model, load_model
from flexcc.ir.affine import dequantize_array, quantize_array
from flexcc.ir.graph import Graph
from flexcc.ir.types import Quantization
from flexcc.passes import lower
from flexcc.quantization import QuantizationOptions, QuantizedModel, quantize

__all__ = ["Trained", "quantised"]

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """An ONNX file with one input, its lowered float graph, and what became of it in integers."""

    path: Path
    source: Graph
    quantized: QuantizedModel

    def real(self, x: Floats) -> dict[str, Floats]:
        """The outputs [K, ...] by ONNX name for inputs [K,C,H,W]: the file in ONNX Runtime."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        # Old models list their weights among the inputs, which it warns of.
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            self.path, options, providers=["CPUExecutionProvider"]
        )
        names = [port.onnx_name for port in self.source.outputs]
        (port,) = self.source.inputs
        runs = [session.run(names, {port.onnx_name: image[None]}) for image in x]
        return {name: np.concatenate(each) for name, *each in zip(names, *runs, strict=True)}

    def integer(self, x: Floats, batch: int = 1) -> dict[str, Floats]:
        """The same of the integer reference, in real numbers, [K,C,H,W].

        It holds all tensors of a `batch` of images in memory.
        """
        graph = self.quantized.graph
        (port,) = graph.inputs
        integers = quantize_array(x, _quantization(graph, port.tensor))
        runs = [
            reference.run(graph, {port.tensor: integers[first : first + batch]})
            for first in range(0, len(integers), batch)
        ]
        return {
            port.onnx_name: dequantize_array(
                np.concatenate([run[port.tensor] for run in runs]),
                _quantization(graph, port.tensor),
            )
            for port in graph.outputs
        }


def quantised(path: Path, samples: Floats, options: QuantizationOptions) -> Trained:
    """The network of an ONNX file with one input, calibrated on `samples` [K,C,H,W].

    Raises:
        InputError: the file is no model that flexcc takes.
    """
    source = lower(import_model(load_model(path)))
    (port,) = source.inputs
    return Trained(
        path=path, source=source, quantized=quantize(source, {port.tensor: samples}, options)
    )


def _quantization(graph: Graph, tensor: str) -> Quantization:
    quantization = graph.tensors[tensor].quantization
    assert quantization is not None
    return quantization
