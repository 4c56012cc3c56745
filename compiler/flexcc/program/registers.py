# SPDX-License-Identifier: Apache-2.0
# Generated from rtl/memory/flex_csr.rdl. Do not edit.
"""Byte offsets of the control and status registers, and their bits."""

from enum import IntEnum, IntFlag

__all__ = ["Control", "IrqEnable", "IrqStatus", "Register", "Status"]


class Register(IntEnum):
    """Offsets on the control port."""

    CONTROL = 0x00
    STATUS = 0x04
    IRQ_ENABLE = 0x08
    IRQ_STATUS = 0x0C
    ERROR = 0x10
    TILES_DONE = 0x14
    BASE_LOW = 0x18
    BASE_HIGH = 0x1C
    PROGRAM_LOW = 0x20
    PROGRAM_HIGH = 0x24
    PROGRAM_BEATS = 0x28
    VERSION = 0x2C
    ARRAY = 0x30
    CYCLES_LOW = 0x40
    CYCLES_HIGH = 0x44
    ENGINE0_BUSY = 0x48
    ENGINE0_STARVED = 0x4C
    ENGINE0_BLOCKED = 0x50
    ENGINE1_BUSY = 0x54
    ENGINE1_STARVED = 0x58
    ENGINE1_BLOCKED = 0x5C
    ENGINE2_BUSY = 0x60
    ENGINE2_STARVED = 0x64
    ENGINE2_BLOCKED = 0x68
    ENGINE3_BUSY = 0x6C
    ENGINE3_STARVED = 0x70
    ENGINE3_BLOCKED = 0x74


class Control(IntFlag):
    """Bits of CONTROL."""

    START = 1


class Status(IntFlag):
    """Bits of STATUS."""

    BUSY = 1
    DONE = 2
    ERROR = 4


class IrqEnable(IntFlag):
    """Bits of IRQ_ENABLE."""

    DONE = 1


class IrqStatus(IntFlag):
    """Bits of IRQ_STATUS."""

    DONE = 1
