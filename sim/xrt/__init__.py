# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for XRT, the runtime of AMD's cards: headers for C++ in xrt/, pyxrt for Python."""

__all__: list[str] = []
