# SPDX-License-Identifier: Apache-2.0
"""The devices: one TOML file each, read into a validated `Device`."""

from flexcc.targets.board import Board, Pll
from flexcc.targets.device import Device, Family, available_targets, load_device, parse_device
from flexcc.targets.vitis import HostCpu, Vitis

__all__ = [
    "Board",
    "Device",
    "Family",
    "HostCpu",
    "Pll",
    "Vitis",
    "available_targets",
    "load_device",
    "parse_device",
]
