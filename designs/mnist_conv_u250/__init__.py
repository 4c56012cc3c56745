# SPDX-License-Identifier: Apache-2.0
"""A LeNet-like network that reads handwritten digits, on an Alveo U250."""

__all__: list[str] = []
