# SPDX-License-Identifier: Apache-2.0
"""Modules and whole designs as Yosys has mapped them on UltraScale+, kept beside this file.

`python -m designs.area.points` maps what `points.json` names and has no cells yet; to map a point
again, take its cells out.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flexcc.accelerator import Accelerator
from flexcc.backend.rtl import rtl_parameters
from flexcc.dse import area as formulas
from flexcc.dse.rams import Ram, ram_luts
from sim.sources import sources_for
from sim.synthesis import Area, area

__all__ = ["ARRAY", "Point", "Whole", "map_missing", "points", "sources_hash", "wholes"]

ARRAY = "flex_systolic_array"
_POINTS = Path(__file__).with_name("points.json")
_WHOLES = Path(__file__).with_name("wholes.json")
_RECORD_BITS, _WIDE_BITS, _SLOPE_BITS = 78, 90, 106


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A module mapped on its own: LUTs, those of RAMs too, registers, halves of block RAMs.

    No constant is fitted to one that is `held_out`.
    """

    module: str
    parameters: Mapping[str, int]
    lut: int
    ff: int
    ram18: int
    held_out: bool = False

    @property
    def part(self) -> str:
        """The part of `flexcc.dse.area` that it is."""
        return _PARTS[self.module]

    @property
    def terms(self) -> formulas.Terms:
        """What its cells follow from."""
        return _TERMS[self.module](self.parameters)

    @property
    def own_lut(self) -> int:
        """LUTs without those of RAMs that `flexcc.dse.rams` counts."""
        return self.lut - sum(map(ram_luts, _rams(self.module, self.parameters)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A core, or cores with their registers, around arrays; `around` is flattened, arrays left out.

    `fitted` says that the share of cells that is left in one netlist was found with it. `array` is
    None where only the rest was mapped.
    """

    name: str
    module: str
    accelerator: Accelerator
    fitted: bool
    around: Area
    array: Area | None


def _port(p: Mapping[str, int]) -> formulas.Terms:
    return formulas.port_terms(beat_bytes=p["DataBytes"])


def _lanes(p: Mapping[str, int]) -> formulas.Terms:
    return formulas.lane_terms(p=p["P"], q=p["Q"])


def _one(_: Mapping[str, int]) -> formulas.Terms:
    return {"one": 1}


_PARTS = {
    ARRAY: "array",
    "flex_column_buffer": "buffer",
    "flex_weight_buffer": "weights",
    "flex_load": "load",
    "flex_store": "store",
    "flex_weight_load": "weight_load",
    "flex_requantize": "requantize",
    "flex_sum": "sum",
    "flex_bend": "bend",
    "flex_table": "table",
    "flex_window": "window",
    "flex_sequencer": "sequencer",
    "flex_fetch": "fetch",
    "flex_axi_read": "read",
    "flex_axi_write": "write",
    "flex_axi_read_mux": "control",
    "flex_csr": "registers",
}
_TERMS = {
    ARRAY: lambda p: formulas.array_terms(
        m=p["M"], p=p["P"], n=p["N"], packed=bool(p["Packed"]), acc_bits=p["AccWidth"]
    ),
    "flex_column_buffer": lambda p: formulas.buffer_terms(
        banks=p["P"], word_bytes=p["N"], rotated=True
    ),
    "flex_weight_buffer": lambda p: formulas.buffer_terms(
        banks=p["M"], word_bytes=p["N"], rotated=False
    ),
    "flex_load": lambda p: formulas.load_terms(p=p["P"], n=p["N"], beat_bytes=p["DataBytes"]),
    "flex_store": lambda p: formulas.store_terms(p=p["P"], n=p["N"], beat_bytes=p["DataBytes"]),
    "flex_weight_load": lambda p: formulas.weight_load_terms(
        m=p["M"], n=p["N"], q=p["Q"], record_bytes=p["RecordBytes"], beat_bytes=p["DataBytes"]
    ),
    "flex_requantize": lambda p: formulas.requantize_terms(
        p=p["P"], q=p["Q"], slopes=bool(p["Slopes"]), wide=bool(p["Wide"])
    ),
    "flex_sum": _lanes,
    "flex_bend": _lanes,
    "flex_table": _lanes,
    "flex_window": lambda p: formulas.window_terms(
        taps=p["Taps"], beat_bytes=p["DataBytes"], slopes=bool(p["Slopes"])
    ),
    "flex_sequencer": lambda p: formulas.sequencer_terms(sums=bool(p["Sums"])),
    "flex_fetch": lambda p: formulas.fetch_terms(beat_bytes=p["DataBytes"], sums=bool(p["Sums"])),
    "flex_axi_read": _port,
    "flex_axi_write": _port,
    "flex_axi_read_mux": _one,
    "flex_csr": _one,
}


def _rams(module: str, p: Mapping[str, int]) -> Iterator[Ram]:
    """The RAMs of a module that may be made of LUTs."""
    if module == "flex_requantize":
        bits = (_WIDE_BITS if p["Wide"] else _RECORD_BITS) + p["Slopes"] * _SLOPE_BITS
        yield Ram(name="parameters", words=p["ParamPasses"] * p["M"] // p["Q"], bits=p["Q"] * bits)
    if module == "flex_bend":
        yield Ram(name="slopes of sums", words=p["ParamDepth"], bits=p["Q"] * _SLOPE_BITS)
    if module == "flex_window" and p["Taps"] > 1:
        yield Ram(name="window lines", words=p["LineBeats"], bits=8 * p["DataBytes"], count=2)


def points() -> list[Point]:
    """The modules that are mapped; those of `points.json` without cells are left out."""
    stored = json.loads(_POINTS.read_text())["points"]
    return [Point(**item) for item in stored if "lut" in item]


def wholes() -> list[Whole]:
    """The designs that are mapped whole."""
    found = []
    for item in json.loads(_WHOLES.read_text())["wholes"]:
        parts = {key: item[key] and Area(**item[key]) for key in ("around", "array")}
        found.append(Whole(**{**item, **parts, "accelerator": Accelerator(**item["accelerator"])}))
    return found


def sources_hash() -> str:
    """SHA-256 of the sources of `flex_top`."""
    text = b"".join(path.read_bytes() for path in sources_for("flex_top", ()))
    return hashlib.sha256(text).hexdigest()


def map_module(module: str, parameters: Mapping[str, int]) -> Point:
    """Maps a module on its own."""
    cells = area(module, parameters)
    return Point(
        module=module,
        parameters=parameters,
        lut=cells.luts + cells.lut_rams,
        ff=cells.registers,
        ram18=cells.block_rams,
    )


def map_missing() -> None:
    """Maps the points without cells, one after the other; each is kept at once."""
    data: dict[str, Any] = json.loads(_POINTS.read_text())
    for number, item in enumerate(data["points"]):
        if "lut" not in item:
            point = map_module(item["module"], item["parameters"])
            data["points"][number] = {**asdict(point), **item}
            data["sources_sha256"] = sources_hash()
            _POINTS.write_text(json.dumps(data, indent=1) + "\n")


def map_around(accelerator: Accelerator) -> Area:
    """Maps all of an accelerator but its arrays, in one netlist."""
    return area("flex_top", rtl_parameters(accelerator), left_out=(ARRAY,))


if __name__ == "__main__":
    map_missing()
