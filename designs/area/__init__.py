# SPDX-License-Identifier: Apache-2.0
"""Estimated against synthesised area: points that the formulas are fitted to, and others."""
