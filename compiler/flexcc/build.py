# SPDX-License-Identifier: Apache-2.0
"""A compiled model as files, and back: what `flexcc MODEL` writes, `flexcc run` reads."""

import hashlib
import json
from collections.abc import Mapping as MappingType
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from flexcc import __version__
from flexcc.accelerator import Accelerator
from flexcc.backend.archive import arrays_from_bytes, arrays_to_bytes, pack, unpack
from flexcc.backend.board import board_files, board_view, on_chip_bytes
from flexcc.backend.hls import hls_files, hls_view
from flexcc.backend.host import host_files, host_view
from flexcc.backend.image import initial_image, memory_map
from flexcc.backend.kernel import KERNEL_SCRIPT, kernel_file, kernel_view
from flexcc.backend.plan import Plan
from flexcc.backend.planner import build_plan
from flexcc.backend.program import program_words
from flexcc.backend.render import render
from flexcc.backend.rtl import SYSTEM, rtl_files, system_parameters
from flexcc.backend.views import SystemView
from flexcc.backend.vitis import vitis_files, vitis_view
from flexcc.backend.writer import read_manifest
from flexcc.dse.mapping import Chain, Group, Mapping, Resident, WeightMode
from flexcc.errors import InputError
from flexcc.frontend.host import Host, HostPart
from flexcc.ir import (
    Clamp,
    Conv2d,
    ConvTranspose2d,
    Cost,
    Graph,
    MaxPool2d,
    Pads,
    Port,
    Quantization,
    TensorType,
)
from flexcc.ir.functions import Apply, Number, Variable
from flexcc.ir.graph import Signature
from flexcc.ir.layers import Add, Concat, Select, Table
from flexcc.ir.packing import AxisPacking, Packing
from flexcc.program.decode import decode, from_bytes, listing
from flexcc.program.encode import to_bytes
from flexcc.targets import Board, load_device

__all__ = ["Build", "build_files", "load_build"]

_TENSORS = (Port, TensorType, Quantization, Packing, AxisPacking)
_LAYERS = (Add, Conv2d, ConvTranspose2d, MaxPool2d, Concat, Select, Table, Pads, Clamp, Cost)
_GRAPH = (Graph, *_TENSORS, *_LAYERS, Apply, Number, Variable)
_MAPPING = (Mapping, Group, Chain, Resident, WeightMode, Accelerator)
_NETWORK, _ARRAYS, _PLAN = "network.json", "network.npz", "plan.json"
_PROGRAM, _WEIGHTS, _LISTING = "program.bin", "weights.bin", "program.txt"
_HEAD, _TAIL = "head.onnx", "tail.onnx"
_VERSION = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Build:
    """A model compiled for a target: the lowered integer graph, its mapping, its plan.

    `host` is what the host does around the accelerator, None if that is nothing.
    """

    model: str
    target: str
    graph: Graph
    mapping: Mapping
    plan: Plan
    host: Host | None = None

    @cached_property
    def program(self) -> bytes:
        """The cores' programs, one after the other, all of `program_beats` beats."""
        return to_bytes(program_words(self.plan))

    @property
    def program_beats(self) -> int:
        """Memory beats of each core's program."""
        accelerator = self.plan.accelerator
        return len(self.program) // accelerator.beat_bytes // accelerator.cores

    @cached_property
    def empty_image(self) -> NDArray[np.uint8]:
        """Memory before a run, without the inputs."""
        types = ((name, self.plan.tensors[name].type) for name in self.plan.inputs)
        shapes = {name: (type_.channels, type_.height, type_.width) for name, type_ in types}
        return initial_image(self.plan, {n: np.zeros(s, np.int8) for n, s in shapes.items()})

    @property
    def weights(self) -> bytes:
        """The weights region of memory."""
        return self.empty_image[self.plan.weights].tobytes()

    def image(self, inputs: MappingType[str, NDArray[np.int8]]) -> NDArray[np.uint8]:
        """Memory before a run on `inputs`, [C, H, W] by tensor name."""
        image = self.empty_image.copy()
        for name in self.plan.inputs:
            tensor = self.plan.tensors[name]
            packed = tensor.layout.pack(inputs[name], tensor.dead)
            image[tensor.address : tensor.address + tensor.layout.size] = packed
        return image


def build_files(build: Build) -> dict[str, bytes]:
    """Name and content of every file of a build but the report and the ONNX model."""
    arrays: dict[str, NDArray[Any]] = {}
    network = {
        "format": _VERSION,
        "model": build.model,
        "target": build.target,
        "graph": pack(build.graph, arrays),
        "mapping": pack(build.mapping, arrays),
        "host": _host_json(build.host),
    }
    view = _system_view(build)
    rtl = rtl_files(view)
    return {
        _NETWORK: _json(network),
        _ARRAYS: arrays_to_bytes(arrays),
        _PLAN: _json(_plan_json(build)),
        _PROGRAM: build.program,
        _WEIGHTS: build.weights,
        _LISTING: _listing(build).encode(),
        "Makefile": render("make/Makefile.j2", view).encode(),
        **{f"rtl/{name}": data for name, data in rtl.items()},
        **_kernel_files(build, rtl),
        **{f"hls/{name}": data for name, data in _hls_files(build).items()},
        **_card_files(build),
        **{f"rtl/{name}": data for name, data in _board_files(build).items()},
        **_host_files(build.host),
    }


def _hls_files(build: Build) -> dict[str, bytes]:
    """The kernel as HLS C++, which has one core; none where there are several."""
    if build.plan.accelerator.cores > 1:
        return {}
    view = hls_view(
        build.plan.accelerator,
        version=__version__,
        model=_printable(build.model),
        target=build.target,
    )
    return hls_files(view)


def _board_files(build: Build) -> dict[str, bytes]:
    """The board's top and what is under it; none where open tools make no bitstream of it."""
    memory = _board_memory(build)
    if memory is None:
        return {}
    board, memory_bytes = memory
    return board_files(
        board_view(
            build.plan.accelerator,
            board,
            memory_bytes,
            version=__version__,
            model=_printable(build.model),
            target=build.target,
        )
    )


def _kernel_files(build: Build, rtl: MappingType[str, bytes]) -> dict[str, bytes]:
    """The script that packs the folder `rtl` as a kernel, where Vitis knows the board."""
    device = load_device(build.target)
    if device.vitis is None:
        return {}
    view = kernel_view(
        rtl[SYSTEM].decode(),
        [name for name in rtl if name.endswith((".sv", ".svh"))],
        device,
        version=__version__,
        model=_printable(build.model),
    )
    return {f"rtl/{KERNEL_SCRIPT}": kernel_file(view)}


def _board_memory(build: Build) -> tuple[Board, int] | None:
    """The board that a bitstream is made for, and its bytes of memory; None if there is none."""
    board = load_device(build.target).board
    size = None if board is None else on_chip_bytes(len(build.empty_image), board)
    if board is None or size is None or build.plan.accelerator.cores > 1:
        return None
    return board, size


def _card_files(build: Build) -> dict[str, bytes]:
    """What takes the build to a card: Vitis project and host programs.

    Nothing where no card has such a kernel, of one core.
    """
    device, plan, size = load_device(build.target), build.plan, len(build.program)
    if device.vitis is None or plan.accelerator.cores > 1:
        return {}
    model = _printable(build.model)
    project = vitis_view(
        plan.accelerator,
        device,
        program_address=plan.program_address,
        program_bytes=size,
        version=__version__,
        model=model,
    )
    host = host_view(
        build.graph,
        plan,
        weights=build.weights,
        program=build.program,
        version=__version__,
        model=model,
        target=build.target,
    )
    return {
        **{f"hls/{name}": data for name, data in vitis_files(project).items()},
        **{f"host/{name}": data for name, data in host_files(host).items()},
    }


def _printable(model: str) -> str:
    return "".join(c if c.isprintable() and c.isascii() else "?" for c in model)


def _listing(build: Build) -> str:
    """The program of each core as text, under a heading where there are several."""
    words = from_bytes(build.program)
    cores = build.plan.accelerator.cores
    length = len(words) // cores
    texts = [listing(decode(words[core * length : (core + 1) * length])) for core in range(cores)]
    if cores == 1:
        return texts[0]
    return "".join(f"core {core}\n{text}" for core, text in enumerate(texts))


def load_build(folder: Path) -> Build:
    """The build in `folder`.

    Raises:
        InputError: `folder` is no build, was changed, or another version wrote it.
    """
    digests = read_manifest(folder)
    content = {
        name: _checked(folder, name, digests) for name in (_NETWORK, _ARRAYS, _PROGRAM, _WEIGHTS)
    }
    try:
        network = json.loads(content[_NETWORK])
        if network["format"] != _VERSION:
            raise ValueError(f"format {network['format']}")
        arrays = arrays_from_bytes(content[_ARRAYS])
        graph = unpack(network["graph"], arrays, _GRAPH)
        mapping = unpack(network["mapping"], arrays, _MAPPING)
        build = Build(
            model=network["model"],
            target=network["target"],
            graph=graph,
            mapping=mapping,
            plan=build_plan(graph, mapping),
            host=_load_host(folder, network["host"], digests),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise _outdated(folder) from error
    if build.program != content[_PROGRAM] or build.weights != content[_WEIGHTS]:
        raise _outdated(folder)
    return build


def _host_files(host: Host | None) -> dict[str, bytes]:
    parts = {} if host is None else {_HEAD: host.head, _TAIL: host.tail}
    return {name: part.content for name, part in parts.items() if part is not None}


def _host_json(host: Host | None) -> Any:
    if host is None:
        return None
    return {
        "files": list(_host_files(host)),
        "inputs": [asdict(signature) for signature in host.inputs],
        "outputs": [asdict(signature) for signature in host.outputs],
    }


def _load_host(folder: Path, json: Any, digests: MappingType[str, str]) -> Host | None:
    if json is None:
        return None
    parts = {name: HostPart(_checked(folder, name, digests)) for name in json["files"]}
    inputs, outputs = (
        tuple(
            Signature(
                name=entry["name"],
                shape=None if entry["shape"] is None else tuple(entry["shape"]),
                dtype=entry["dtype"],
            )
            for entry in json[key]
        )
        for key in ("inputs", "outputs")
    )
    return Host(head=parts.get(_HEAD), tail=parts.get(_TAIL), inputs=inputs, outputs=outputs)


def _checked(folder: Path, name: str, digests: MappingType[str, str]) -> bytes:
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise InputError(
            f"{folder / name} cannot be read: {error.strerror}; compile the model again"
        ) from error
    if hashlib.sha256(data).hexdigest() != digests.get(name):
        raise InputError(f"{folder / name} was changed after compilation; compile the model again")
    return data


def _outdated(folder: Path) -> InputError:
    return InputError(
        f"{folder} was written by another version of flexcc than {__version__}; "
        "compile the model again"
    )


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()


def _plan_json(build: Build) -> dict[str, Any]:
    """What host software must know: where everything lies, and how to pack and start."""
    plan, a = build.plan, build.plan.accelerator
    ports = {port.tensor: port for port in (*build.graph.inputs, *build.graph.outputs)}
    tensors = []
    for tensor in plan.tensors.values():
        port, quantization = ports.get(tensor.name), tensor.type.quantization
        tensors.append(
            {
                "name": tensor.name,
                "onnx_name": None if port is None else port.onnx_name,
                "onnx_shape": None if port is None else port.onnx_shape,
                "onnx_axes": None if port is None else port.axes,
                "address": tensor.address,
                "bytes": tensor.layout.size,
                "on_chip": plan.on_chip(tensor),
                "channels": tensor.type.channels,
                "height": tensor.type.height,
                "width": tensor.type.width,
                "packing": None if tensor.type.packing is None else asdict(tensor.type.packing),
                "row_pitch": tensor.layout.row_pitch,
                "plane_pitch": tensor.layout.plane_pitch,
                "dead_lane": tensor.dead,
                "scale": None if quantization is None else quantization.scale,
                "zero_point": None if quantization is None else quantization.zero_point,
            }
        )
    return {
        "format": _VERSION,
        "accelerator": asdict(a),
        "program": {
            "address": plan.program_address,
            "beats": build.program_beats,
            "tiles": plan.tiles,
            "crc32": crc32(build.program),
        },
        "weights": {
            "address": plan.weights_address,
            "bytes": plan.weights_bytes,
            "crc32": crc32(build.weights),
        },
        "memory_bytes": plan.program_address + len(build.program),
        "regions": [asdict(region) for region in memory_map(plan, len(build.program))],
        "inputs": list(plan.inputs),
        "outputs": list(plan.outputs),
        "joined": _joined_json(build, ports),
        "tensors": tensors,
        "ports": {
            "inputs": [_port_json(build, port) for port in build.graph.inputs],
            "outputs": [_port_json(build, port) for port in build.graph.outputs],
        },
        "host": _host_json(build.host),
    }


def _port_json(build: Build, port: Port) -> dict[str, Any]:
    """An array of the model, and the tensors that together hold its values."""
    type_ = build.graph.tensors[port.tensor]
    quantization = type_.quantization
    return {
        "onnx_name": port.onnx_name,
        "onnx_shape": port.onnx_shape,
        "onnx_axes": port.axes,
        "tensors": list(build.plan.joined.get(port.tensor, (port.tensor,))),
        "packing": None if type_.packing is None else asdict(type_.packing),
        "bits": None if quantization is None else quantization.bits,
        "scale": None if quantization is None else quantization.scale,
        "zero_point": None if quantization is None else quantization.zero_point,
    }


def _joined_json(build: Build, ports: MappingType[str, Port]) -> list[dict[str, Any]]:
    """Tensors whose channels are those of stored ones, one after the other."""
    joined = []
    for name, parts in build.plan.joined.items():
        port = ports.get(name)
        joined.append(
            {
                "name": name,
                "onnx_name": None if port is None else port.onnx_name,
                "onnx_shape": None if port is None else port.onnx_shape,
                "onnx_axes": None if port is None else port.axes,
                "parts": list(parts),
            }
        )
    return joined


def _system_view(build: Build) -> SystemView:
    a = build.plan.accelerator
    memory = _board_memory(build)
    return SystemView(
        version=__version__,
        model=_printable(build.model),
        target=build.target,
        data_bytes=a.beat_bytes,
        sums=int(a.sums),
        parameters=system_parameters(a),
        suffixes=("",) if a.cores == 1 else tuple(map(str, range(a.cores))),
        data_range=f"[{a.beat_bytes * 8 - 1}:0]".ljust(8),
        strb_range=f"[{a.beat_bytes - 1}:0]".ljust(8),
        loader="" if memory is None else memory[0].name,
        card=load_device(build.target).vitis is not None and a.cores == 1,
    )
