# SPDX-License-Identifier: Apache-2.0
"""Design-space exploration: from a graph and a device to a mapping."""

__all__: list[str] = []
