# SPDX-License-Identifier: Apache-2.0
"""`flexcc synth` maps arrays as they are in the design."""

import re

from flexcc.resources import RTL
from flexcc.synthesis import ARRAY_PARAMETERS


def test_an_array_that_is_mapped_alone_gets_all_its_parameters() -> None:
    """One that is forgotten would have its default: accumulators of 32 bits in designs of 40."""
    source = (RTL / "array" / "flex_systolic_array.sv").read_text()
    known = re.findall(r"^  parameter\s[^=]*?(\w+)\s*=", source, re.MULTILINE)
    assert known == list(ARRAY_PARAMETERS)
