# SPDX-License-Identifier: Apache-2.0
"""Single layers that show what tap lists save."""

__all__: list[str] = []
