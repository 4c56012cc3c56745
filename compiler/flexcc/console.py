# SPDX-License-Identifier: Apache-2.0
"""What people see: progress and errors on stderr, tables on stdout."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich import box
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bars
from rich.table import Column, Table

from flexcc.account_text import (
    ARRAY_TITLE,
    ENGINE_HEADER,
    account_rows,
    array_header,
    engine_rows,
)
from flexcc.dse.front import Front
from flexcc.front_text import FRONT_HEADER, front_rows
from flexcc.progress import Progress
from flexcc.report import Report, RunSummary
from flexcc.report_text import busiest_text, known, operation_text, summary_rows, tiles_text
from flexcc.targets.device import Device

__all__ = [
    "ErrorConsole",
    "TerminalProgress",
    "print_front",
    "print_report",
    "print_summary",
    "print_targets",
    "progress",
    "stdout",
]

_PIPE_WIDTH = 240


def stdout() -> Console:
    """The console of results; in a pipe, lines are as long as they need to be."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)


class ErrorConsole:
    """Errors, warnings and progress; one line each, however narrow the terminal."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)

    def error(self, message: str) -> None:
        """Prints `message` as an error."""
        self.console.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True)

    def log_to(self, verbosity: int) -> None:
        """Sends the program's log here: warnings, with -v information, with -vv everything."""
        handler = _LineHandler(self.console)
        logger = logging.getLogger("flexcc")
        logger.handlers = [handler]
        logger.setLevel({0: logging.WARNING, 1: logging.INFO}.get(verbosity, logging.DEBUG))


class _LineHandler(logging.Handler):
    _COLOURS = (("error", "bold red"), ("warning", "yellow"))

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname.lower()
        colour = dict(self._COLOURS).get(level, "dim")
        text = escape(record.getMessage())
        self._console.print(f"[{colour}]{level}:[/] {text}", soft_wrap=True)


class TerminalProgress(Progress):
    """Progress as one live line per step."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._step: TaskID | None = None
        self._title = ""

    def step(self, title: str) -> None:
        """Shows `title` as the live line."""
        self.finish()
        self._title = title
        self._step = self._bars.add_task(title, total=None)

    def detail(self, text: str) -> None:
        """Shows `text` behind the title."""
        if self._step is not None:
            self._bars.update(self._step, description=f"{self._title}, {text}")

    def refresh(self) -> None:
        """Shows at once what is new, which otherwise waits for a fraction of a second."""
        self._bars.refresh()

    def track(self, total: int, chunk: int, title: str) -> Iterator[range]:
        """Shows how much of `total` is done."""
        self.step(title)
        assert self._step is not None
        self._bars.update(self._step, total=total)
        for start in range(0, total, chunk):
            indices = range(start, min(start + chunk, total))
            yield indices
            self._bars.advance(self._step, len(indices))

    def finish(self) -> None:
        """Marks the current step as done."""
        if self._step is not None:
            self._bars.update(self._step, description=self._title)
            total = self._bars.tasks[self._step].total or 1
            self._bars.update(self._step, total=total, completed=total)
            self._step = None


class _Count(ProgressColumn):
    """A bar and a count, for steps that count more than one thing."""

    def __init__(self) -> None:
        super().__init__()
        self._bar, self._number = BarColumn(bar_width=24), MofNCompleteColumn()

    def render(self, task: Task) -> RenderableType:
        if task.total is None or task.total <= 1:
            return ""
        grid = Table.grid(padding=(0, 1))
        grid.add_row(self._bar.render(task), self._number.render(task))
        return grid


@contextmanager
def progress(console: Console, *, wanted: bool) -> Iterator[Progress]:
    """Live progress on a terminal; silence in a pipe, or when not wanted."""
    if not (wanted and console.is_terminal):
        yield Progress()
        return
    columns = (
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        _Count(),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        terminal = TerminalProgress(bars)
        yield terminal
        terminal.finish()


def print_report(report: Report) -> None:
    """Prints the figures of a build: a summary, then one row per layer."""
    summary = _table(f"{report.model} on {report.target}", Column(), Column())
    for label, text in summary_rows(report):
        summary.add_row(label, text)
    numbers = ("MAC", "cycles", "busiest engine", "tiles")
    layers = _table(
        "layers in order, estimated",
        Column("name"),
        Column("operation"),
        *(Column(name, justify="right") for name in numbers),
        Column("weights"),
    )
    for layer in report.layers:
        layers.add_row(
            escape(layer.name),
            operation_text(layer),
            f"{layer.macs:,}",
            known(layer.cycles, "{:,}"),
            busiest_text(layer),
            tiles_text(layer),
            layer.weights,
        )
    for table in (summary, layers, *_account_tables(report)):
        stdout().print(table)


def print_summary(summary: RunSummary) -> None:
    """Prints what an execution did."""
    table = _table("run", Column(), Column())
    table.add_row("images", f"{summary.images:,} on {summary.on}")
    table.add_row("outputs", escape(summary.output))
    if summary.cycles is not None:
        table.add_row("cycles per image", f"{summary.cycles:,}")
    if summary.compared_bytes is not None:
        table.add_row("equal to the reference", f"all {summary.compared_bytes:,} bytes")
    for part in (table, *_account_tables(summary)):
        stdout().print(part)


def _account_tables(report: Report | RunSummary) -> Iterator[Table]:
    """Where the cycles went; nothing when no cycles were measured."""
    if report.run is None:
        return
    for title, header, rows in (
        (f"{ARRAY_TITLE}, measured", array_header(), account_rows(report)),
        ("engines, measured", ENGINE_HEADER, engine_rows(report.run)),
    ):
        name, *kinds = header
        table = _table(title, Column(name), *(Column(kind, justify="right") for kind in kinds))
        for row in rows:
            table.add_row(*map(escape, row))
        yield table


def print_front(front: Front, *, every: bool) -> None:
    """Prints the designs that none is better than, or every one; the fastest first."""
    first, *numbers, last = FRONT_HEADER
    table = _table(
        "designs, estimated",
        Column(first),
        Column(numbers[0]),
        *(Column(name, justify="right") for name in numbers[1:]),
        Column(last),
    )
    for row in front_rows(front, every=every):
        table.add_row(*row)
    stdout().print(table)


def print_targets(devices: Iterable[Device]) -> None:
    """Prints one row per board."""
    numbers = ("DSP", "BRAM36", "URAM", "LUT", "FF", "MHz")
    table = _table(
        "targets",
        Column("name"),
        Column("board"),
        *(Column(name, justify="right") for name in numbers),
        Column("memory"),
    )
    for device in devices:
        counts = (device.dsp, device.bram36, device.uram, device.lut, device.ff)
        table.add_row(
            device.name,
            device.title,
            *(f"{count:,}" for count in counts),
            f"{device.clock_mhz:g}",
            f"{device.memory_channels} x {device.memory_bytes} bytes, {device.memory}",
        )
    stdout().print(table)
    stdout().print("The clock is the one that figures in ms assume; --clock sets another.")


def _table(title: str, *columns: Column) -> Table:
    named = any(column.header for column in columns)
    return Table(
        *columns, title=escape(title), box=box.SIMPLE, title_justify="left", show_header=named
    )
