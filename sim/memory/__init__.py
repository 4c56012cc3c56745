# SPDX-License-Identifier: Apache-2.0
"""A memory behind any number of AXI4 ports, as a SystemVerilog module with a C++ store."""

__all__: list[str] = []
