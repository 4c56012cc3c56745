# SPDX-License-Identifier: Apache-2.0
"""Rewrites of the graph, one per file, and the order in which they run."""

from flexcc.ir.graph import Graph
from flexcc.passes.base import Pass, run_pipeline
from flexcc.passes.eliminate_identity import EliminateIdentity
from flexcc.passes.find_prelu import FindPRelu
from flexcc.passes.fold_channel_affine import FoldChannelAffine
from flexcc.passes.fold_depth_to_space import FoldDepthToSpace
from flexcc.passes.fold_padding import FoldPadding
from flexcc.passes.fold_reshape import FoldReshape
from flexcc.passes.fold_upsampling import FoldUpsampling
from flexcc.passes.fuse_activation import FuseActivation
from flexcc.passes.fuse_functions import FuseFunctions
from flexcc.passes.fuse_selections import FuseSelections
from flexcc.passes.pointwise import Pointwise
from flexcc.passes.refuse_source_layers import RefuseSourceLayers
from flexcc.passes.remove_dead_channels import RemoveDeadChannels

__all__ = ["PIPELINE", "Pass", "lower", "run_pipeline"]

PIPELINE: tuple[Pass, ...] = (
    FuseSelections(),
    EliminateIdentity(),
    FoldPadding(),
    # Before the folds: they take the pieces of a spelled activation apart. A slope can be fused
    # into a convolution, a table cannot, so slopes are looked for before tables.
    FindPRelu(),
    FuseFunctions(),
    # Before activations: a clamp between a convolution and its batch normalisation blocks the fold.
    FoldChannelAffine(),
    # Before reshapes: a clip moves from behind a flatten to the convolution in front of it.
    FuseActivation(),
    # Behind activations: what stood between a convolution and its DepthToSpace is in it now.
    FoldDepthToSpace(),
    FoldUpsampling(),
    FoldReshape(),
    # Last: what no neighbour took.
    Pointwise(),
    RefuseSourceLayers(),
    # All weights are where they stay.
    RemoveDeadChannels(),
)


def lower(graph: Graph) -> Graph:
    """An imported graph with every source layer folded away.

    Raises:
        InputError: names the layers that cannot be folded.
    """
    return run_pipeline(PIPELINE, graph)
