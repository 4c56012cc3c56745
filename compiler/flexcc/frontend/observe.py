# SPDX-License-Identifier: Apache-2.0
"""The values of every tensor of a float graph, as ONNX Runtime computes them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray

from flexcc.errors import InputError
from flexcc.frontend.export import export_model
from flexcc.ir.graph import Graph, Port

__all__ = ["observe", "plain_ports"]

_LOG_FATAL = 4


def observe(
    graph: Graph, samples: Mapping[str, NDArray[np.float32]]
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """All tensors [1,C,H,W] of a lowered float graph, sample by sample.

    `samples` are [K,C,H,W] by tensor name. Memory holds the tensors of one sample at a time.

    Raises:
        InputError: ONNX Runtime cannot run the model, or a value is not finite.
    """
    names = [layer.output for layer in graph.layers]
    plain = plain_ports(replace(graph, outputs=tuple(_plain_port(graph, name) for name in names)))
    model = export_model(plain).model.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    # What goes wrong comes as an exception, too.
    options.log_severity_level = _LOG_FATAL
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        for index in range(min(len(array) for array in samples.values())):
            feed = {name: array[index : index + 1] for name, array in samples.items()}
            values = {**feed, **dict(zip(names, session.run(names, feed), strict=True))}
            _require_finite(values)
            yield values
    except InputError:
        raise
    except Exception as error:  # ONNX Runtime has a class of its own for each code
        reason = str(error).strip().splitlines() or [repr(error)]
        raise InputError(
            f"ONNX Runtime cannot run the model on the samples: {reason[0]}; check that it runs "
            "there"
        ) from error


def plain_ports(graph: Graph) -> Graph:
    """The graph with ports that are called and shaped as their tensors, each once."""
    inputs, outputs = (
        tuple(_plain_port(graph, name) for name in dict.fromkeys(port.tensor for port in ports))
        for ports in (graph.inputs, graph.outputs)
    )
    return replace(graph, inputs=inputs, outputs=outputs)


def _require_finite(values: Mapping[str, NDArray[np.float32]]) -> None:
    for name, array in values.items():
        if not np.isfinite(array).all():
            raise InputError(
                f"'{name}' is not finite on the calibration samples; the float model overflows "
                "there, check it and its samples"
            )


def _plain_port(graph: Graph, tensor: str) -> Port:
    """A port that is called and shaped as its tensor."""
    kind = graph.tensors[tensor]
    shape = (1, kind.channels, kind.height, kind.width)
    return Port(tensor=tensor, onnx_name=tensor, onnx_shape=shape)
