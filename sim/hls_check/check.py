# SPDX-License-Identifier: Apache-2.0
"""All rules on a folder, or on a text."""

from pathlib import Path

from flexcc.resources import TEMPLATES
from sim.hls_check.interface import interface_faults
from sim.hls_check.language import language_faults
from sim.hls_check.loops import loop_faults
from sim.hls_check.source import Fault, Source, preprocess, unexpanded_faults
from sim.hls_check.streams import stream_faults
from sim.hls_check.tree import parse

__all__ = ["check_folder", "check_text"]

_TOP = "flex_kernel"
_STAND_INS = TEMPLATES / "hls" / "csim"


def check_folder(folder: Path) -> list[Fault]:
    """The faults of the kernel in the folder hls/ of a build."""
    return [*unexpanded_faults(folder), *_faults(preprocess(folder, _STAND_INS))]


def check_text(text: str) -> list[Fault]:
    """The faults of a text that needs no preprocessing."""
    lines = range(1, text.count("\n") + 2)
    return _faults(Source(text=text, origins=tuple(("text", line) for line in lines)))


def _faults(source: Source) -> list[Fault]:
    unit = parse(source)
    faults = [
        *language_faults(unit),
        *interface_faults(unit, _TOP),
        *stream_faults(unit),
        *loop_faults(unit),
    ]
    return sorted(set(faults), key=lambda fault: (fault.file, fault.line, fault.rule, fault.text))
