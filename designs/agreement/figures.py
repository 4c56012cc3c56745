# SPDX-License-Identifier: Apache-2.0
"""The agreement of all networks, measured and stored.

`python -m designs.agreement.figures [NAME ...]` measures all anew, or those whose names hold one of
the words, and writes agreement.json, which `make results` shows in docs/results.md.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from designs.agreement.networks import CASES, Case
from flexcc.frontend.compare import Comparison, TensorComparison, compare

__all__ = ["STORED", "Agreement", "Output", "agreement", "measure", "stored", "to_json"]

STORED = Path(__file__).resolve().parent / "agreement.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """An output of the whole network: its elements, and how many are equal."""

    name: str
    elements: int
    equal: int
    largest_difference: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Of one network: all layers, each fed ONNX Runtime's integers, and the outputs end to end.

    `ties` are elements whose exact value lies between two integers; of `wide` tensors of 16 bits
    also those closer to it than ONNX Runtime's float32 sums are exact. `least_share_equal` is that
    of the layer with the fewest equal elements among the others.
    """

    inputs: int
    layers: int
    elements: int
    equal: int
    ties: int
    equal_ties: int
    largest_difference: int
    least_share_equal: float
    wide: int
    problems: tuple[str, ...]
    outputs: tuple[Output, ...]


def agreement(case: Case) -> Agreement:
    """Compares the reference with ONNX Runtime on all inputs of a case."""
    (port,) = case.graph.inputs
    compared = compare(case.graph, {port.tensor: case.x})
    kinds = [kind.quantization for kind in case.graph.tensors.values()]
    return summary(
        compared, inputs=len(case.x), wide=sum(kind is not None and kind.bits > 8 for kind in kinds)
    )


def summary(compared: Comparison, *, inputs: int, wide: int) -> Agreement:
    """What is kept of a comparison."""
    total = compared.total()
    return Agreement(
        inputs=inputs,
        layers=len(compared.layers),
        elements=total.elements,
        equal=total.equal,
        ties=total.ties,
        equal_ties=total.equal_ties,
        largest_difference=total.largest_difference,
        least_share_equal=min(layer.share_equal for layer in compared.layers),
        wide=wide,
        problems=tuple(compared.problems()),
        outputs=tuple(_output(each) for each in compared.outputs),
    )


def _output(compared: TensorComparison) -> Output:
    return Output(
        name=compared.name,
        elements=compared.elements,
        equal=compared.equal,
        largest_difference=compared.largest_difference,
    )


def to_json(figures: Mapping[str, Agreement]) -> str:
    """The text of `agreement.json`."""
    return json.dumps({name: asdict(each) for name, each in figures.items()}, indent=2) + "\n"


def stored() -> dict[str, Agreement]:
    """The figures by network, as they were measured."""
    return {
        name: Agreement(
            outputs=tuple(Output(**output) for output in data.pop("outputs")),
            problems=tuple(data.pop("problems")),
            **data,
        )
        for name, data in json.loads(STORED.read_text()).items()
    }


def measure(words: Sequence[str]) -> None:
    """Compares and keeps the networks whose names hold one of `words`; all when there is none."""
    known = stored() if STORED.is_file() else {}
    for name, make in CASES.items():
        if not words or any(word in name for word in words):
            known[name] = agreement(make())
            ordered = {each: known[each] for each in CASES if each in known}
            STORED.write_text(to_json(ordered))


if __name__ == "__main__":
    measure(sys.argv[1:])
