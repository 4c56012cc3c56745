# SPDX-License-Identifier: Apache-2.0
"""cocotb benches, one module of coroutines per RTL module."""

__all__: list[str] = []
