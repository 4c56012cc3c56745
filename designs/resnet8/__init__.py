# SPDX-License-Identifier: Apache-2.0
"""A small residual network, for a board without memory beside its FPGA."""
