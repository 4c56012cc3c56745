# SPDX-License-Identifier: Apache-2.0
"""Every package says what it offers, every source file under which licence."""

import ast
import importlib
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "compiler" / "flexcc"
SOURCE_SUFFIXES = {
    ".py",
    ".sv",
    ".svh",
    ".cpp",
    ".hpp",
    ".h",
    ".vlt",
    ".toml",
    ".j2",
    ".yaml",
}
LICENCE = "SPDX-License-Identifier: Apache-2.0"


def modules() -> list[str]:
    return [
        ".".join(["flexcc", *path.relative_to(PACKAGE).with_suffix("").parts])
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name not in ("__init__.py", "__main__.py")
    ]


def packages() -> list[str]:
    return [
        ".".join(["flexcc", *path.parent.relative_to(PACKAGE).parts])
        for path in sorted(PACKAGE.rglob("__init__.py"))
    ]


def tracked_sources() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.suffix in SOURCE_SUFFIXES and path.is_file()]


@pytest.mark.parametrize("name", packages())
def test_package_declares_what_it_offers(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring"
    assert module.__doc__.strip().count("\n") == 0, f"{name}: its docstring is one line"
    assert isinstance(module.__all__, list), f"{name} has no __all__"
    missing = [entry for entry in module.__all__ if not hasattr(module, entry)]
    assert not missing, f"{name}.__all__ names {missing}"
    assert len(set(module.__all__)) == len(module.__all__)


@pytest.mark.parametrize("name", modules())
def test_module_has_a_docstring(name: str) -> None:
    path = PACKAGE.joinpath(*name.split(".")[1:]).with_suffix(".py")
    assert ast.get_docstring(ast.parse(path.read_text())), f"{name} has no docstring"


def test_every_source_names_its_licence() -> None:
    sources = tracked_sources()
    assert len(sources) > 20
    without = [
        str(path.relative_to(ROOT))
        for path in sources
        if LICENCE not in "\n".join(path.read_text().splitlines()[:3])
    ]
    assert not without
