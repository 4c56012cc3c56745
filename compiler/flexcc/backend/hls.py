# SPDX-License-Identifier: Apache-2.0
"""The folder hls/ of a build: the hand-written library, this build's configuration and kernel."""

from flexcc.accelerator import Accelerator
from flexcc.backend.render import render
from flexcc.backend.views import HlsView
from flexcc.resources import TEMPLATES

__all__ = ["hls_files", "hls_view"]

_RENDERED = ("flex_config.hpp", "flex_kernel.cpp")
_COPIED = ("lib/flex",)


def _truth(value: bool) -> str:
    return "true" if value else "false"


def hls_view(accelerator: Accelerator, *, version: str, model: str, target: str) -> HlsView:
    """What the templates of hls/ see of an accelerator."""
    a = accelerator
    return HlsView(
        version=version,
        model=model,
        target=target,
        m=a.m,
        p=a.p,
        n=a.n,
        q=a.q,
        packed=_truth(a.packed),
        data_bytes=a.beat_bytes,
        act_words=a.act_words,
        weight_words=a.weight_words,
        param_passes=a.param_passes,
        out_words=a.out_words,
        list_entries=a.list_entries,
        slopes=_truth(a.slopes),
        tables=_truth(a.tables),
        sums=_truth(a.sums),
        window_taps=a.window_taps,
        window_beats=a.window_beats,
        window_channels=a.window_channels,
        cores=a.cores,
        has_sums=a.sums,
        skip_argument="skip" if a.sums else "flex::no_port()",
    )


def hls_files(view: HlsView) -> dict[str, bytes]:
    """Name, relative to hls/, and content of every file."""
    root = TEMPLATES / "hls"
    files = {name: render(f"hls/{name}.j2", view).encode() for name in _RENDERED}
    for folder in _COPIED:
        for path in sorted((root / folder).iterdir()):
            files[f"{folder}/{path.name}"] = path.read_bytes()
    return files
