# SPDX-License-Identifier: Apache-2.0
"""OpenPose on MobileNetV2: long chains of depthwise convolutions, and concatenations."""

__all__: list[str] = []
