# SPDX-License-Identifier: Apache-2.0
"""UltraRAM of on-chip memory: blocks that it takes, and bytes that blocks hold."""

from flexcc.accelerator import Accelerator

__all__ = ["held_bytes", "ultra_rams"]

_BLOCK_BYTES, _BLOCK_WORDS = 8, 4096
"""A block has words of 72 bits, of which tensors use 64."""


def ultra_rams(accelerator: Accelerator) -> int:
    """Blocks of the accelerator's on-chip memory."""
    if not accelerator.on_chip_bytes:
        return 0
    banks = _banks(accelerator)
    words = accelerator.on_chip_bytes // accelerator.beat_bytes // banks
    return banks * (accelerator.beat_bytes // _BLOCK_BYTES) * -(-words // _BLOCK_WORDS)


def held_bytes(accelerator: Accelerator, blocks: int) -> int:
    """Bytes that so many blocks hold, equally many in each bank and each lane of a beat."""
    step = _banks(accelerator) * (accelerator.beat_bytes // _BLOCK_BYTES)
    return blocks // step * step * _BLOCK_WORDS * _BLOCK_BYTES


def _banks(accelerator: Accelerator) -> int:
    """As many as flex_on_chip has."""
    readers = accelerator.cores * (2 if accelerator.sums else 1)
    return 1 << (readers - 1).bit_length()
