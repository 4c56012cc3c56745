# SPDX-License-Identifier: Apache-2.0
"""The one idea: a window operation is a list of phases, a phase is a list of taps.

    out[oy*Oy + py, ox*Ox + px] = reduce over taps (dy, dx, block) of in[oy*Sy + dy, ox*Sx + dx]

The two image axes are independent, so the core is one axis: output step, input step and, per
phase, the offsets and the kernel element of each. Pads, stride and dilation appear nowhere else.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from flexcc.ir.layers import Conv2d

__all__ = [
    "Axis",
    "AxisPhase",
    "AxisTap",
    "Phase",
    "Run",
    "Tap",
    "Taps",
    "conv_axis",
    "conv_taps",
    "runs",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisTap:
    """One kernel element along an axis: input offset and index into the kernel."""

    offset: int
    kernel: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisPhase:
    """The outputs position, position + out_step, ... and the taps that make them; never empty."""

    position: int
    taps: tuple[AxisTap, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One image axis of a window operation: out[o*out_step + p] reads in[o*in_step + offset]."""

    out_step: int
    in_step: int
    phases: tuple[AxisPhase, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """One reduction step: input offset in pixels, input channel block, kernel element."""

    dy: int
    dx: int
    block: int
    ky: int
    kx: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One entry of a reduction list: `tap` and the next `blocks` - 1 channel blocks."""

    tap: Tap
    blocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Outputs (oy*Oy + py, ox*Ox + px); output block b reduces over lists[of_block[b]]."""

    py: int
    px: int
    lists: tuple[tuple[Tap, ...], ...]
    of_block: tuple[int, ...]

    def taps(self, block: int) -> tuple[Tap, ...]:
        """The reduction list of output block `block`."""
        return self.lists[self.of_block[block]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taps:
    """A layer: its phases over blocks of `in_block` input and `out_block` output channels."""

    in_block: int
    out_block: int
    y: Axis
    x: Axis
    phases: tuple[Phase, ...]


def conv_axis(*, kernel: int, stride: int, dilation: int, pad: int) -> Axis:
    """One axis of a convolution: a single phase; `pad` is the padding before the first pixel."""
    taps = tuple(AxisTap(offset=k * dilation - pad, kernel=k) for k in range(kernel))
    return Axis(out_step=1, in_step=stride, phases=(AxisPhase(position=0, taps=taps),))


def _input_blocks(
    shape: tuple[int, ...], groups: int, first: int, last: int, in_block: int
) -> range:
    """Channel blocks that output channels first..last (both included) read."""
    outputs, inputs = shape[0] // groups, shape[1]
    low = (first // outputs) * inputs
    high = (last // outputs + 1) * inputs - 1
    return range(low // in_block, high // in_block + 1)


def _phase(y: AxisPhase, x: AxisPhase, blocks_of: tuple[range, ...]) -> Phase:
    """Kernel elements outside, channel blocks inside; equal lists are shared."""
    lists = dict.fromkeys(blocks_of)
    numbers = {blocks: number for number, blocks in enumerate(lists)}
    return Phase(
        py=y.position,
        px=x.position,
        lists=tuple(
            tuple(
                Tap(dy=v.offset, dx=h.offset, block=block, ky=v.kernel, kx=h.kernel)
                for v in y.taps
                for h in x.taps
                for block in blocks
            )
            for blocks in lists
        ),
        of_block=tuple(numbers[blocks] for blocks in blocks_of),
    )


def conv_axes(conv: Conv2d) -> tuple[Axis, Axis]:
    """The rows' and the columns' axis of a convolution."""
    pads = (conv.pads.top, conv.pads.left)
    y, x = (
        conv_axis(kernel=kernel, stride=stride, dilation=dilation, pad=pad)
        for kernel, stride, dilation, pad in zip(
            conv.weight.shape[2:], conv.strides, conv.dilations, pads, strict=True
        )
    )
    return y, x


def conv_taps(conv: Conv2d, *, in_block: int, out_block: int) -> Taps:
    """The taps of a dense or grouped convolution on N = `in_block` lanes and M = `out_block` rows.

    Input block i holds channels i*in_block and up, output block o channels o*out_block and up. A
    list names every block that one of its output block's groups reads; the weights of channels
    that belong to other groups are 0.
    """
    y, x = conv_axes(conv)
    shape = conv.weight.shape
    return window_taps(
        y=y, x=x, shape=shape[:2], groups=conv.groups, in_block=in_block, out_block=out_block
    )


@lru_cache(maxsize=1024)
def window_taps(
    *, y: Axis, x: Axis, shape: tuple[int, ...], groups: int, in_block: int, out_block: int
) -> Taps:
    """As `conv_taps`, from two axes and `shape` = (output channels, input channels per group)."""
    channels = shape[0]
    blocks_of = tuple(
        _input_blocks(shape, groups, first, min(first + out_block, channels) - 1, in_block)
        for first in range(0, channels, out_block)
    )
    phases = tuple(_phase(py, px, blocks_of) for py in y.phases for px in x.phases)
    return Taps(in_block=in_block, out_block=out_block, y=y, x=x, phases=phases)


def runs(taps: tuple[Tap, ...]) -> Iterator[Run]:
    """`taps` in order, neighbours at one offset with consecutive channel blocks joined."""

    def place(item: tuple[int, Tap]) -> tuple[int, int, int, int, int]:
        index, tap = item
        return tap.dy, tap.dx, tap.ky, tap.kx, tap.block - index

    for _, group in groupby(enumerate(taps), key=place):
        members = [tap for _, tap in group]
        yield Run(tap=members[0], blocks=len(members))
