# SPDX-License-Identifier: Apache-2.0
"""How long-running work tells what it is doing; silent unless a front end says otherwise."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

__all__ = ["Progress"]

Item = TypeVar("Item")


class Progress:
    """Receives the steps of the work; this one drops them."""

    def step(self, title: str) -> None:
        """A new step begins; the one before it is over."""

    def track(self, items: Sequence[Item], title: str) -> Iterable[Item]:  # noqa: ARG002
        """`items` one by one; each counts as done when the next is asked for."""
        return items
