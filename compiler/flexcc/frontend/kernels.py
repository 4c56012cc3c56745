# SPDX-License-Identifier: Apache-2.0
"""Which convolutions ONNX Runtime computes in float32, for want of integer kernels."""

from flexcc.ir.layers import Convolution, ConvTranspose2d

__all__ = ["is_float"]


def is_float(conv: Convolution, source_bits: int, target_bits: int) -> bool:
    """Whether it is a transposed layer, one of two slopes, or one that reads or writes 16 bits."""
    of_float = isinstance(conv, ConvTranspose2d) or conv.slope is not None
    return of_float or (source_bits, target_bits) != (8, 8)
