# SPDX-License-Identifier: Apache-2.0
"""The whole accelerator with its memory, and what runs programs on it."""

__all__: list[str] = []
