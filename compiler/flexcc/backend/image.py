# SPDX-License-Identifier: Apache-2.0
"""Memory images of a plan: what a run starts from, what it must end with, where two differ.

The host packs inputs and unpacks outputs here. Comparison covers every byte: weights and program,
which a run may not touch, dead lanes, whose value the requantiser defines, and padding, which
stays what it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flexcc.backend.plan import Plan, StagePlan
from flexcc.backend.program import program_words
from flexcc.backend.tensors import TensorPlan
from flexcc.ir.planes import join_planes, plane_names, split_planes
from flexcc.ir.types import Integers
from flexcc.program.encode import to_bytes

__all__ = [
    "Difference",
    "Region",
    "expected_image",
    "first_difference",
    "initial_image",
    "memory_map",
    "read_tensor",
]

Bytes = NDArray[np.uint8]
_POOL_PADDING = -128


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A part of memory; `kind` is weights, program, input or tensor."""

    name: str
    kind: str
    address: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first differing byte; `kind` is element, dead lane, padding, weights, program or gap.

    `name` is the tensor's, else that of the region. Channel, row and column are those of the
    tensor before packing, of a dead lane those in memory, and None outside pixels.
    """

    name: str
    kind: str
    address: int
    channel: int | None
    row: int | None
    column: int | None
    expected: int
    actual: int

    def __str__(self) -> str:
        place = f"{self.name}, {self.kind}"
        if self.channel is not None:
            place += f" at channel {self.channel}, row {self.row}, column {self.column}"
        return f"{place} (byte {self.address}): expected {self.expected}, found {self.actual}"


def memory_map(plan: Plan, program_bytes: int) -> tuple[Region, ...]:
    """All regions in the order of their addresses; nothing else is memory of the plan."""
    weights = Region(
        name="weights", kind="weights", address=plan.weights_address, size=plan.weights_bytes
    )
    tensors = (
        Region(
            name=tensor.name,
            kind="input" if tensor.name in plan.inputs else "tensor",
            address=tensor.address,
            size=tensor.layout.size,
        )
        for tensor in plan.tensors.values()
    )
    program = Region(
        name="program", kind="program", address=plan.program_address, size=program_bytes
    )
    return tuple(sorted((weights, *tensors, program), key=lambda region: region.address))


def _put(image: Bytes, address: int, data: bytes | Bytes) -> None:
    values = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data
    image[address : address + len(values)] = values


def initial_image(plan: Plan, inputs: Mapping[str, NDArray[np.int8]]) -> Bytes:
    """Memory before a run: weights, program, packed `inputs` [C, H, W] by tensor name, else 0.

    Raises:
        ValueError: an input is missing, unknown, or of the wrong shape.
    """
    if inputs.keys() != set(plan.inputs):
        raise ValueError(f"inputs {sorted(inputs)} given, {sorted(plan.inputs)} expected")
    program = to_bytes(program_words(plan))
    image = np.zeros(plan.program_address + len(program), np.uint8)
    for stage in plan.stages:
        address = stage.weights_address
        for part in stage.images:
            _put(image, address, part.parameters + part.weights)
            address += part.size
    for name, values in inputs.items():
        tensor = plan.tensors[name]
        _put(image, tensor.address, tensor.layout.pack(values, tensor.dead))
    _put(image, plan.program_address, program)
    return image


def _covered(stage: StagePlan, tensor: TensorPlan) -> NDArray[np.bool_]:
    """The pixels [H, W] whose pooling window holds at least one pixel; all without pooling."""
    covered = np.ones((tensor.type.height, tensor.type.width), np.bool_)
    if tensor.name == stage.kept or stage.group.chain.pool is None:
        return covered
    for tile in stage.tiles:
        # The first record that frees its half begins with the first plane.
        store, layout = next(store for store in tile.stores if not store.keep), tensor.layout
        row, rest = divmod(store.address - tensor.address, layout.row_pitch)
        column = rest // layout.lanes
        y = store.origin_y + np.arange(store.rows) * store.stride_h
        x = store.origin_x + np.arange(store.cols) * store.stride_w
        rows = (y < store.valid_rows) & (y + store.kernel_h > 0)
        cols = (x < store.valid_cols) & (x + store.kernel_w > 0)
        target = covered[row : row + store.rows, column : column + store.cols]
        target[...] = rows[:, None] & cols
    return covered


def _dead_lanes(stage: StagePlan, tensor: TensorPlan, values: NDArray[np.int8]) -> NDArray[np.int8]:
    """What the lanes without a channel hold, [lanes, H, W]."""
    dead = np.where(_covered(stage, tensor), tensor.dead, _POOL_PADDING).astype(np.int8)
    lanes = np.broadcast_to(dead, (tensor.layout.planes * tensor.layout.lanes, *dead.shape)).copy()
    if tensor.word_channels < tensor.layout.lanes:
        lanes[: len(values)] = values
        lanes[...] = lanes[np.arange(len(lanes)) % tensor.word_channels]
    return lanes[len(values) :]


def expected_image(plan: Plan, initial: Bytes, tensors: Mapping[str, Any]) -> Bytes:
    """Memory after a run that began with `initial`, given every stored tensor [C, H, W].

    `tensors` may hold more than the plan stores; a missing one is a KeyError.
    """
    image = initial.copy()
    stored = [(stage, name) for stage in plan.stages for name in stage.stored]
    planes: dict[str, NDArray[np.int8]] = {}
    for name in plan.wide:
        if name in tensors:
            planes.update(zip(plane_names(name), split_planes(tensors[name]), strict=True))
    for stage, name in stored:
        tensor = plan.tensors[name]
        values = planes[name] if name in planes else tensors[name]
        packed = tensor.layout.pack(values, _dead_lanes(stage, tensor, values))
        written = tensor.layout.pack(np.full_like(values, -1), -1).astype(np.bool_)
        region = image[tensor.address : tensor.address + tensor.layout.size]
        region[written] = packed[written]
    return image


def read_tensor(plan: Plan, image: Bytes, name: str) -> Integers:
    """The values [C, H, W] of a tensor in memory, stored or joined of stored ones.

    int16 for one of 16 bits, else int8.
    """
    parts = [plan.tensors[part] for part in plan.joined.get(name, (name,))]
    values = np.concatenate(
        [
            part.layout.unpack(image[part.address : part.address + part.layout.size])
            for part in parts
        ]
    )
    return join_planes(*np.split(values, 2)) if name in plan.wide else values


def _signed(value: np.uint8) -> int:
    return int(value.astype(np.int8))


def first_difference(plan: Plan, expected: Bytes, actual: Bytes) -> Difference | None:
    """The first difference of two images after a run, None when they are equal.

    First is in the order of execution: tensors as the program stores them, the earliest first,
    elements before dead lanes and padding; then whatever else memory holds, by address.

    Raises:
        ValueError: the images differ in size.
    """
    if expected.shape != actual.shape:
        raise ValueError(f"images of {expected.shape} and {actual.shape} bytes")
    different = expected != actual
    if not different.any():
        return None
    for tensor in plan.tensors.values():
        region = slice(tensor.address, tensor.address + tensor.layout.size)
        offsets = np.flatnonzero(different[region])
        if len(offsets):
            return _in_tensor(tensor, offsets, expected[region], actual[region])
    address = int(np.flatnonzero(different)[0])
    regions = memory_map(plan, len(expected) - plan.program_address)
    kind = next((r.kind for r in regions if r.address <= address < r.address + r.size), "gap")
    return Difference(
        name=kind,
        kind=kind,
        address=address,
        channel=None,
        row=None,
        column=None,
        expected=int(expected[address]),
        actual=int(actual[address]),
    )


def _in_tensor(
    tensor: TensorPlan, offsets: NDArray[np.intp], expected: Bytes, actual: Bytes
) -> Difference:
    values = tensor.layout.unpack(expected) != tensor.layout.unpack(actual)
    elements = np.argwhere(values)
    if len(elements):
        channel, row, column = (int(index) for index in elements[0])
        offset = tensor.layout.offset(channel, row, column)
    else:
        offset = int(offsets[0])
    pixel = tensor.layout.locate(offset)
    place: tuple[int, int, int] | None = None
    if pixel is None:
        kind = "padding"
    elif pixel.channel < tensor.type.channels:
        place = tensor.type.locate(pixel.channel, pixel.row, pixel.column)
        kind = "padding" if place is None else "element"
    else:
        place = pixel.channel, pixel.row, pixel.column
        kind = "dead lane"
    return Difference(
        name=tensor.name,
        kind=kind,
        address=tensor.address + offset,
        channel=None if place is None else place[0],
        row=None if place is None else place[1],
        column=None if place is None else place[2],
        expected=_signed(expected[offset]),
        actual=_signed(actual[offset]),
    )
