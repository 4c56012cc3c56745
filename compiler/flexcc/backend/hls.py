# SPDX-License-Identifier: Apache-2.0
"""The folder hls/ of a build: the hand-written library, this build's configuration and kernel."""

from flexcc.accelerator import Accelerator
from flexcc.backend.render import render
from flexcc.backend.rtl import BITS, rtl_parameters
from flexcc.backend.views import HlsView
from flexcc.resources import TEMPLATES

__all__ = ["hls_files", "hls_view"]

_RENDERED = ("flex_config.hpp", "flex_kernel.cpp")
_COPIED = ("lib/flex", "csim")
# AXI bursts end at multiples of this, and have at most so many beats.
_BURST_BYTES, _BURST_BEATS = 4096, 256


def hls_view(accelerator: Accelerator, *, version: str, model: str, target: str) -> HlsView:
    """What the templates of hls/ see of an accelerator. `model` is printable ASCII."""
    values = rtl_parameters(accelerator)
    # The library knows the width of its accumulators, and all its memory is behind its ports.
    for name in ("AccWidth", "OnChipBytes", "OnChipPages"):
        values.pop(name, None)
    return HlsView(
        version=version,
        model=model,
        target=target,
        parameters=tuple(
            ("bool", name, "true" if value else "false")
            if name in BITS
            else ("unsigned", name, str(value))
            for name, value in values.items()
        ),
        has_sums=accelerator.sums,
        skip_argument="skip" if accelerator.sums else "flex::no_port()",
        burst_beats=min(_BURST_BEATS, _BURST_BYTES // accelerator.beat_bytes),
    )


def hls_files(view: HlsView) -> dict[str, bytes]:
    """Name, relative to hls/, and content of every file."""
    root = TEMPLATES / "hls"
    files = {name: render(f"hls/{name}.j2", view).encode() for name in _RENDERED}
    for folder in _COPIED:
        for path in sorted((root / folder).iterdir()):
            files[f"{folder}/{path.name}"] = path.read_bytes()
    return files
