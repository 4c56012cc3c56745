# SPDX-License-Identifier: Apache-2.0
"""U-Net with residual additions and transposed convolutions."""

__all__: list[str] = []
