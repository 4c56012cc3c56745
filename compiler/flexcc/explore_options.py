# SPDX-License-Identifier: Apache-2.0
"""Command-line options that say what is wanted of a design."""

from collections.abc import Callable
from typing import Any

import click

from flexcc.dse import Reshape
from flexcc.dse.objective import Limit, Objective
from flexcc.options import ArrayShape
from flexcc.program.formats import MAX_CORES

__all__ = ["array_shape", "explore_options", "on_chip_bytes"]


def array_shape(
    _ctx: click.Context, param: click.Parameter, value: str | None
) -> ArrayShape | None:
    """The shape that `M,P,N` names; None for None."""
    if value is None:
        return None
    try:
        m, p, n = (int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not three integers like 8,4,8", param=param
        ) from None
    return ArrayShape(m=m, p=p, n=n)


def on_chip_bytes(_ctx: click.Context, param: click.Parameter, value: str) -> int | None:
    """The bytes that the text names, 0 for `off`, None for `auto`."""
    if value in ("auto", "off"):
        return None if value == "auto" else 0
    if not value.isdecimal():
        raise click.BadParameter(
            f"{value!r} is neither a number of bytes nor auto or off", param=param
        )
    return int(value)


def _limit(_ctx: click.Context, param: click.Parameter, value: str | None) -> Limit | None:
    if value is None:
        return None
    try:
        return Limit.parse(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is neither a number of units nor a share like 60%", param=param
        ) from None


def explore_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what is wanted of a design, in the order of the help text."""
    objectives = [objective.value for objective in Objective]
    positive = click.FloatRange(min=0, min_open=True)
    for option in reversed(
        (
            click.option("--target", required=True, help="Board; `flexcc targets` lists them."),
            click.option(
                "--objective",
                type=click.Choice(objectives),
                callback=lambda _ctx, _param, value: Objective(value),
                default=Objective.LATENCY.value,
                show_default=True,
                help="What the best design is best at.",
            ),
            click.option(
                "--max-dsp", "dsp", callback=_limit, metavar="N|N%", help="Most multipliers."
            ),
            click.option(
                "--max-bram",
                "bram36",
                callback=_limit,
                metavar="N|N%",
                help="Most RAM blocks of 36 Kbit.",
            ),
            click.option(
                "--ddr-banks",
                type=click.IntRange(min=1),
                help="Memory channels to use; default: all.",
            ),
            click.option(
                "--clock",
                "clock_mhz",
                type=positive,
                metavar="MHZ",
                help="Clock; default: its own.",
            ),
            click.option("--max-ms", type=positive, metavar="MS", help="Longest time of an image."),
            click.option(
                "--array",
                callback=array_shape,
                metavar="M,P,N",
                help="Array shape; default: explored.",
            ),
            click.option(
                "--cores",
                type=click.IntRange(1, MAX_CORES),
                help="Cores that share an image; default: explored.",
            ),
            click.option(
                "--disable",
                "disabled",
                type=click.Choice([reshape.value for reshape in Reshape]),
                callback=lambda _ctx, _param, values: tuple(map(Reshape, dict.fromkeys(values))),
                multiple=True,
                help="Leave out a rewrite that fills the array.",
            ),
        )
    ):
        command = option(command)
    return command
