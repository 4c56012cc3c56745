# SPDX-License-Identifier: Apache-2.0
"""How a simulator starts: the model as cocotb's main function sees it, and its waveforms."""

__all__: list[str] = []
