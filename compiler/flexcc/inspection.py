# SPDX-License-Identifier: Apache-2.0
"""A model's nodes, the errors of its layers in integers, and the four representations as text."""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path

from flexcc.build import load_build
from flexcc.errors import InputError
from flexcc.frontend import fix_input_shapes, load_calibration, load_model
from flexcc.frontend.network import Network, survey
from flexcc.ir.printer import print_graph
from flexcc.layer_errors import errors_table, layer_errors
from flexcc.model_text import explain as explain_node
from flexcc.model_text import nodes_table
from flexcc.passes import lower
from flexcc.program.decode import decode, from_bytes, listing
from flexcc.quantization import QuantizationOptions, quantize

__all__ = ["View", "describe"]


class View(Enum):
    """Nodes or layers of an ONNX model, or a representation of it as it is compiled."""

    NODES = "nodes"
    GRAPH = "graph"
    ERRORS = "errors"
    MAPPING = "mapping"
    PLAN = "plan"
    PROGRAM = "program"


_OF_MODEL = (View.NODES, View.GRAPH, View.ERRORS)
_QUANTIZATION = QuantizationOptions()
_OF_BUILD = (View.GRAPH, View.MAPPING, View.PLAN, View.PROGRAM)


def describe(
    path: Path,
    views: Sequence[View] = (),
    explain: str | None = None,
    *,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    calibration: Path | None = None,
    quantization: QuantizationOptions = _QUANTIZATION,
) -> Iterator[str]:
    """The texts of `views`: by default of a build folder all but the program, of a model all.

    `explain` names a node of a model to tell about instead. Errors of layers in integers are told
    on the samples of the file `calibration`, quantised as asked for.

    Raises:
        InputError: `path` is neither a build nor a model, has no such view or node, or cannot be
            quantised.
    """
    _check_views(path, views, explain, input_shapes, calibration)
    if path.is_dir():
        yield from _of_build(path, views)
        return
    found = survey(fix_input_shapes(load_model(path), input_shapes or {}))
    if explain is not None:
        yield explain_node(found, explain)
        return
    all_views = _OF_MODEL if calibration is not None else _OF_MODEL[:-1]
    for view in views or all_views:
        if view is View.NODES:
            yield nodes_table(found)
        elif found.network is not None:
            if view is View.GRAPH:
                yield print_graph(found.network.graph)
            elif calibration is not None:
                yield _errors(path, found.network, calibration, quantization)
        elif views:
            raise InputError(found.problem or "the model has no graph")


def _errors(
    path: Path, network: Network, calibration: Path, quantization: QuantizationOptions
) -> str:
    graph = lower(network.graph)
    if any(kind.quantization is not None for kind in graph.tensors.values()):
        raise InputError(
            f"{path} is quantised already, so there is nothing to compare its integers with; give "
            "the float model"
        )
    samples = load_calibration(calibration, graph, host=network.host)
    return errors_table(layer_errors(quantize(graph, samples, quantization), samples))


def _check_views(
    path: Path,
    views: Sequence[View],
    explain: str | None,
    input_shapes: object,
    calibration: Path | None,
) -> None:
    allowed, what = (_OF_BUILD, "a build") if path.is_dir() else (_OF_MODEL, "an ONNX model")
    for view in views:
        if view not in allowed:
            names = ", ".join(each.value for each in allowed)
            raise InputError(f"{path} is {what}, which has no {view.value}; it has {names}")
    if path.is_dir() and (explain is not None or input_shapes):
        raise InputError(f"{path} is a build; --explain and --input-shape are for ONNX models")
    if path.is_dir() and calibration is not None:
        raise InputError(f"{path} is a build; --calibration is for ONNX models")
    if explain is not None and calibration is not None:
        raise InputError("--explain tells nothing of calibration; leave one away")
    if View.ERRORS in views and calibration is None:
        raise InputError("errors of layers need sample inputs; give --calibration FILE.npz")


def _of_build(path: Path, views: Sequence[View]) -> Iterator[str]:
    build = load_build(path)
    for view in views or _OF_BUILD[:-1]:
        match view:
            case View.GRAPH:
                yield print_graph(build.graph)
            case View.MAPPING:
                yield str(build.mapping).rstrip()
            case View.PLAN:
                yield str(build.plan).rstrip()
            case View.PROGRAM:
                yield listing(decode(from_bytes(build.program))).rstrip()
