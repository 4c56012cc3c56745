# SPDX-License-Identifier: Apache-2.0
"""Runs a build on a card through XRT: arrays of the model in, arrays out, several frames at a time.

Needs Python 3.10, numpy and XRT's pyxrt; onnxruntime where parts of the model run on the host.

While the card computes a frame this program prepares the next ones and reads the last ones, in
turns: threads would gain nothing, as pyxrt holds Python's lock while it waits.
"""

import argparse
import json
import sys
import time
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
Memory = NDArray[np.uint8]
Integers = NDArray[np.int8]
Json = Mapping[str, Any]


class HostError(Exception):
    """What the user can mend."""


class Tensor:
    """A tensor in the accelerator's memory: int8 [channels, height, width] in planes of lanes."""

    def __init__(self, entry: Json, lanes: int) -> None:
        """Reads an entry of plan.json."""
        self.address: int = entry["address"]
        self.bytes: int = entry["bytes"]
        self.channels: int = entry["channels"]
        self.height, self.width = entry["height"], entry["width"]
        self.row_pitch, self.plane_pitch = entry["row_pitch"], entry["plane_pitch"]
        self.dead, self.lanes = entry["dead_lane"], lanes
        self.planes = -(-self.channels // lanes)

    def _pixels(self, memory: Memory) -> Integers:
        """A view [plane, row, column, lane] into the memory of an image."""
        return np.ndarray(
            (self.planes, self.height, self.width, self.lanes),
            np.int8,
            memory,
            self.address,
            (self.plane_pitch, self.row_pitch, self.lanes, 1),
        )

    def write(self, memory: Memory, values: Integers) -> None:
        """Lays int8 [C, H, W] into memory."""
        padded = np.full((self.planes * self.lanes, self.height, self.width), self.dead, np.int8)
        padded[: self.channels] = values
        split = padded.reshape(self.planes, self.lanes, self.height, self.width)
        self._pixels(memory)[...] = split.transpose(0, 2, 3, 1)

    def read(self, memory: Memory) -> Integers:
        """Takes int8 [C, H, W] out of memory."""
        split = self._pixels(memory).transpose(0, 3, 1, 2)
        return split.reshape(-1, self.height, self.width)[: self.channels]


def positions(axis: Json) -> Iterator[tuple[int, NDArray[np.intp], NDArray[np.intp]]]:
    """For each lane of a packed axis, the positions that hold pixels, and the pixels."""
    for lane in range(axis["lanes"]):
        place = np.arange(axis["extent"])
        pixel = place * axis["step"] + lane * axis["distance"] - axis["offset"]
        inside = (pixel >= 0) & (pixel < axis["size"])
        yield lane, place[inside], pixel[inside]


class Port:
    """An array of the model and the tensor that holds its values."""

    def __init__(self, entry: Json, tensors: Mapping[str, Tensor]) -> None:
        """Reads an entry of `ports` in plan.json; `tensors` are all tensors by name."""
        self.name: str = entry["onnx_name"]
        self.shape = tuple(entry["onnx_shape"])
        self.axes, self.packing = entry["onnx_axes"], entry["packing"]
        self.scale = np.float32(entry["scale"])
        self.zero_point: int = entry["zero_point"]
        self.tensors = [tensors[name] for name in entry["tensors"]]
        # An output of 16 bits: tensors of upper bytes, then as many of lower ones less 128.
        self.wide: bool = entry["bits"] == 16

    def write(self, memory: Memory, values: NDArray[Any]) -> None:
        """Quantises an array and lays it into memory."""
        values = np.asarray(values)
        if values.shape != self.shape:
            raise HostError(f"input {self.name!r} has shape {values.shape}, not {self.shape}")
        real = values.astype(np.float32)
        if np.isnan(real).any():
            raise HostError(f"input {self.name!r} holds NaN; remove it")
        with np.errstate(over="ignore"):
            steps = np.rint(real / self.scale)
        low, high = -128 - self.zero_point, 127 - self.zero_point
        integers = (np.clip(steps, low, high).astype(np.int32) + self.zero_point).astype(np.int8)
        if self.axes is not None:
            integers = integers.transpose(np.argsort(self.axes))
        self._pack(integers, memory)

    def read(self, memory: Memory) -> NDArray[np.float32]:
        """Takes an array out of memory: scale * (integer - zero_point)."""
        stored = np.concatenate([tensor.read(memory) for tensor in self.tensors])
        if self.wide:
            upper, lower = np.split(stored.astype(np.int16), 2)
            stored = 256 * upper + lower + np.int16(128)
        integers = self._unpack(stored)
        real = (integers.astype(np.int32) - self.zero_point).astype(np.float32) * self.scale
        if self.axes is not None:
            real = real[None].transpose(self.axes)
        return np.ascontiguousarray(real).reshape(self.shape)

    def _pack(self, integers: Integers, memory: Memory) -> None:
        [tensor] = self.tensors
        if self.packing is None:
            tensor.write(memory, integers.reshape(tensor.channels, tensor.height, tensor.width))
            return
        y, x = self.packing["y"], self.packing["x"]
        image = integers.reshape(-1, y["size"], x["size"])
        shape = (y["lanes"], x["lanes"], len(image), y["extent"], x["extent"])
        packed = np.full(shape, self.zero_point, np.int8)
        for i, rows, from_rows in positions(y):
            for j, columns, from_columns in positions(x):
                picked = image[:, from_rows[:, None], from_columns]
                packed[i, j][:, rows[:, None], columns] = picked
        tensor.write(memory, packed.reshape(-1, y["extent"], x["extent"]))

    def _unpack(self, packed: NDArray[Any]) -> NDArray[Any]:
        if self.packing is None:
            return packed
        y, x = self.packing["y"], self.packing["x"]
        split = packed.reshape(y["lanes"], x["lanes"], -1, y["extent"], x["extent"])
        image = np.zeros((split.shape[2], y["size"], x["size"]), packed.dtype)
        for i, rows, to_rows in positions(y):
            for j, columns, to_columns in positions(x):
                picked = split[i, j][:, rows[:, None], columns]
                image[:, to_rows[:, None], to_columns] = picked
        return image


class Model:
    """A build: its files, its arrays, and what the host computes itself."""

    def __init__(self, folder: Path) -> None:
        """Reads plan.json, program.bin and weights.bin in `folder`, and host parts if any."""
        plan = json.loads((folder / "plan.json").read_text())
        self.program = self._read(folder / "program.bin", plan["program"]["crc32"])
        self.weights = self._read(folder / "weights.bin", plan["weights"]["crc32"])
        self.weights_address: int = plan["weights"]["address"]
        self.memory_bytes: int = plan["memory_bytes"]
        self.program_address: int = plan["program"]["address"]
        self.beat_bytes: int = plan["accelerator"]["beat_bytes"]
        self.sums: bool = plan["accelerator"]["sums"]
        if plan["accelerator"]["cores"] != 1:
            raise HostError("the kernel has one core, and this build several; compile for one")
        lanes = plan["accelerator"]["n"]
        tensors = {entry["name"]: Tensor(entry, lanes) for entry in plan["tensors"]}
        self.inputs = [Port(entry, tensors) for entry in plan["ports"]["inputs"]]
        self.outputs = [Port(entry, tensors) for entry in plan["ports"]["outputs"]]
        host = plan["host"]
        self.head: Any = None
        self.tail: Any = None
        if host is None:
            self.input_shapes = {port.name: (port.shape, "float32") for port in self.inputs}
            self.output_names = [port.name for port in self.outputs]
        else:
            entries = host["inputs"]
            self.input_shapes = {e["name"]: (tuple(e["shape"]), e["dtype"]) for e in entries}
            self.output_names = [entry["name"] for entry in host["outputs"]]
            self.head, self.tail = (self._session(folder, name, host) for name in ("head", "tail"))

    @staticmethod
    def _read(path: Path, checksum: int) -> bytes:
        content = path.read_bytes()
        if zlib.crc32(content) != checksum:
            raise HostError(f"{path} is of another build than plan.json; compile the model again")
        return content

    @staticmethod
    def _session(folder: Path, name: str, host: Json) -> Any:
        if f"{name}.onnx" not in host["files"]:
            return None
        # Only models with parts on the host need it.
        import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415

        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        return onnxruntime.InferenceSession(
            str(folder / f"{name}.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def before(self, arrays: Arrays, memory: Memory) -> Arrays:
        """Computes what comes before the accelerator and lays its inputs into memory.

        Returns all arrays that are known.
        """
        known = {**arrays, **self._run(self.head, arrays)}
        for port in self.inputs:
            port.write(memory, known[port.name])
        return known

    def after(self, known: Arrays, memory: Memory) -> Arrays:
        """Reads the accelerator's outputs and computes what comes behind it: the model's outputs.

        `known` are the arrays of the frame that were known before.
        """
        known = {**known, **{port.name: port.read(memory) for port in self.outputs}}
        known.update(self._run(self.tail, known))
        return {name: known[name] for name in self.output_names}

    @staticmethod
    def _run(session: Any, arrays: Arrays) -> Arrays:
        if session is None:
            return {}
        names = [value.name for value in session.get_outputs()]
        feed = {value.name: arrays[value.name] for value in session.get_inputs()}
        return dict(zip(names, session.run(names, feed), strict=True))


class Card:
    """The accelerator on a card; every slot is memory of its own for the tensors of a frame."""

    def __init__(self, xclbin: Path, model: Model, slots: int, device: int, timeout: int) -> None:
        """Programs the device, writes weights and program, makes `slots` slots.

        A run that takes longer than `timeout` seconds has failed; 0 waits for ever.
        """
        import pyxrt  # noqa: PLC0415 - the rest of this file works without a card

        self._xrt, self._model, self._timeout_ms = pyxrt, model, timeout * 1000
        self._device = pyxrt.device(device)
        uuid = self._device.load_xclbin(str(xclbin))
        self._kernel = pyxrt.kernel(self._device, uuid, "flex_kernel")
        out = 4 if model.sums else 3
        groups = [self._kernel.group_id(port) for port in range(out + 1)]
        if groups[0] != groups[1]:
            raise HostError("ports program and wgt must be connected to one memory")
        if len(set(groups[2:])) > 1:
            raise HostError("ports act, skip and out must be connected to one memory")
        constant = np.zeros(model.memory_bytes, np.uint8)
        weights = np.frombuffer(model.weights, np.uint8)
        constant[model.weights_address :][: len(weights)] = weights
        constant[model.program_address :] = np.frombuffer(model.program, np.uint8)
        self._constant = self._buffer(len(constant), groups[0])
        self._fill(self._constant, constant)
        self._slots = [self._slot(groups[2], out) for _ in range(slots)]

    def slots(self) -> int:
        """How many frames can be under way."""
        return len(self._slots)

    def memory(self, slot: int) -> Memory:
        """The memory of a slot; the host's unless the slot has been started."""
        return self._slots[slot][1]

    def start(self, slot: int) -> None:
        """Sends the inputs of a slot and starts it; runs are executed in order."""
        buffer, _, run = self._slots[slot]
        self._transfer(buffer, self._model.inputs, "XCL_BO_SYNC_BO_TO_DEVICE")
        run.start()

    def finish(self, slot: int) -> None:
        """Waits for a started slot and fetches its outputs."""
        buffer, _, run = self._slots[slot]
        state = run.wait(self._timeout_ms)
        if state != self._xrt.ert_cmd_state.ERT_CMD_STATE_COMPLETED:
            raise HostError(
                f"the kernel did not complete ({state}); look at `xrt-smi examine` and dmesg, and "
                "check that xclbin, program.bin and weights.bin are of one build"
            )
        self._transfer(buffer, self._model.outputs, "XCL_BO_SYNC_BO_FROM_DEVICE")

    def _buffer(self, size: int, group: int) -> Any:
        return self._xrt.bo(self._device, size, self._xrt.bo.normal, group)

    def _fill(self, buffer: Any, content: Memory) -> None:
        buffer.write(content, 0)
        direction = self._xrt.xclBOSyncDirection.XCL_BO_SYNC_BO_TO_DEVICE
        buffer.sync(direction, len(content), 0)

    def _slot(self, group: int, out: int) -> tuple[Any, Memory, Any]:
        # As large as the whole image before the program: tensors keep their addresses.
        size = self._model.program_address
        tensors = self._buffer(size, group)
        self._fill(tensors, np.zeros(size, np.uint8))
        run = self._xrt.run(self._kernel)
        buffers = [self._constant] * 2 + [tensors] * (out - 1)
        for index, argument in enumerate(buffers):
            run.set_arg(index, argument)
        run.set_arg(out + 1, self._model.program_address // self._model.beat_bytes)
        run.set_arg(out + 2, len(self._model.program) // self._model.beat_bytes)
        return tensors, np.frombuffer(tensors.map(), np.uint8), run

    def _transfer(self, buffer: Any, ports: Sequence[Port], direction: str) -> None:
        for port in ports:
            for tensor in port.tensors:
                way = getattr(self._xrt.xclBOSyncDirection, direction)
                buffer.sync(way, tensor.bytes, tensor.address)


def stream(card: Card, model: Model, frames: Iterable[Arrays]) -> Iterator[Arrays]:
    """The outputs of each of `frames`, in order; as many are under way as the card has slots."""
    free = deque(range(card.slots()))
    running: deque[tuple[int, Arrays]] = deque()

    def oldest() -> Arrays:
        slot, known = running.popleft()
        card.finish(slot)
        outputs = model.after(known, card.memory(slot))
        free.append(slot)
        return outputs

    for arrays in frames:
        if not free:
            yield oldest()
        slot = free.popleft()
        known = model.before(arrays, card.memory(slot))
        card.start(slot)
        running.append((slot, known))
    while running:
        yield oldest()


def read_frames(path: Path, model: Model) -> list[Arrays]:
    """The frames in an .npz: arrays by name as the model takes them, or K times that."""
    with np.load(path) as file:
        missing = [name for name in model.input_shapes if name not in file.files]
        if missing:
            raise HostError(f"{path} lacks {', '.join(missing)}; it has {', '.join(file.files)}")
        arrays = {name: file[name] for name in model.input_shapes}
    counts = set()
    for name, (shape, dtype) in model.input_shapes.items():
        frames = arrays[name].size // max(1, int(np.prod(shape)))
        if arrays[name].size != frames * int(np.prod(shape)) or not frames:
            raise HostError(f"{path}: {name!r} has shape {arrays[name].shape}, not K times {shape}")
        arrays[name] = arrays[name].reshape(frames, *shape).astype(dtype)
        counts.add(frames)
    if len(counts) > 1:
        raise HostError(f"{path}: the inputs hold different numbers of frames: {sorted(counts)}")
    return [{name: array[i] for name, array in arrays.items()} for i in range(counts.pop())]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("xclbin", type=Path)
    parser.add_argument("--build", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--input", type=Path, required=True, help=".npz of the model's inputs")
    parser.add_argument("--output", type=Path, required=True, help=".npz to write")
    parser.add_argument("--slots", type=int, default=3, help="frames under way at a time")
    parser.add_argument("--device", type=int, default=0)
    parser.add_argument("--timeout", type=int, default=60, help="seconds for a run; 0: no limit")
    options = parser.parse_args(arguments)
    if options.slots < 1:
        parser.error("--slots: at least one is needed")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs all frames of a file; returns the exit code."""
    options = parse(arguments)
    try:
        model = Model(options.build)
        frames = read_frames(options.input, model)
        card = Card(options.xclbin, model, options.slots, options.device, options.timeout)
        begin = time.perf_counter()
        outputs = list(stream(card, model, frames))
        seconds = time.perf_counter() - begin
    except (HostError, OSError) as error:
        print(f"flex_host: {error}", file=sys.stderr)
        return 1
    stacked = {name: np.stack([frame[name] for frame in outputs]) for name in model.output_names}
    np.savez(options.output, **stacked)  # type: ignore[arg-type]
    rate = len(frames) / seconds
    print(f"{len(frames)} frames in {seconds:.3f} s: {rate:.1f} frames/s, {options.slots} slots")
    return 0


if __name__ == "__main__":
    sys.exit(main())
