# SPDX-License-Identifier: Apache-2.0
"""Networks with a board each: inputs of the compiler, and the figures they reach."""

__all__: list[str] = []
