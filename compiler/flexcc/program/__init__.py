# SPDX-License-Identifier: Apache-2.0
"""Program records: formats, encoding and decoding."""

__all__: list[str] = []
