# SPDX-License-Identifier: Apache-2.0
"""The errors a user can meet; each names the place, the fact and the remedy."""

__all__ = ["DoesNotFitError", "FlexccError", "InputError", "MismatchError", "TooSlowError"]


class FlexccError(Exception):
    """Base of every error that is the user's to mend; never raised itself."""

    exit_code: int = 2


class InputError(FlexccError):
    """The model, the data or an option cannot be used."""

    exit_code = 2


class DoesNotFitError(FlexccError):
    """No legal mapping fits the target."""

    exit_code = 3


class TooSlowError(DoesNotFitError):
    """The design fits and is slower than its clock; `fmax_mhz` is the fastest that it reaches."""

    def __init__(self, text: str, *, fmax_mhz: float) -> None:
        super().__init__(text)
        self.fmax_mhz = fmax_mhz


class MismatchError(FlexccError):
    """Two executions that must agree on every byte do not."""

    exit_code = 1
