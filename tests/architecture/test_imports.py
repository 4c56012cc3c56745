# SPDX-License-Identifier: Apache-2.0
"""Dependencies inside the compiler point one way, and big libraries stay behind one door each."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "compiler" / "flexcc"

# What a subpackage or leaf module of flexcc may import from flexcc, besides itself.
# `dse.mapping` stands for that module alone: the decisions, not how they are made.
EVERYWHERE = {"errors"}
MAY_IMPORT = {
    "errors": set[str](),
    "resources": set[str](),
    "ir": set[str](),
    "program": set[str](),
    "accelerator": {"program.formats"},
    "layout": set[str](),
    "joins": {"ir"},
    "blocks": {"ir", "joins"},
    "taps": {"ir", "blocks", "joins"},
    "windows": {"ir"},
    "second": {"ir"},
    "axis_tiles": {"taps", "windows"},
    "tiles": {"axis_tiles", "ir", "taps", "blocks", "joins", "second", "windows", "accelerator"},
    "cores": set[str](),
    "waits": {"tiles", "cores"},
    # The golden model knows no taps: it must not share their bugs.
    "reference": {"ir"},
    # The comparison with ONNX Runtime runs the reference.
    "frontend": {"ir", "reference"},
    # Biases are settled on the integers that the layers in front of them make.
    "quantization": {"ir", "frontend", "reference"},
    "passes": {"ir"},
    "targets": {"ir", "resources"},
    # What runs on a board's host knows registers, and nothing of compilation.
    "host": {"program.registers"},
    "dse": {
        "ir",
        "targets",
        "joins",
        "second",
        "taps",
        "axis_tiles",
        "tiles",
        "waits",
        "cores",
        "windows",
        "layout",
        "accelerator",
        "program.formats",
    },
    "backend": {
        "ir",
        "targets",
        "dse.mapping",
        "joins",
        "second",
        "blocks",
        "taps",
        "tiles",
        "waits",
        "cores",
        "windows",
        "layout",
        "accelerator",
        "program",
        "resources",
    },
}

# Third-party library: the files (relative to the package) that may import it.
DOORS: dict[str, str | tuple[str, ...]] = {
    "onnx": "frontend/",
    "ortools": ("dse/cp_sat.py", "dse/placement.py", "dse/on_chip.py"),
    "networkx": "ir/graph.py",
    "jinja2": "backend/render.py",
    "serial": "host/serial_port.py",
}


def imports(path: Path) -> set[str]:
    """Dotted names of the modules and names that the file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def files_of(part: str) -> list[Path]:
    folder = PACKAGE / part
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def is_allowed(name: str, part: str) -> bool:
    """Whether the dotted name inside flexcc may be imported by `part`."""
    allowed = MAY_IMPORT[part] | EVERYWHERE | {part}
    return any(name == other or name.startswith(f"{other}.") for other in allowed)


def existing(parts: list[str]) -> list[str]:
    return [part for part in parts if all(file.is_file() for file in files_of(part))]


@pytest.mark.parametrize("part", existing(sorted(MAY_IMPORT)))
def test_imports_point_downwards(part: str) -> None:
    for path in files_of(part):
        inside = {name.removeprefix("flexcc.") for name in imports(path) if "flexcc." in name}
        wrong = {name for name in inside if name != "__version__" and not is_allowed(name, part)}
        assert not wrong, f"{path.relative_to(PACKAGE)} imports {sorted(wrong)}"


def test_every_subpackage_has_a_rule() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders <= MAY_IMPORT.keys()
    assert {"ir", "program"} <= folders


@pytest.mark.parametrize("library", sorted(DOORS))
def test_library_stays_behind_its_door(library: str) -> None:
    for path in sorted(PACKAGE.rglob("*.py")):
        used = any(name.split(".")[0] == library for name in imports(path))
        inside = path.relative_to(PACKAGE).as_posix().startswith(DOORS[library])
        assert inside or not used, f"{path.relative_to(PACKAGE)} imports {library}"


def test_only_the_command_line_sits_above_the_driver() -> None:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        used = imports(path)
        assert not any(module.startswith("flexcc.cli") for module in used) or name in (
            "__main__.py",
        ), f"{name} imports the command line"
        assert not any(module.startswith("flexcc.driver") for module in used) or name in (
            "cli.py",
            "__init__.py",
        ), f"{name} imports the driver"
