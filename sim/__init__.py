# SPDX-License-Identifier: Apache-2.0
"""Simulation of the accelerator's RTL: Verilator builds, cocotb benches, bus models, harnesses."""

__all__: list[str] = []
