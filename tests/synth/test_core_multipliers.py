# SPDX-License-Identifier: Apache-2.0
"""A whole core maps on exactly as many multipliers as the resource model counts."""

from dataclasses import replace
from typing import Any

import pytest

from flexcc.accelerator import Accelerator
from flexcc.dse.resources import multipliers
from flexcc.targets import Family as DeviceFamily
from sim.synthesis import Family, multiplier_cells

pytest.importorskip("pyosys", reason="needs the extra synth")

_TARGETS = {
    DeviceFamily.XCUP: (Family.ULTRASCALE_PLUS, "DSP48E2"),
    DeviceFamily.XC7: (Family.SERIES_7, "DSP48E1"),
    DeviceFamily.ECP5: (Family.ECP5, "MULT18X18D"),
}


_WINDOW: dict[str, Any] = {"window_taps": 9, "window_beats": 16, "window_channels": 16}


def _accelerator(m: int, p: int, n: int, q: int, *, packed: bool) -> Accelerator:
    return Accelerator(
        m=m,
        p=p,
        n=n,
        q=q,
        packed=packed,
        beat_bytes=16,
        act_words=64,
        weight_words=64,
        param_passes=4,
        out_words=64,
        list_entries=16,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("a", "family"),
    [
        (_accelerator(4, 3, 8, 2, packed=True), DeviceFamily.XCUP),
        (_accelerator(4, 2, 8, 1, packed=False), DeviceFamily.XCUP),
        (_accelerator(4, 2, 4, 2, packed=False), DeviceFamily.ECP5),
        (replace(_accelerator(4, 2, 8, 2, packed=True), **_WINDOW), DeviceFamily.XCUP),
        (replace(_accelerator(4, 2, 8, 2, packed=True), sums=True), DeviceFamily.XCUP),
        (replace(_accelerator(4, 2, 4, 2, packed=False), sums=True), DeviceFamily.XC7),
        (replace(_accelerator(4, 2, 4, 2, packed=False), sums=True), DeviceFamily.ECP5),
    ],
)
def test_a_core_takes_the_multipliers_of_the_model(a: Accelerator, family: DeviceFamily) -> None:
    parameters = {
        "M": a.m,
        "P": a.p,
        "N": a.n,
        "Q": a.q,
        "Packed": int(a.packed),
        "DataBytes": a.beat_bytes,
        "ActWords": a.act_words,
        "WeightWords": a.weight_words,
        "ParamPasses": a.param_passes,
        "OutWords": a.out_words,
        "ListEntries": a.list_entries,
        "Sums": int(a.sums),
        "WindowTaps": a.window_taps,
        "WindowBeats": a.window_beats,
        "WindowChannels": a.window_channels,
    }
    synthesis, multiplier = _TARGETS[family]
    cells = multiplier_cells("flex_core", parameters, synthesis)
    assert cells[multiplier] == multipliers(a, family)
    # Sums of many terms may remain ($macc), products may not.
    assert not [name for name in cells if name.startswith(("$mul", "$__soft_mul"))]
