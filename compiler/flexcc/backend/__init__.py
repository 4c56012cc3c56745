# SPDX-License-Identifier: Apache-2.0
"""From decisions to files: the plan, its memory images, everything a build holds."""

__all__: list[str] = []
