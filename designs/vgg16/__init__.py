# SPDX-License-Identifier: Apache-2.0
"""The convolutions of VGG-16."""

__all__: list[str] = []
