# SPDX-License-Identifier: Apache-2.0
"""Array shapes that a device has multipliers for."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from flexcc.dse.resources import (
    CONTROL_MULTIPLIERS,
    array_multipliers,
    lane_multipliers,
    window_multipliers,
)
from flexcc.errors import DoesNotFitError, InputError
from flexcc.targets.device import Device
from flexcc.tiles import Stage
from flexcc.windows import window_taps_needed

__all__ = ["Shape", "all_shapes", "given_shape", "share_of", "window_taps_of"]

MULTIPLIER_SHARE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """M rows, P columns, N lanes, and what of the lanes behind them takes multipliers.

    `window` counts the multipliers of the window engine.
    """

    m: int
    p: int
    n: int
    packed: bool
    sums: bool
    wide: bool = False
    bends: bool = False
    window: int = 0

    @property
    def multipliers(self) -> int:
        """Those that the drain chains do not change."""
        array = array_multipliers(m=self.m, p=self.p, n=self.n, packed=self.packed)
        return array + self.window + CONTROL_MULTIPLIERS

    def with_lanes(self, q: int, device: Device) -> int:
        """Those and the ones of the lanes behind Q drain chains a column."""
        lanes = lane_multipliers(
            p=self.p,
            q=q,
            family=device.family,
            sums=self.sums,
            bends=self.bends,
            wide=self.wide,
        )
        return self.multipliers + lanes


def share_of(device: Device, cores: int) -> Device:
    """The device as one of `cores` sees it: a core lies in a region, those of a region share it."""
    return replace(device, regions=device.regions * -(-cores // device.regions))


def window_taps_of(stages: Iterable[Stage]) -> int:
    """Taps of the window engine that the stages need; 0 without window layers."""
    layers = [stage.window for stage in stages if stage.window is not None]
    return max((window_taps_needed(layer) or 0 for layer in layers), default=0)


def _with_window(shape: Shape, device: Device, taps: int) -> Shape:
    """The shape with a window engine of so many taps beside it."""
    return replace(
        shape,
        window=window_multipliers(
            taps=taps,
            beat_bytes=device.memory_bytes,
            packed=shape.packed and device.memory_bytes > shape.n,
            family=device.family,
        ),
    )


def all_shapes(
    device: Device, *, sums: bool, taps: int, bends: bool = False, wide: bool = False
) -> Iterator[Shape]:
    """All shapes whose multipliers fit one region of the device, beside a window engine."""
    budget = int(device.dsp // device.regions * MULTIPLIER_SHARE)
    packed = device.family.packs
    for n in (4, 8, 16, 32):
        if n > device.memory_bytes or (packed and n < 8):
            continue
        for m in (4, 8, 16, 32, 64):
            for p in range(1, 17):
                plain = Shape(m=m, p=p, n=n, packed=packed, sums=sums, bends=bends, wide=wide)
                shape = _with_window(plain, device, taps)
                if shape.with_lanes(1, device) <= budget:
                    yield shape


def given_shape(
    array: tuple[int, int, int],
    device: Device,
    *,
    sums: bool,
    taps: int,
    bends: bool = False,
    wide: bool = False,
) -> Shape:
    """The shape (M, P, N) = `array`, beside a window engine of `taps`.

    Raises:
        InputError: it cannot be built.
        DoesNotFitError: a region of the device has too few multipliers.
    """
    m, p, n = array
    packed = device.family.packs and n >= 8
    power = all(value > 0 and value & (value - 1) == 0 for value in (m, n))
    if not power or not 1 <= p <= 16 or not 4 <= n <= 32 or m > 256:
        raise InputError(
            f"array {m},{p},{n} cannot be built: M and N are powers of two, M up to 256, "
            "P lies in 1..16, N in 4..32; choose such an array"
        )
    if n > device.memory_bytes:
        raise InputError(
            f"array {m},{p},{n}: N is more than the {device.memory_bytes} bytes of a memory port "
            f"of {device.name}; choose N up to {device.memory_bytes}"
        )
    plain = Shape(m=m, p=p, n=n, packed=packed, sums=sums, bends=bends, wide=wide)
    shape = _with_window(plain, device, taps)
    needed = shape.with_lanes(1, device)
    available = device.dsp // device.regions
    if needed > available:
        region = "" if device.regions == 1 else " in one of its dies"
        raise DoesNotFitError(
            f"array {m},{p},{n}: multipliers: {needed} needed, {available} available on "
            f"{device.name}{region}; choose a smaller array"
        )
    return shape
