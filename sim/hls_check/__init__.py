# SPDX-License-Identifier: Apache-2.0
"""Reads HLS C++ as a synthesis tool would, and tells what such tools refuse or do badly."""

from sim.hls_check.check import check_folder, check_text
from sim.hls_check.source import Fault

__all__ = ["Fault", "check_folder", "check_text"]
