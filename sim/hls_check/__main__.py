# SPDX-License-Identifier: Apache-2.0
"""Checks the folder hls/ of a build: `python -m sim.hls_check build/hls`."""

import sys
from pathlib import Path

from sim.hls_check.check import check_folder


def main(arguments: list[str]) -> int:
    """Prints every fault of the folders; the exit code says whether there are any."""
    faults = [fault for folder in arguments for fault in check_folder(Path(folder))]
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    return 1 if faults or not arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
