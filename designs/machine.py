# SPDX-License-Identifier: Apache-2.0
"""The machine that times are measured on."""

import os
from pathlib import Path

__all__ = ["machine"]


def machine() -> str:
    """Cores and processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(os.sched_getaffinity(0))} cores of {names[0]}"
