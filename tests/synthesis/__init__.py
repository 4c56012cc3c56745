# SPDX-License-Identifier: Apache-2.0
"""Figures of the compiler against synthesis by Yosys."""
