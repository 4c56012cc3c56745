# SPDX-License-Identifier: Apache-2.0
"""Tensor types: shape and quantisation of one image (batch 1)."""

from dataclasses import dataclass

__all__ = ["Quantization", "TensorType"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """int8 with an affine scale: real = scale * (q - zero_point).

    `scale` is exactly a float32 value, positive and finite; `zero_point` lies in -128..127.
    """

    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorType:
    """Shape channels x height x width; float32 while `quantization` is None, else int8."""

    channels: int
    height: int
    width: int
    quantization: Quantization | None = None
