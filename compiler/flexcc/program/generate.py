# SPDX-License-Identifier: Apache-2.0
"""Generates what the program format is known by elsewhere: SystemVerilog, a table, HLS C++.

`python -m flexcc.program.generate rtl/flex_program_pkg.sv docs/program.md` rewrites the first two,
a third path the header of the HLS library, too; `--check` compares instead.
"""

import sys
from pathlib import Path

from flexcc.program.formats import (
    ALL_FORMATS,
    MAX_CORES,
    MAX_PHASES,
    WORD_BITS,
    Engine,
    Field,
    Format,
)
from flexcc.program.generate_hls import HEADER, camel, hls_header

__all__ = ["markdown", "systemverilog"]


def _sv_field(field: Field) -> str:
    sign = " signed" if field.signed else ""
    array = f"[{field.count - 1}:0]" if field.count > 1 else ""
    width = f"[{field.width - 1}:0]" if field.width > 1 else ""
    kind = " ".join(part for part in (f"logic{sign}", array + width) if part)
    return f"    {kind} {field.name};  // {field.doc}"


def _sv_struct(format_: Format) -> list[str]:
    lines = [f"  // {format_.doc}", "  typedef struct packed {"]
    for index, word in reversed(list(enumerate(format_.words))):
        free = WORD_BITS - sum(field.width * field.count for field in word)
        if free:
            lines.append(f"    logic [{free - 1}:0] unused_{index};")
        lines.extend(_sv_field(field) for field in reversed(word))
    lines.append(f"  }} {format_.name}_t;")
    return lines


def systemverilog() -> str:
    """The text of rtl/flex_program_pkg.sv."""
    lines = [
        "// SPDX-License-Identifier: Apache-2.0",
        "//",
        f"// {HEADER}",
        "",
        "package flex_program_pkg;",
        "",
        f"  parameter int unsigned WordBits = {WORD_BITS};",
        f"  parameter int unsigned MaxPhases = {MAX_PHASES};",
        f"  parameter int unsigned MaxCores = {MAX_CORES};",
        f"  parameter int unsigned NumEngines = {len(Engine)};",
        "",
        "  typedef enum logic [7:0] {",
        ",\n".join(f"    Engine{engine.name.title()} = 8'd{engine.value}" for engine in Engine),
        "  } engine_e;",
        "",
    ]
    for format_ in ALL_FORMATS:
        name = camel(format_.name)
        lines.append(f"  parameter int unsigned {name}Words = {len(format_.words)};")
        if format_.kind is not None:
            lines.append(f"  parameter logic [7:0] {name}Kind = 8'd{format_.kind};")
        if format_.words:
            lines.extend(_sv_struct(format_))
        lines.append("")
    lines.append("endpackage")
    return "\n".join(lines) + "\n"


def markdown() -> str:
    """The text of docs/program.md."""
    lines = [
        "# Program format",
        "",
        f"<!-- {HEADER} -->",
        "",
        (
            "A program is a sequence of records of 64-bit little-endian words. A record is a "
            "header word, the words of its"
        ),
        "format, then the tail words it names. Addresses are byte offsets from the base register.",
        "",
    ]
    for format_ in ALL_FORMATS:
        title = format_.name
        if format_.engine is not None:
            title += f" (engine {format_.engine.name}, kind {format_.kind})"
        lines += [f"## {title}", "", format_.doc, ""]
        if format_.tail:
            lines += [f"Tail: any number of `{format_.tail}` words.", ""]
        if not format_.words:
            continue
        lines += ["| word | bits | field | meaning |", "|---|---|---|---|"]
        for index, word in enumerate(format_.words):
            low = 0
            for field in word:
                high = low + field.width * field.count - 1
                name = field.name + (f" [{field.count}]" if field.count > 1 else "")
                sign = ", signed" if field.signed else ""
                lines.append(f"| {index} | {high}:{low} | {name} | {field.doc}{sign} |")
                low = high + 1
        lines.append("")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Writes, or with --check compares, the generated files; 1 when one differs."""
    check = "--check" in arguments
    paths = [Path(argument) for argument in arguments if argument != "--check"]
    if len(paths) not in (2, 3):
        print("usage: generate [--check] PACKAGE.sv TABLE.md [HEADER.hpp]", file=sys.stderr)
        return 2
    stale = []
    for path, text in zip(paths, (systemverilog(), markdown(), hls_header()), strict=False):
        if check:
            if not path.is_file() or path.read_text() != text:
                stale.append(str(path))
        else:
            path.write_text(text)
    if stale:
        print(f"stale, run `make generate`: {', '.join(stale)}", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
