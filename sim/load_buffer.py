# SPDX-License-Identifier: Apache-2.0
"""Plays the activation buffer: takes the writes and compares each half when it is full."""

from collections.abc import Sequence
from typing import Any

from sim.load_tiles import LoadTile, Place, Shape


class LoadBuffer:
    """Call `clock` in every cycle, at the rising edge. `full_cycles` holds when halves were full.

    A half must be full with exactly the pixels of the next of `tiles`, each written once, by
    writes of earlier cycles than that of its full pulse; halves alternate, starting with half 0.
    """

    def __init__(self, dut: Any, shape: Shape, tiles: Sequence[LoadTile], memory: bytes) -> None:
        self._dut = dut
        self._shape = shape
        self._tiles = tiles
        self._memory = memory
        self._written: dict[Place, int] = {}
        self.full_cycles: list[int] = []

    def clock(self, cycle: int, halves: int) -> bool:
        """Takes what this cycle brings; only the first `halves` tiles may be written by now.

        Returns whether a half became full.
        """
        dut = self._dut
        full = bool(dut.full_o.value == 1)
        # A half is full with the writes of earlier cycles; those of this one are the next's.
        if full:
            self._compare()
            self.full_cycles.append(cycle)
        enables = int(dut.wr_en_o.value)
        if enables:
            tile = len(self.full_cycles)
            assert tile < len(self._tiles), "a write after the last tile"
            assert tile < halves, f"tile {tile}: written before its half was freed"
            self._write(tile, enables)
        return full

    def _write(self, tile: int, enables: int) -> None:
        shape = self._shape
        width = (2 * shape.act_words - 1).bit_length()
        addresses, data = int(self._dut.wr_addr_o.value), int(self._dut.wr_data_o.value)
        for bank in range(shape.banks):
            if enables >> bank & 1:
                address = addresses >> (bank * width) & ((1 << width) - 1)
                pixel = data >> (bank * shape.pixel_bytes * 8)
                half, word = divmod(address, shape.act_words)
                place = Place(bank=bank, word=word)
                assert half == tile % 2, f"tile {tile}: half {half} is written"
                assert place not in self._written, f"tile {tile}: {place} is written twice"
                self._written[place] = pixel & ((1 << shape.pixel_bytes * 8) - 1)

    def _compare(self) -> None:
        number = len(self.full_cycles)
        assert number < len(self._tiles), "a half too many is full"
        wanted = self._tiles[number].content(self._shape, self._memory)
        wrong = {place for place, value in wanted.items() if self._written.get(place) != value}
        excess = self._written.keys() - wanted.keys()
        name = f"tile {number} {self._tiles[number]}"
        assert not wrong, f"{name}: wrong {sorted(wrong, key=str)[:4]}"
        assert not excess, f"{name}: never to be written {sorted(excess, key=str)[:4]}"
        self._written = {}
