# SPDX-License-Identifier: Apache-2.0
"""A network in the form that suits an array, and its stages."""

from collections.abc import Collection, Iterator
from copy import copy
from dataclasses import replace
from functools import cached_property

from flexcc.dse.fuse_windows import fuse_windows
from flexcc.dse.join_by_sum import join_by_sum
from flexcc.dse.layer_cost import ArrayModel
from flexcc.dse.lower import fusion_groups, lower
from flexcc.dse.lower_means import lower_means
from flexcc.dse.lower_movement import lower_movement
from flexcc.dse.lower_products import lower_products
from flexcc.dse.mapping import stage_of
from flexcc.dse.reshape import Reshape, reshape
from flexcc.dse.shapes import Shape, all_shapes, given_shape, window_taps_of
from flexcc.dse.technique import Technique
from flexcc.dse.wide import require_wide_convolutions
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Add
from flexcc.targets.device import Device
from flexcc.tiles import Stage

__all__ = ["Forms"]

_ROUGH_COLUMNS = 8


class Forms:
    """A network lowered and in the form that suits an array, with the reshapes that are wanted."""

    def __init__(
        self,
        graph: Graph,
        wanted: Collection[Reshape],
        beat_bytes: int,
        *,
        keep_zeros: bool,
        without: Collection[Technique],
    ) -> None:
        require_wide_convolutions(graph)
        self.names = frozenset(layer.name for layer in graph.layers)
        graph = lower_means(lower_movement(lower_products(graph)))
        self._without = frozenset(without)
        self._may_bundle = Technique.LAYOUT not in self._without
        self._graph, self._beat_bytes = graph, beat_bytes
        self._wanted = wanted if self._may_bundle else ()
        self._keep_zeros, self._windows = keep_zeros, False
        self._plain = lower(graph, self._without)
        self._of: dict[tuple[int, int, int], Graph] = {}
        self._stages: dict[tuple[int, bool], tuple[Graph, list[Stage]]] = {}
        self.window_taps = window_taps_of(self.stages(self._plain))

    def alternatives(self) -> tuple["Forms", ...]:
        """These, and the same with a window engine in front of the array if it has work."""
        if Technique.FUSION in self._without:
            return (self,)
        fused = copy(self)
        fused._windows = True
        fused.window_taps = window_taps_of(fused.stages(self._plain))
        return (self, fused) if fused.window_taps else (self,)

    def shapes(self, device: Device) -> Iterator[Shape]:
        """All array shapes whose multipliers fit a region of the device."""
        return all_shapes(
            device, sums=self.sums, taps=self.window_taps, bends=self.bends, wide=self.wide
        )

    def given_shape(self, array: tuple[int, int, int], device: Device) -> Shape:
        """The shape (M, P, N) = `array`.

        Raises:
            InputError: it cannot be built.
            DoesNotFitError: a region of the device has too few multipliers.
        """
        return given_shape(
            array, device, sums=self.sums, taps=self.window_taps, bends=self.bends, wide=self.wide
        )

    @cached_property
    def inputs(self) -> frozenset[str]:
        """The network's input tensors."""
        return frozenset(port.tensor for port in self._plain.inputs)

    @cached_property
    def sums(self) -> bool:
        """Whether a stage adds a second tensor."""
        return any(isinstance(layer, Add) for layer in self._plain.layers)

    @cached_property
    def wide(self) -> bool:
        """Whether a tensor has 16 bits."""
        return any(type_.wide for type_ in self._plain.tensors.values())

    @cached_property
    def bends(self) -> bool:
        """Whether a sum is requantised with two slopes on its way."""
        return any(chain.bend is not None for chain in fusion_groups(self._plain, self._without))

    def graph(self, *, m: int, p: int, n: int) -> Graph:
        """The network for an array of that shape."""
        if (m, p, n) not in self._of:
            array = ArrayModel(
                m=m, p=p, n=n, drain_cycles=m // min(m, n), beat_bytes=self._beat_bytes
            )
            graph = self._graph
            if self.sums and not self._without:
                graph = join_by_sum(graph, m=m, n=n)
            shaped = reshape(graph, array, self._wanted) if self._wanted else graph
            self._of[m, p, n] = lower(shaped, self._without, (m, n))
        return self._of[m, p, n]

    def rough_stages(self, shape: Shape) -> list[Stage]:
        """The stages for a shape's rows and lanes, whatever its columns."""
        return self.stages(self.graph(m=shape.m, p=_ROUGH_COLUMNS, n=shape.n))

    def plain_stages(self) -> list[Stage]:
        """The stages of the network without reshapes."""
        return self.stages(self._plain)

    def stages(self, graph: Graph) -> list[Stage]:
        """The stages of a form of the network, the same objects every time."""
        key = id(graph), self._windows
        if key not in self._stages:
            self._stages[key] = graph, self._stages_of(graph)
        return self._stages[key][1]

    def _stages_of(self, graph: Graph) -> list[Stage]:
        chains = fusion_groups(graph, self._without)
        if self._windows:
            chains = fuse_windows(graph, chains)
        stages = (stage_of(graph, chain) for chain in chains)
        return [
            replace(
                stage,
                keep_zeros=self._keep_zeros,
                may_bundle=self._may_bundle and stage.may_bundle,
            )
            for stage in stages
        ]
