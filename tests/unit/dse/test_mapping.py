# SPDX-License-Identifier: Apache-2.0
"""Chains name the layers of a stage, in order."""

import random

import pytest

from flexcc.dse.lower import fusion_groups, lower
from flexcc.dse.mapping import Chain, chain_of, stage_of
from tests.networks import random_network


def test_chains_and_stages_name_each_other() -> None:
    pooled = 0
    for seed in range(20):
        graph = lower(random_network(random.Random(seed), 2))
        for chain in fusion_groups(graph):
            stage = stage_of(graph, chain)
            assert chain_of(stage) == chain
            assert tuple(layer.name for layer in stage.layers) == chain.names
            assert stage.output_tensor == stage.layers[-1].output
            pooled += chain.pool is not None
    assert pooled


def test_a_layer_in_the_wrong_place_is_named() -> None:
    graph = lower(random_network(random.Random(1), 1))
    (chain, *_) = fusion_groups(graph)
    with pytest.raises(TypeError, match=f"{chain.conv}: a MaxPool2d is expected"):
        stage_of(graph, Chain(conv=chain.conv, pool=chain.conv))


def test_a_chain_prints_its_layers() -> None:
    assert str(Chain(conv="c", pool="p", sum="s")) == "c + s + p"
