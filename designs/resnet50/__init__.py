# SPDX-License-Identifier: Apache-2.0
"""ResNet-50, from the image to the thousand class scores."""

__all__: list[str] = []
