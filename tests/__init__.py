# SPDX-License-Identifier: Apache-2.0
"""Tests of flexcc, cheapest first: unit, rtl and sim, e2e; architecture checks the rules."""
