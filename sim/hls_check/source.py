# SPDX-License-Identifier: Apache-2.0
"""Source text as synthesis sees it: macros expanded, the vendor's headers left out."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Fault", "Source", "preprocess", "unexpanded_faults"]

_MARKER = re.compile(r'# (\d+) "([^"]*)"')
_PRAGMAS = "pragmas.hpp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong, and where."""

    file: str
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Text to read, and the file and line that each of its lines comes from."""

    text: str
    origins: tuple[tuple[str, int], ...]

    def fault(self, line: int, rule: str, text: str) -> Fault:
        """A fault at a line of the text, counted from 0."""
        file, number = self.origins[line] if line < len(self.origins) else ("?", 0)
        return Fault(file=file, line=number, rule=rule, text=text)


def preprocess(folder: Path, stand_ins: Path) -> Source:
    """The kernel in the folder hls/ of a build.

    `stand_ins` hold the vendor's headers, whose text is not kept.

    Raises:
        RuntimeError: the preprocessor fails.
    """
    top = folder / "flex_kernel.cpp"
    ran = subprocess.run(
        ["c++", "-E", "-std=c++17", "-D__SYNTHESIS__", f"-I{folder}", f"-I{folder / 'lib'}",
         f"-I{stand_ins}", top],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ran.returncode:
        raise RuntimeError(f"{top} cannot be preprocessed: {ran.stderr}")
    own = folder.resolve()
    lines: list[str] = []
    origins: list[tuple[str, int]] = []
    name, number, kept = "", 0, False
    for line in ran.stdout.splitlines():
        marker = _MARKER.match(line)
        if marker:
            path = Path(marker[2]).resolve()
            kept = path.is_relative_to(own) and not path.is_relative_to(stand_ins.resolve())
            name = str(path.relative_to(own)) if kept else ""
            number = int(marker[1])
            continue
        if kept:
            lines.append(line)
            origins.append((name, number))
        number += 1
    return Source(text="\n".join(lines) + "\n", origins=tuple(origins))


def unexpanded_faults(folder: Path) -> list[Fault]:
    """Directives of the library that bypass the macros which name them."""
    faults = []
    for path in sorted((folder / "lib").rglob("*.hpp")):
        if path.name == _PRAGMAS:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.match(r"\s*#\s*pragma\s+HLS|.*_Pragma\s*\(", line):
                name = str(path.relative_to(folder))
                text = f"directives stand in {_PRAGMAS}; use its macros"
                faults.append(Fault(file=name, line=number, rule="pragma", text=text))
    return faults
