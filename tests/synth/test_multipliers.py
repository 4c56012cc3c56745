# SPDX-License-Identifier: Apache-2.0
"""The array maps on exactly as many multipliers as the resource model counts."""

import pytest

from flexcc.dse.resources import array_multipliers
from sim.synthesis import Family, multiplier_cells
from sim.yosys import SynthesisError

pytest.importorskip("pyosys", reason="needs the extra synth")


@pytest.mark.parametrize(
    ("m", "p", "n", "packed", "family", "multiplier", "count"),
    [
        # Two pixels share a DSP slice, the odd last one has its own.
        (2, 3, 8, True, Family.ULTRASCALE_PLUS, "DSP48E2", 32),
        (2, 3, 4, False, Family.ECP5, "MULT18X18D", 24),
        (2, 3, 4, False, Family.SERIES_7, "DSP48E1", 24),
    ],
)
def test_array_takes_the_multipliers_of_the_model(
    m: int, p: int, n: int, packed: bool, family: Family, multiplier: str, count: int
) -> None:
    parameters = {"M": m, "P": p, "N": n, "Q": 1, "Packed": int(packed)}
    cells = multiplier_cells("flex_systolic_array", parameters, family)
    assert cells[multiplier] == count == array_multipliers(m=m, p=p, n=n, packed=packed)
    left = [name for name in cells if name.startswith(("$mul", "$macc", "$__soft_mul"))]
    assert not left


@pytest.mark.parametrize(
    ("slopes", "wide", "family", "multiplier", "count"),
    [
        # A second slope costs none, accumulators of 38 bits half as many again.
        (0, 0, Family.ULTRASCALE_PLUS, "DSP48E2", 2),
        (1, 0, Family.ULTRASCALE_PLUS, "DSP48E2", 2),
        (1, 1, Family.ULTRASCALE_PLUS, "DSP48E2", 3),
        (1, 0, Family.ECP5, "MULT18X18D", 4),
        (1, 0, Family.SERIES_7, "DSP48E1", 4),
    ],
)
def test_lane_takes_as_many_multipliers(
    slopes: int, wide: int, family: Family, multiplier: str, count: int
) -> None:
    parameters = {"Pixels": 2, "Slopes": slopes, "Wide": wide}
    cells = multiplier_cells("flex_requantize_lane", parameters, family)
    assert cells[multiplier] == 2 * count


def test_refused_designs_are_told() -> None:
    with pytest.raises(SynthesisError, match=r"flex_ram_sdp.*LaneWidth"):
        multiplier_cells("flex_ram_sdp", {"LaneWidth": 0}, Family.ECP5)


def test_unknown_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="flex_mac_cell has no parameter Lane; it has Lanes, Pack"):
        multiplier_cells("flex_mac_cell", {"Lane": 4}, Family.ECP5)
