# SPDX-License-Identifier: Apache-2.0
"""Where the files that are not Python lie: in the checkout, or bundled in an installed wheel."""

import sys
from pathlib import Path

__all__ = ["ROOT", "RTL", "SIM", "TEMPLATES", "find_sim"]

_PACKAGE = Path(__file__).resolve().parent
_BUNDLED = _PACKAGE / "_data"

ROOT = _BUNDLED if _BUNDLED.is_dir() else _PACKAGE.parents[1]
"""The folder that holds `templates`, `rtl` and `sim`."""

TEMPLATES = ROOT / "templates"
RTL = ROOT / "rtl"
SIM = ROOT / "sim"


def find_sim() -> None:
    """From now on `sim` can be imported: it stands beside the package, and needs tools of extras.

    Import it within functions only, so that the rest works without those tools.
    """
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
