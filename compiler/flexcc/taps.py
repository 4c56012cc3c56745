# SPDX-License-Identifier: Apache-2.0
"""The one idea: a window operation is a list of phases, a phase is a list of taps.

    out[oy*Oy + py, ox*Ox + px] = reduce over taps (dy, dx, block) of in[oy*Sy + dy, ox*Sx + dx]

The two image axes are independent, so the core is one axis: output step, input step and, per
phase, the offsets and the kernel element of each. Pads, stride, dilation and the direction of a
convolution appear nowhere else.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import groupby

from flexcc.blocks import input_blocks, zero_taps
from flexcc.ir.layers import Conv2d, Convolution, ConvTranspose2d
from flexcc.ir.types import TensorType
from flexcc.joins import plane_count

__all__ = [
    "Axis",
    "AxisPhase",
    "AxisTap",
    "PassTaps",
    "Run",
    "Tap",
    "Taps",
    "conv_axis",
    "conv_taps",
    "convolution_axes",
    "runs",
    "transposed_axis",
    "window_taps",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisTap:
    """One kernel element along an axis: input offset and index into the kernel."""

    offset: int
    kernel: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisPhase:
    """The outputs position, position + out_step, ... and the taps that make them, if any do."""

    position: int
    taps: tuple[AxisTap, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One image axis of a window operation: out[o*out_step + p] reads in[o*in_step + offset].

    Phase i has position i.
    """

    out_step: int
    in_step: int
    phases: tuple[AxisPhase, ...]

    @property
    def offsets(self) -> tuple[int, ...]:
        """The offsets of all phases' taps; 0 where no phase has a tap."""
        return tuple(tap.offset for phase in self.phases for tap in phase.taps) or (0,)

    @property
    def low(self) -> int:
        """The least offset."""
        return min(self.offsets)

    @property
    def high(self) -> int:
        """The greatest offset."""
        return max(self.offsets)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Tap:
    """One reduction step: input offset in pixels, input channel block.

    A `lower` one reads the lower bytes of 16 bits.
    """

    dy: int
    dx: int
    block: int
    lower: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One entry of a reduction list: `tap` and the next `blocks` - 1 channel blocks."""

    tap: Tap
    blocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PassTaps:
    """What one pass of the array makes: `phases` of output channel block `block`.

    Its list is lists[number]; no number: nothing to sum, the outputs are the bias alone. `plane` is
    the byte of 16 bits that it puts out, None for those of 8.
    """

    block: int
    phases: tuple[int, ...]
    number: int | None
    plane: str | None = None


@dataclass(frozen=True, kw_only=True)
class Taps:
    """A layer as tap lists over blocks of `in_block` input and `out_block` output channels.

    Phase number f stands for the outputs (oy*Oy + f div Ox, ox*Ox + f mod Ox). A pass makes
    `bundle` phases, less at the end, of a block; the passes of a block follow each other.
    """

    in_block: int
    out_block: int
    bundle: int
    y: Axis
    x: Axis
    lists: tuple[tuple[Tap, ...], ...]
    passes: tuple[PassTaps, ...]

    @property
    def phases(self) -> int:
        """Output phases."""
        return self.y.out_step * self.x.out_step

    @cached_property
    def elements(self) -> tuple[Mapping[tuple[int, int], tuple[int, int]], ...]:
        """Of each phase: the kernel element (ky, kx) at an offset (dy, dx)."""
        return tuple(_elements(y, x) for y in self.y.phases for x in self.x.phases)

    def taps(self, pass_: PassTaps) -> tuple[Tap, ...]:
        """The reduction list of a pass, empty without one."""
        return () if pass_.number is None else self.lists[pass_.number]


def _elements(y: AxisPhase, x: AxisPhase) -> dict[tuple[int, int], tuple[int, int]]:
    return {(v.offset, h.offset): (v.kernel, h.kernel) for v in y.taps for h in x.taps}


def _phase(
    position: int,
    taps: Iterator[AxisTap],
    *,
    out_step: int,
    in_step: int,
    in_size: int | None,
    out_size: int | None,
) -> AxisPhase:
    """A phase without the taps that none of its outputs inside reads a pixel through."""
    if in_size is not None and out_size is not None:
        last = (out_size - 1 - position) // out_step
        taps = (tap for tap in taps if _meets(tap.offset, in_step, in_size, last))
    return AxisPhase(position=position, taps=tuple(sorted(taps, key=lambda tap: tap.offset)))


def _meets(offset: int, step: int, in_size: int, last: int) -> bool:
    """Whether o*step + offset lies in 0..in_size-1 for some o in 0..last."""
    first = max(0, -(offset // step))
    return first <= last and first * step + offset < in_size


def conv_axis(
    *,
    kernel: int,
    stride: int,
    dilation: int,
    pad: int,
    in_size: int | None = None,
    out_size: int | None = None,
) -> Axis:
    """One axis of a convolution: a single phase; `pad` is the padding before the first pixel.

    With the axis' sizes, taps that read nothing but padding are left out.
    """
    taps = (AxisTap(offset=k * dilation - pad, kernel=k) for k in range(kernel))
    phase = _phase(0, taps, out_step=1, in_step=stride, in_size=in_size, out_size=out_size)
    return Axis(out_step=1, in_step=stride, phases=(phase,))


def transposed_axis(
    *,
    kernel: int,
    stride: int,
    dilation: int,
    pad: int,
    in_size: int | None = None,
    out_size: int | None = None,
) -> Axis:
    """One axis of a transposed convolution: `stride` phases; `pad` is taken off the output's start.

    Output o = q*stride + p gets in[i] * w[k] where i*stride + k*dilation - pad = o, so that tap k
    belongs to phase (k*dilation - pad) mod stride and reads i = q + (p + pad - k*dilation)/stride.
    """

    def taps(position: int) -> Iterator[AxisTap]:
        for k in range(kernel):
            offset, rest = divmod(position + pad - k * dilation, stride)
            if not rest:
                yield AxisTap(offset=offset, kernel=k)

    return Axis(
        out_step=stride,
        in_step=1,
        phases=tuple(
            _phase(p, taps(p), out_step=stride, in_step=1, in_size=in_size, out_size=out_size)
            for p in range(stride)
        ),
    )


def convolution_axes(
    conv: Convolution, source: TensorType | None = None, target: TensorType | None = None
) -> tuple[Axis, Axis]:
    """The rows' and the columns' axis; with input and output type, border taps are left out.

    Raises:
        TypeError: the layer is no convolution that has taps.
    """
    match conv:
        case Conv2d():
            make = conv_axis
        case ConvTranspose2d():
            make = transposed_axis
        case _:
            raise TypeError(f"{conv.name}: {type(conv).__name__} has no taps")
    pads = (conv.pads.top, conv.pads.left)
    in_sizes = (None, None) if source is None else (source.height, source.width)
    out_sizes = (None, None) if target is None else (target.height, target.width)
    y, x = (
        make(
            kernel=conv.weight.shape[2 + axis],
            stride=conv.strides[axis],
            dilation=conv.dilations[axis],
            pad=pads[axis],
            in_size=in_sizes[axis],
            out_size=out_sizes[axis],
        )
        for axis in range(2)
    )
    return y, x


def conv_taps(conv: Convolution, *, in_block: int, out_block: int) -> Taps:
    """The taps of a convolution on N = `in_block` lanes and M = `out_block` rows, border included.

    Input block i holds channels i*in_block and up, output block o channels o*out_block and up. A
    list names every block that one of its output block's groups reads; the weights of channels
    that belong to other groups are 0.
    """
    y, x = convolution_axes(conv)
    return window_taps(
        y=y,
        x=x,
        shape=conv.weight.shape[:2],
        groups=conv.groups,
        in_block=in_block,
        out_block=out_block,
        zeros=zero_taps(conv, in_block=in_block, out_block=out_block),
    )


@lru_cache(maxsize=1024)
def window_taps(
    *,
    y: Axis,
    x: Axis,
    shape: tuple[int, ...],
    groups: int,
    in_block: int,
    out_block: int,
    bundle: int = 1,
    zeros: tuple[frozenset[tuple[int, int, int]], ...] = (),
    parts: tuple[int, ...] = (),
    wide: bool = False,
) -> Taps:
    """As `conv_taps`, from two axes and `shape` = (output channels, input channels per group).

    A pass has `bundle` phases and reduces over the offsets that any of them has; equal lists are
    shared. Offsets stand outside, channel blocks inside. `zeros` are those of `zero_taps`: taps
    that are zero for all phases of a pass are left out. `parts` are the channels of the tensors
    that the input is joined of. A `wide` input has 16 bits: as many blocks of lower bytes follow
    those of upper ones, and each list reads all of its upper ones first.
    """
    channels = shape[0]
    upper_blocks = plane_count(parts or (shape[1] * groups,), in_block)
    maps = [_elements(py, px) for py in y.phases for px in x.phases]
    bundles = [
        tuple(range(first, min(first + bundle, len(maps)))) for first in range(0, len(maps), bundle)
    ]
    offsets = [sorted({offset for phase in item for offset in maps[phase]}) for item in bundles]
    numbers: dict[tuple[Tap, ...], int] = {}
    passes = []
    for block, first in enumerate(range(0, channels, out_block)):
        rows = range(first, min(first + out_block, channels))
        blocks = input_blocks(shape, groups, rows, in_block=in_block, parts=parts)
        dead = zeros[block] if zeros else frozenset()
        for phases, places in zip(bundles, offsets, strict=True):
            elements = {
                place: [maps[p][place] for p in phases if place in maps[p]] for place in places
            }
            taps = tuple(
                Tap(dy=dy, dx=dx, block=b)
                for dy, dx in places
                for b in blocks
                if not dead or any((b, *element) not in dead for element in elements[dy, dx])
            )
            if wide:
                taps += tuple(
                    replace(tap, block=tap.block + upper_blocks, lower=True) for tap in taps
                )
            number = numbers.setdefault(taps, len(numbers)) if taps else None
            passes.append(PassTaps(block=block, phases=phases, number=number))
    return Taps(
        in_block=in_block,
        out_block=out_block,
        bundle=bundle,
        y=y,
        x=x,
        lists=tuple(numbers),
        passes=tuple(passes),
    )


def runs(taps: tuple[Tap, ...]) -> Iterator[Run]:
    """`taps` in order, neighbours at one offset with consecutive channel blocks joined."""

    def place(item: tuple[int, Tap]) -> tuple[bool, int, int, int]:
        index, tap = item
        return tap.lower, tap.dy, tap.dx, tap.block - index

    for _, group in groupby(enumerate(taps), key=place):
        members = [tap for _, tap in group]
        yield Run(tap=members[0], blocks=len(members))
