# SPDX-License-Identifier: Apache-2.0
"""flexcc: an ONNX-to-FPGA accelerator compiler."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flexcc.driver import compile_model
    from flexcc.options import Options

__all__ = ["Options", "__version__", "compile_model"]

__version__ = "0.1.0"

# Loaded when asked for: the driver needs every library, its parts and the tests of them do not.
_HOMES = {"compile_model": "flexcc.driver", "Options": "flexcc.options"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'flexcc' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
