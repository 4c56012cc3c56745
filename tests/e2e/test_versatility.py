# SPDX-License-Identifier: Apache-2.0
"""Single layers and short chains measured again; a different figure wants `make results`."""

import pytest

from designs.versatility.figures import STORED, from_json
from designs.versatility.layers import LAYERS
from designs.versatility.reshapes import measure_reshapes
from designs.versatility.zeros import measure_zeros
from flexcc.progress import Progress

STORED_FIGURES = from_json(STORED.read_text())
SHORT = ("3x3 transposed, stride 2", "3x3 dilated by 2")


@pytest.mark.slow
def test_single_layers_take_the_stored_cycles() -> None:
    """Those with short baselines."""
    layers = [layer for layer in LAYERS if layer.name in SHORT]
    found, stored = measure_zeros(Progress(), layers), STORED_FIGURES.zeros
    assert found.array == stored.array
    assert found.layers == tuple(layer for layer in stored.layers if layer.name in SHORT)
    assert len(found.layers) == len(SHORT)


@pytest.mark.slow
def test_chains_take_the_stored_cycles() -> None:
    assert measure_reshapes(Progress()) == STORED_FIGURES.reshapes
