# SPDX-License-Identifier: Apache-2.0
"""Tensors in memory: where each lies, and what lanes without a channel hold."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flexcc.accelerator import Accelerator
from flexcc.ir.types import TensorType
from flexcc.layout import REGION_BYTES, TensorLayout, align

__all__ = ["Placement", "TensorPlan"]

"""Regions of memory start at multiples of this; AXI bursts never cross one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorPlan:
    """A tensor in memory; `dead` is the value of lanes without a channel.

    Lanes repeat with a period of `word_channels`, dead ones among them.
    """

    name: str
    type: TensorType
    layout: TensorLayout
    address: int
    dead: int
    word_channels: int

    def planes(self) -> Iterator[int]:
        """The address of each plane."""
        for plane in range(self.layout.planes):
            yield self.address + plane * self.layout.plane_pitch


class Placement:
    """Gives tensors their addresses, one behind the other."""

    def __init__(
        self,
        types: Mapping[str, TensorType],
        accelerator: Accelerator,
        address: int,
        residents: Mapping[str, int],
    ) -> None:
        """Places tensors of `types` from `address` on, or the next multiple of a region.

        `residents` are on the chip, at addresses that are decided.
        """
        self._types, self._accelerator, self._residents = types, accelerator, residents
        self.end = align(address, REGION_BYTES)
        self.tensors: dict[str, TensorPlan] = {}

    def place(self, name: str, *, dead: int, word_channels: int, rows_beyond: int = 0) -> None:
        """Places a tensor; `end` is where the next region begins.

        Behind it there is room for `rows_beyond` rows, which may be read and mean nothing.
        """
        type_ = self._types[name]
        layout = TensorLayout(
            channels=type_.channels,
            height=type_.height,
            width=type_.width,
            lanes=self._accelerator.n,
            beat_bytes=self._accelerator.beat_bytes,
        )
        self.tensors[name] = TensorPlan(
            name=name,
            type=type_,
            layout=layout,
            address=self._residents.get(name, self.end),
            dead=dead,
            word_channels=word_channels,
        )
        if name in self._residents:
            return
        size = layout.size + rows_beyond * layout.row_pitch
        self.end = align(self.end + size, REGION_BYTES)
