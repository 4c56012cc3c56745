# SPDX-License-Identifier: Apache-2.0
"""Drivers and monitors for the ports of RTL modules."""

__all__: list[str] = []
