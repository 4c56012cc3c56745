# SPDX-License-Identifier: Apache-2.0
"""The bench's side of `Vtop.h`: waveforms that begin and end in the middle of a run."""

import ctypes
from pathlib import Path


def open_trace(file: str) -> None:
    """Writes all signals into FST `file` from now on.

    Raises:
        RuntimeError: the simulator was built without waveforms, or writes some already.
        OSError: the file cannot be written.
    """
    # The library that writes them says nothing of it.
    Path(file).write_bytes(b"")
    try:
        opened = ctypes.CDLL(None).flex_sim_trace_open
    except AttributeError as error:
        raise RuntimeError("this simulator was built without waveforms") from error
    if opened(file.encode()):
        raise RuntimeError("waveforms are being written already")


def close_trace() -> None:
    """Ends what `open_trace` began, if anything."""
    ctypes.CDLL(None).flex_sim_trace_close()
