# SPDX-License-Identifier: Apache-2.0
"""Lets cocotbext-axi see this project's ports, whose names end in `_i` and `_o`."""

from typing import Any


class Unsuffixed:
    """A module whose ports go by their names without `_i` and `_o`.

    Give it to cocotbext-axi in place of the module: `AxiBus.from_prefix(Unsuffixed(dut), "s_axi")`.
    """

    def __init__(self, dut: Any) -> None:
        self._name = dut._name
        self._log = dut._log
        for port in dut:
            if port._name.endswith(("_i", "_o")):
                setattr(self, port._name[:-2], port)
