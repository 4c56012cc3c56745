# SPDX-License-Identifier: Apache-2.0
"""The sections of docs/results.md about single layers and short chains."""

from designs.versatility.figures import (
    Array,
    Comparison,
    Figures,
    Gain,
    ReshapeFigures,
    Run,
    ZerosFigures,
)

__all__ = ["sections"]


def sections(figures: Figures) -> str:
    """The text of both sections."""
    return f"{_zeros(figures.zeros)}\n{_reshapes(figures.reshapes)}"


def _zeros(figures: ZerosFigures) -> str:
    rows = "\n".join(map(_layer_row, figures.layers))
    runs = [run for layer in figures.layers for run in (layer.taps, layer.zeros)]
    return f"""\
## Tap lists against inserted zeros

An array without tap lists stuffs the input of a transposed layer with zeros, and fills a dilated
kernel with them. Here the same layer runs both ways, compiled without and with `--insert-zeros`,
on an array of {_array(figures.array)}. Stuffed inputs
lie in memory from the start, so that inserting zeros costs nothing; multiplying them does. Every
run is compared with the integer reference, {_bytes(runs)} in all.

The ideal ratio is that of the products. Start, first load and last store take a little from it; the
explorer's choice of tiles, within 0.05 % of the fastest, may give a little. FlexCNN (TRETS 2022)
states 15.98 of 16 for 4x4 transposed of stride 4 and 13.42 of 13.44 for 3x3 dilated by 5. Cycles:

| layer | channels, input | tap lists | estimated | zeros | estimated | ratio | ideal | reached |
|---|---|---|---|---|---|---|---|---|
{rows}
"""


def _reshapes(figures: ReshapeFigures) -> str:
    rows = "\n".join(map(_chain_row, figures.chains))
    runs = [run for chain in figures.chains for run in (chain.plain, chain.reshaped)]
    return f"""\
## Layers of few channels, reshaped

Layers of E-Net at 288 x 288 that leave most of a large array idle, as they are and as the explorer
reshapes them, on an array of {_array(figures.array)}.
Neighbours run together, because a reshape packs the tensors between them. In the plain runs every
output phase of a transposed layer has passes of its own. {_bytes(runs)} compared. Cycles:

| layers | reshaped by | plain | estimated | reshaped | estimated | ratio |
|---|---|---|---|---|---|---|
{rows}
"""


def _array(array: Array) -> str:
    a = array
    chains = f"{a.q} drain chain" + ("" if a.q == 1 else "s")
    return f"{a.m} x {a.p} x {a.n} with {chains} a column ({a.m * a.p * a.n} MAC per cycle)"


def _bytes(runs: list[Run]) -> str:
    return f"{sum(run.compared_bytes for run in runs):,} bytes"


def _chain_row(chain: Gain) -> str:
    return (
        f"| {chain.name} | {chain.reshape} | {_cycles(chain.plain)} | {_cycles(chain.reshaped)} "
        f"| {chain.ratio:.2f} |"
    )


def _layer_row(layer: Comparison) -> str:
    return (
        f"| {layer.name} | {layer.shape} | {_cycles(layer.taps)} | {_cycles(layer.zeros)} "
        f"| {layer.ratio:.2f} | {layer.ideal:.2f} | {layer.ratio / layer.ideal:.2%} |"
    )


def _cycles(run: Run) -> str:
    return f"{run.measured:,} | {run.estimated:,}"
