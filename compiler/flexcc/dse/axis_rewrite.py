# SPDX-License-Identifier: Apache-2.0
"""One axis of a convolution over a packed input and a blocked output, again as a convolution.

Along an axis a convolution joins output o and input i by i = o*s + c, a transposed one by
o = i*s + c, with c = k*dilation - pad for kernel element k. With o = Y*block + phase and
i = X*step + lane*distance - offset both become a*X = b*Y + r. Where a divides b this is a
convolution of stride b/a over X for each phase, where b divides a a transposed one of stride a/b;
which kernel element joins which lane to which phase follows from r.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import gcd

from flexcc.ir.layers import Convolution, ConvTranspose2d
from flexcc.ir.packing import AxisPacking
from flexcc.ir.types import TensorType

__all__ = ["Axis", "AxisRewrite", "AxisTap", "axes_of", "rewrite_axis"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One axis of a convolution, transposed or not; sizes in pixels, `pad` before the first one."""

    transposed: bool
    kernel: int
    stride: int
    dilation: int
    pad: int
    in_size: int
    out_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisTap:
    """Kernel element `old` of the layer is element `new` from input `lane` to output `phase`."""

    phase: int
    lane: int
    old: int
    new: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisRewrite:
    """The axis over the packed input and blocked output; elements without a tap are zero."""

    transposed: bool
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    output_padding: int
    phases: int
    lanes: int
    taps: tuple[AxisTap, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """A lane that can serve kernel element `old` of `phase`, and the position it is read at.

    The position is X - Y*stride, in a transposed axis Y - X*stride.
    """

    phase: int
    old: int
    lane: int
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Progression:
    """The positions start, start + step, ..., `count` of them."""

    start: int
    step: int
    count: int

    def index(self, position: int) -> int | None:
        """Which of them `position` is."""
        number, rest = divmod(position - self.start, self.step)
        return None if rest or not 0 <= number < self.count else number

    def from_zero(self) -> "_Progression":
        """The same with positions added in front until the first is not above zero."""
        more = max(0, -(-self.start // self.step))
        return _Progression(
            start=self.start - more * self.step, step=self.step, count=self.count + more
        )


def axes_of(conv: Convolution, source: TensorType, target: TensorType) -> tuple[Axis, Axis]:
    """The rows' and the columns' axis of a layer from `source` to `target`, neither packed."""
    (kernel_h, kernel_w), pads = conv.weight.shape[2:], conv.pads
    rows = kernel_h, pads.top, source.height, target.height
    cols = kernel_w, pads.left, source.width, target.width
    y, x = (
        Axis(
            transposed=isinstance(conv, ConvTranspose2d),
            kernel=kernel,
            stride=conv.strides[number],
            dilation=conv.dilations[number],
            pad=pad,
            in_size=in_size,
            out_size=out_size,
        )
        for number, (kernel, pad, in_size, out_size) in enumerate((rows, cols))
    )
    return y, x


@lru_cache(maxsize=65536)
def rewrite_axis(
    axis: Axis, source: AxisPacking, block: int, *, transposed: bool
) -> AxisRewrite | None:
    """The axis from `source` to an output in blocks of `block`, as a transposed one or not.

    None where that is no such convolution: strides that do not divide, an output that does not
    divide into blocks, or a packing that lacks pixels the layer reads.
    """
    if axis.out_size % block or axis.in_size != source.size:
        return None
    if axis.transposed:
        a, b = axis.stride * source.step, block
    else:
        a, b = source.step, axis.stride * block
    if (a % b if transposed else b % a) != 0:
        return None
    if b % a == 0:
        found = _one_lane_each(axis, source, block, a, b)
    else:
        found = list(_all_lanes(axis, source, block, b)) if source.is_block else None
    if not found:
        return None
    if transposed:
        if b % a == 0:
            found = [_moved(choice, -choice.position) for choice in found]
        return _transposed(axis, source, block, a // b, found)
    return _convolution(axis, source, block, b // a, found)


def _moved(choice: _Choice, position: int) -> _Choice:
    return _Choice(phase=choice.phase, old=choice.old, lane=choice.lane, position=position)


def _rest(axis: Axis, source: AxisPacking, choice: tuple[int, int, int]) -> int:
    """The r of a*X = b*Y + r for a phase, kernel element and lane."""
    phase, old, lane = choice
    c = old * axis.dilation - axis.pad
    shift = source.offset - lane * source.distance
    return phase - c + axis.stride * shift if axis.transposed else axis.stride * phase + c + shift


def _one_lane_each(
    axis: Axis, source: AxisPacking, block: int, a: int, b: int
) -> list[_Choice] | None:
    """For each phase and kernel element the lane to read, so that few positions are named.

    A phase of a transposed axis has no lane for elements that never meet it.
    """
    choices: list[list[_Choice]] = []
    for phase in range(block):
        for old in range(axis.kernel):
            rests = [_rest(axis, source, (phase, old, lane)) for lane in range(source.lanes)]
            own = [
                _Choice(phase=phase, old=old, lane=lane, position=rest // a)
                for lane, rest in enumerate(rests)
                if rest % a == 0
            ]
            last = axis.out_size // block - 1
            own = [choice for choice in own if _is_held(choice, source, stride=b // a, last=last)]
            if own:
                choices.append(own)
            elif not axis.transposed:
                return None
    if not choices:
        return None
    positions = _progression([[choice.position for choice in own] for own in choices])
    return [next(c for c in own if positions.index(c.position) is not None) for own in choices]


def _is_held(choice: _Choice, source: AxisPacking, *, stride: int, last: int) -> bool:
    """Whether a lane has every pixel that outputs 0..last read there; blocks have all pixels."""
    if source.is_block:
        return True
    position, lane = choice.position, choice.lane
    # The outputs nearest to the held positions: theirs are the pixels that can lie in the image.
    before = min((-position - 1) // stride, last)
    behind = max(-((position - source.extent) // stride), 0)
    return (before < 0 or source.pixel(before * stride + position, lane) < 0) and (
        behind > last or source.pixel(behind * stride + position, lane) >= source.size
    )


def _all_lanes(axis: Axis, source: AxisPacking, block: int, b: int) -> Iterator[_Choice]:
    """Every lane that each kernel element joins to a phase: Y = X*stride + position."""
    for phase in range(block):
        for old in range(axis.kernel):
            for lane in range(source.lanes):
                rest = _rest(axis, source, (phase, old, lane))
                if rest % b == 0:
                    yield _Choice(phase=phase, old=old, lane=lane, position=-rest // b)


def _progression(choices: Sequence[Sequence[int]]) -> _Progression:
    """The shortest progression that has one of each of `choices`; of those the densest, lowest."""
    every = sorted({position for own in choices for position in own})
    reach = every[-1] - every[0]
    if all(len(own) == 1 for own in choices):
        step = max(1, gcd(*(position - every[0] for position in every)))
        return _Progression(start=every[0], step=step, count=reach // step + 1)
    for count in range(1, reach + 2):
        for step in range(1, max(1, reach) + 1):
            for start in every:
                held = range(start, start + step * count, step)
                if all(any(position in held for position in own) for own in choices):
                    return _Progression(start=start, step=step, count=count)
    raise AssertionError("every position lies within the reach of all of them")


def _taps(found: Sequence[_Choice], positions: _Progression) -> tuple[AxisTap, ...]:
    taps = []
    for choice in found:
        new = positions.index(choice.position)
        assert new is not None
        taps.append(AxisTap(phase=choice.phase, lane=choice.lane, old=choice.old, new=new))
    return tuple(taps)


def _convolution(
    axis: Axis, source: AxisPacking, block: int, stride: int, found: Sequence[_Choice]
) -> AxisRewrite:
    """A convolution; zero elements are added behind where it would have too many outputs."""
    positions = _progression([[choice.position] for choice in found]).from_zero()
    step, count = positions.step, positions.count
    last = (axis.out_size // block - 1) * stride + positions.start
    unread = source.extent - 1 - last - (count - 1) * step
    while unread >= stride:
        count, unread = count + 1, unread - step
    return AxisRewrite(
        transposed=False,
        kernel=count,
        stride=stride,
        dilation=step,
        before=-positions.start,
        after=max(0, -unread),
        output_padding=0,
        phases=block,
        lanes=source.lanes,
        taps=_taps(found, positions),
    )


def _transposed(
    axis: Axis, source: AxisPacking, block: int, stride: int, found: Sequence[_Choice]
) -> AxisRewrite:
    """A transposed convolution; zero elements are added behind where outputs would be missing."""
    positions = _progression([[choice.position] for choice in found]).from_zero()
    step, count = positions.step, positions.count
    last = (source.extent - 1) * stride + positions.start
    missing = axis.out_size // block - 1 - last - (count - 1) * step
    while missing >= stride:
        count, missing = count + 1, missing - step
    return AxisRewrite(
        transposed=True,
        kernel=count,
        stride=stride,
        dilation=step,
        before=-positions.start,
        after=max(0, -missing),
        output_padding=max(0, missing),
        phases=block,
        lanes=source.lanes,
        taps=_taps(found, positions),
    )
