# SPDX-License-Identifier: Apache-2.0
"""What versatility costs: the core and the plain core, synthesised."""

from dataclasses import dataclass

from flexcc.accelerator import Accelerator
from sim.baseline import PARAMETERS, SOURCES
from sim.synthesis import Area, area

__all__ = ["ACCELERATOR", "Comparison", "compare"]

# 1,024 products per cycle, with buffers for images of about 300 x 300.
ACCELERATOR = Accelerator(
    m=8,
    p=8,
    n=16,
    q=2,
    packed=True,
    beat_bytes=64,
    act_words=2048,
    weight_words=512,
    param_passes=8,
    out_words=1024,
    list_entries=512,
)
_ARRAY = "flex_systolic_array"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two cores around the same array; `array` is part of both."""

    core: Area
    plain: Area
    array: Area


def compare(a: Accelerator) -> Comparison:
    """The areas of the core with parameters `a`, of the plain core, and of the array in both.

    The array is synthesised once, alone: both cores hold the same one.

    Raises:
        MissingToolError, SynthesisError: see `sim.synthesis.area`.
    """
    shape = {"M": a.m, "P": a.p, "N": a.n, "Q": a.q, "Packed": int(a.packed)}
    parameters = {
        **shape,
        "DataBytes": a.beat_bytes,
        "ActWords": a.act_words,
        "WeightWords": a.weight_words,
        "ParamPasses": a.param_passes,
        "OutWords": a.out_words,
        "ListEntries": a.list_entries,
    }
    array = area(_ARRAY, shape)
    core = area("flex_core", parameters, left_out=(_ARRAY,))
    plain = area("flex_core", parameters | PARAMETERS, stand_ins=SOURCES, left_out=(_ARRAY,))
    return Comparison(core=core + array, plain=plain + array, array=array)
