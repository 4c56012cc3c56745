# SPDX-License-Identifier: Apache-2.0
"""How weights become integers, and what their rounding does to the mean of the outputs.

Compensated rounding takes the weights of an output channel one by one and lets those that are left
make up, in the least squares sense over the calibration patches, for what rounding took from each
(Frantar et al., GPTQ, ICLR 2023). Means are left out there, for the bias makes up for them exactly.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.layers import Convolution, ConvTranspose2d
from flexcc.quantization.moments import Moments

__all__ = ["Rounding", "compensated", "mean_shift", "nearest"]

Doubles = NDArray[np.float64]
_Steps = TypeVar("_Steps", bound=NDArray[np.floating])
Rounding = Callable[[Convolution, NDArray[np.float32]], NDArray[np.int8]]
"""Integers -127..127 in the shape of the weights, for a scale per output channel."""

_LARGEST = 127
# What is added to each variance, as a part of their mean: patches are few and often dependent.
_DAMPING = 0.01
# Columns whose errors are handed on together.
_BLOCK = 64


def nearest(conv: Convolution, scale: NDArray[np.float32]) -> NDArray[np.int8]:
    """Every weight to its nearest step."""
    return _clipped(conv.weight.astype(np.float32) / scale[:, None, None, None]).astype(np.int8)


def mean_shift(
    conv: Convolution, integers: NDArray[np.int8], scale: NDArray[np.float32], moments: Moments
) -> Doubles:
    """By how much the mean of each output channel falls when these integers replace the weights.

    In a transposed convolution each kernel element adds to some of the outputs only.
    """
    lost = conv.weight.astype(np.float64) - integers * scale.astype(np.float64)[:, None, None, None]
    outputs = conv.weight.shape[0]
    if isinstance(conv, ConvTranspose2d):
        lost = lost.sum(axis=(2, 3)) / (conv.strides[0] * conv.strides[1])
    per_group = lost.reshape(conv.groups, outputs // conv.groups, -1)
    shift: Doubles = (per_group @ moments.mean[:, :, None]).reshape(outputs)
    return shift


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Feedback:
    """What the columns of a group still to be rounded take over, in the order of rounding."""

    order: NDArray[np.intp]
    upper: Doubles


def compensated(moments: Moments) -> Rounding:
    """The rounding that suits patches of these moments; nearest where covariances are missing."""
    if moments.covariance is None:
        return nearest
    feedbacks = [_feedback(covariance) for covariance in moments.covariance]

    def rounding(conv: Convolution, scale: NDArray[np.float32]) -> NDArray[np.int8]:
        outputs, per_group, kh, kw = conv.weight.shape
        steps = conv.weight.astype(np.float64) / scale.astype(np.float64)[:, None, None, None]
        result = np.empty(conv.weight.shape)
        for group, feedback in enumerate(feedbacks):
            own = slice(group * outputs // conv.groups, (group + 1) * outputs // conv.groups)
            if isinstance(conv, ConvTranspose2d):
                for y, x in np.ndindex(kh, kw):
                    result[own, :, y, x] = _rounded(steps[own, :, y, x], feedback)
            else:
                rows = steps[own].reshape(-1, per_group * kh * kw)
                result[own] = _rounded(rows, feedback).reshape(steps[own].shape)
        return result.astype(np.int8)

    return rounding


def _feedback(covariance: Doubles) -> _Feedback:
    variance = np.diag(covariance)
    damping = _DAMPING * variance.mean() + np.finfo(np.float32).tiny
    order = np.argsort(-variance, kind="stable")
    damped = covariance[np.ix_(order, order)] + damping * np.eye(variance.size)
    inverse: Doubles = np.linalg.inv(damped).astype(np.float64)
    # inverse = upper.T @ upper
    upper: Doubles = np.linalg.cholesky((inverse + inverse.T) / 2).T.astype(np.float64)
    return _Feedback(order=order, upper=upper / np.diag(upper)[:, None])


def _rounded(steps: Doubles, feedback: _Feedback) -> Doubles:
    """The rounded rows of weights, which come in steps."""
    left = steps[:, feedback.order]
    for start in range(0, left.shape[1], _BLOCK):
        block = slice(start, min(start + _BLOCK, left.shape[1]))
        errors = np.zeros((left.shape[0], block.stop - start))
        for column in range(start, block.stop):
            whole = _clipped(left[:, column])
            error = left[:, column] - whole
            errors[:, column - start] = error
            left[:, column] = whole
            rest = slice(column + 1, block.stop)
            left[:, rest] -= error[:, None] * feedback.upper[column, rest]
        left[:, block.stop :] -= errors @ feedback.upper[block, block.stop :]
    result = np.empty_like(left)
    result[:, feedback.order] = left
    return result


def _clipped(steps: _Steps) -> _Steps:
    result: _Steps = np.clip(np.rint(steps), -_LARGEST, _LARGEST)
    return result
