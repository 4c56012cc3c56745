# SPDX-License-Identifier: Apache-2.0
"""The section of docs/results.md on the agreement with ONNX Runtime."""

from collections.abc import Mapping

from designs.agreement.figures import Agreement, Output

__all__ = ["section"]


def section(figures: Mapping[str, Agreement]) -> str:
    """Its text, from the heading on."""
    layers = "\n".join(
        f"| {name} | {each.inputs} | {each.layers} | {each.elements:,} "
        f"| {each.elements - each.ties - (each.equal - each.equal_ties):,} "
        f"| {each.least_share_equal:.4%} | {_ties(each)} | {each.largest_difference} |"
        for name, each in figures.items()
    )
    ends = "\n".join(
        f"| {name} | {output.name} | {_share(output)} | {output.elements:,} "
        f"| {output.largest_difference} |"
        for name, each in figures.items()
        for output in each.outputs
    )
    return f"""\
## The reference against ONNX Runtime

Every network as a QDQ model in ONNX Runtime (ORT_ENABLE_EXTENDED) and in the integer reference.
`python -m designs.agreement.figures` measures it.

Layer by layer, inputs included, each layer fed ONNX Runtime's own integers. Nothing may differ by
more than a step of its scale, and of the elements that are no rounding ties at least 99.99 % must
be equal in every layer. ONNX Runtime rounds some ties after adding the zero point; what it sums in
float32 (transposed layers, 16 bits) counts as a tie where float32 does not tell the neighbours
apart.

| network | inputs | layers | elements | other than ties that differ | least equal layer \
| equal ties | largest difference |
|---|---|---|---|---|---|---|---|
{layers}

From end to end, where every difference goes on through all layers behind it:

| network | output | equal | of | largest difference |
|---|---|---|---|---|
{ends}
"""


def _ties(figures: Agreement) -> str:
    return f"{figures.equal_ties:,} of {figures.ties:,}" if figures.ties else "none"


def _share(output: Output) -> str:
    """The share of equal elements, 100 % only if all are."""
    share = f"{output.equal / output.elements:.2%}"
    return "> 99.99%" if share == "100.00%" and output.equal < output.elements else share
