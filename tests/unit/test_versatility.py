# SPDX-License-Identifier: Apache-2.0
"""The table of single layers says what was measured, and what was measured keeps its promise."""

from pathlib import Path

import numpy as np
import pytest

from designs.versatility.chains import pixels
from designs.versatility.figures import STORED, from_json, to_json
from designs.versatility.layers import LAYERS, Kind, SingleLayer, network
from designs.versatility.reshapes import CHAINS
from designs.versatility.tables import sections
from flexcc import reference
from flexcc.ir.verify import verify

RESULTS = Path(__file__).parents[2] / "docs" / "results.md"
FIGURES = from_json(STORED.read_text())


def test_the_page_states_the_stored_figures() -> None:
    assert sections(FIGURES) in RESULTS.read_text(), "run `make results`"


def test_stored_figures_are_of_the_layers_in_order() -> None:
    assert [(layer.name, layer.shape) for layer in FIGURES.zeros.layers] == [
        (layer.name, layer.shape) for layer in LAYERS
    ]
    assert [(chain.name, chain.reshape) for chain in FIGURES.reshapes.chains] == [
        (chain.name, chain.reshape) for chain in CHAINS
    ]
    assert to_json(FIGURES) == STORED.read_text()


def test_ideal_ratios_are_those_of_the_products() -> None:
    for layer, found in zip(LAYERS, FIGURES.zeros.layers, strict=True):
        if layer.kind is Kind.DILATED:
            filled = (layer.kernel - 1) * layer.step + 1
            assert found.ideal == filled**2 / layer.kernel**2
        else:
            assert found.ideal == layer.step**2


def test_no_layer_misses_its_ideal_by_more_than_two_thousandths() -> None:
    for layer in FIGURES.zeros.layers:
        assert layer.ratio >= 0.998 * layer.ideal, layer.name
        assert layer.taps.measured >= 500_000
        for run in (layer.taps, layer.zeros):
            assert run.measured == pytest.approx(run.estimated, rel=0.001)


def test_the_published_ratios_are_reached() -> None:
    ratios = {layer.name: layer.ratio for layer in FIGURES.zeros.layers}
    assert ratios["4x4 transposed, stride 4"] >= 15.98
    assert ratios["3x3 dilated by 5"] >= 13.42


def test_every_reshape_gains() -> None:
    for chain in FIGURES.reshapes.chains:
        assert chain.ratio > 1.25, chain.name


@pytest.mark.parametrize(
    "layer",
    [
        SingleLayer(kind=Kind.DILATED, kernel=3, step=3, inputs=4, outputs=6, size=9),
        SingleLayer(kind=Kind.TRANSPOSED, kernel=3, step=2, inputs=4, outputs=6, size=5),
        SingleLayer(kind=Kind.TRANSPOSED, kernel=4, step=4, inputs=4, outputs=6, size=5),
    ],
    ids=lambda layer: layer.name,
)
def test_networks_are_sound_and_use_the_range_of_their_outputs(layer: SingleLayer) -> None:
    graph = network(layer)
    verify(graph)
    outputs = reference.run(graph, {"x": pixels(graph, 2)[None]})["y"]
    assert 30 < np.std(outputs) < 70
    assert np.mean((outputs == -128) | (outputs == 127)) < 0.2
