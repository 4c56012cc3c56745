# SPDX-License-Identifier: Apache-2.0
"""How long-running work tells what it is doing; silent unless a front end says otherwise."""

from collections.abc import Iterator

__all__ = ["Progress"]


class Progress:
    """Receives the steps of the work; this one drops them."""

    def step(self, title: str) -> None:
        """A new step begins; the one before it is over."""

    def detail(self, text: str) -> None:
        """How far the current step is, told beside its title."""

    def track(self, total: int, chunk: int, title: str) -> Iterator[range]:
        """The numbers 0 .. total-1 in chunks; each counts as done when the next is asked for."""
        self.step(title)
        for start in range(0, total, chunk):
            yield range(start, min(start + chunk, total))
