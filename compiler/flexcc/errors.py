# SPDX-License-Identifier: Apache-2.0
"""The errors a user can meet; each names the place, the fact and the remedy."""

__all__ = ["DoesNotFitError", "FlexccError", "InputError", "MismatchError"]


class FlexccError(Exception):
    """Base of every error that is the user's to mend; never raised itself."""

    exit_code: int = 2


class InputError(FlexccError):
    """The model, the data or an option cannot be used."""

    exit_code = 2


class DoesNotFitError(FlexccError):
    """No legal mapping fits the target."""

    exit_code = 3


class MismatchError(FlexccError):
    """Two executions that must agree on every byte do not."""

    exit_code = 1
