# SPDX-License-Identifier: Apache-2.0
"""E-Net: semantic segmentation with dilated, asymmetric and transposed convolutions."""

__all__: list[str] = []
