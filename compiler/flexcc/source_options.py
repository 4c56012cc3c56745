# SPDX-License-Identifier: Apache-2.0
"""Command-line options that say what model is meant and how it becomes integer."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from flexcc.quantization import (
    CalibrationMethod,
    Precision,
    QuantizationOptions,
    WeightRounding,
)

__all__ = ["INPUT_FILE", "calibration_options", "input_shape_option", "source_options"]

INPUT_FILE = click.Path(dir_okay=False, path_type=Path)
_QUANTIZATION = QuantizationOptions()


def input_shape_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option that fixes shapes which a model leaves open."""
    return click.option(
        "--input-shape",
        "input_shapes",
        callback=_input_shapes,
        metavar="NAME=1x3x224x224",
        multiple=True,
        help="Fix the shape of an input that the model leaves open.",
    )(command)


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how a model becomes integer, on samples or on random inputs."""
    result = calibration_options(command)
    for option in reversed(
        (
            click.option(
                "--random-calibration",
                is_flag=True,
                help="Random samples instead: speed is right, accuracy meaningless.",
            ),
            input_shape_option,
            click.option(
                "--seed", type=int, default=1, show_default=True, help="Seed of random inputs."
            ),
        )
    ):
        result = option(result)
    return result


def calibration_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how a model becomes integer on samples."""

    @functools.wraps(command)
    def collected(
        *,
        calibration_method: str,
        percentile: float,
        weight_rounding: str,
        equalize: bool,
        bias_correction: bool,
        settle_biases: bool,
        precision: str,
        sqnr_db: float,
        **named: Any,
    ) -> None:
        command(
            quantization=QuantizationOptions(
                method=CalibrationMethod(calibration_method),
                percentile=percentile,
                rounding=WeightRounding(weight_rounding),
                equalize=equalize,
                correct_bias=bias_correction,
                settle_bias=settle_biases,
                precision=Precision(precision),
                sqnr_db=sqnr_db,
            ),
            **named,
        )

    result: Callable[..., Any] = collected
    for option in reversed(
        (
            click.option(
                "--calibration",
                type=INPUT_FILE,
                help="Sample inputs: an .npz keyed by input name. Fixes the integer scales.",
            ),
            click.option(
                "--calibration-method",
                type=click.Choice([method.value for method in CalibrationMethod]),
                default=_QUANTIZATION.method.value,
                show_default=True,
                help="What of a tensor's values its integers cover: all, a percentile, or as much "
                "as makes the error least.",
            ),
            click.option(
                "--percentile",
                type=click.FloatRange(min=50, max=100),
                metavar="%",
                default=_QUANTIZATION.percentile,
                show_default=True,
                help="Share of a tensor's values to cover (percentile).",
            ),
            click.option(
                "--weight-rounding",
                type=click.Choice([rounding.value for rounding in WeightRounding]),
                default=_QUANTIZATION.rounding.value,
                show_default=True,
                help="Each weight by itself, or so that they make up for each other on the "
                "samples, which takes longer.",
            ),
            click.option(
                "--equalize/--no-equalize",
                default=_QUANTIZATION.equalize,
                show_default=True,
                help="Bring the channels of a tensor to like ranges first.",
            ),
            click.option(
                "--bias-correction/--no-bias-correction",
                default=_QUANTIZATION.correct_bias,
                show_default=True,
                help="Let biases make up for the mean of what rounding weights takes away.",
            ),
            click.option(
                "--settle-biases",
                is_flag=True,
                help="Let them make up for what rounding activations takes away, too, layer by "
                "layer on the samples, which takes longer.",
            ),
            click.option(
                "--precision",
                type=click.Choice([precision.value for precision in Precision]),
                default=_QUANTIZATION.precision.value,
                show_default=True,
                help="Bits of activations: 8, 16 (not in hardware yet), or 16 where it takes them.",
            ),
            click.option(
                "--sqnr",
                "sqnr_db",
                type=float,
                metavar="DB",
                default=_QUANTIZATION.sqnr_db,
                show_default=True,
                help="Signal-to-noise ratio of every output that is kept (auto).",
            ),
        )
    ):
        result = option(result)
    return result


def _input_shapes(
    _ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, tuple[int, ...]]:
    shapes = {}
    for value in values:
        name, _, shape = value.rpartition("=")
        try:
            sizes = tuple(int(part) for part in shape.lower().split("x"))
        except ValueError:
            sizes = ()
        if not name or not sizes or min(sizes) < 1:
            raise click.BadParameter(
                f"{value!r} is not NAME=SIZExSIZE..., like x=1x3x224x224", param=param
            )
        shapes[name] = sizes
    return shapes
