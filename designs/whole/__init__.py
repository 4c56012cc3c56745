# SPDX-License-Identifier: Apache-2.0
"""Whole networks, from their ONNX model to the last byte of the simulated RTL."""

__all__: list[str] = []
