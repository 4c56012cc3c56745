# SPDX-License-Identifier: Apache-2.0
"""The folder host/ of a build: programs that run frames on a card, and where its tensors lie."""

from math import prod
from zlib import crc32

from flexcc.backend.plan import Plan
from flexcc.backend.render import render
from flexcc.backend.tensors import TensorPlan
from flexcc.backend.views import ArrayView, HostView, PortView
from flexcc.ir.graph import Graph, Port
from flexcc.ir.packing import AxisPacking, block_axis
from flexcc.resources import TEMPLATES

__all__ = ["host_files", "host_view"]

_MODEL = "flex_model.hpp"


def host_files(view: HostView) -> dict[str, bytes]:
    """Name, relative to host/, and content of every file."""
    root = TEMPLATES / "host"
    copied = sorted(path for path in root.iterdir() if path.suffix in (".cpp", ".hpp", ".py"))
    files = {path.name: path.read_bytes() for path in copied}
    files[_MODEL] = render(f"host/{_MODEL}.j2", view).encode()
    return files


def host_view(
    graph: Graph,
    plan: Plan,
    *,
    weights: bytes,
    program: bytes,
    version: str,
    model: str,
    target: str,
) -> HostView:
    """What the host's program must know of a network in memory. `model` is printable ASCII."""
    sides = []
    for direction, ports in (("Input", graph.inputs), ("Output", graph.outputs)):
        shapes = {port.onnx_name: port.onnx_shape for port in ports}
        names = list(shapes)
        arrays = tuple(
            ArrayView(
                name=_text(name),
                shape="x".join(map(str, shape)) or "1",
                elements=prod(shape),
            )
            for name, shape in shapes.items()
        )
        views = tuple(_port(graph, plan, port, names.index(port.onnx_name)) for port in ports)
        sides.append((direction, arrays, views))
    a = plan.accelerator
    return HostView(
        version=version,
        model=model.replace("\\", "?").replace('"', "?"),
        target=target,
        weights_address=plan.weights_address,
        weights_bytes=len(weights),
        weights_crc32=_crc32(weights),
        program_address=plan.program_address,
        program_bytes=len(program),
        program_crc32=_crc32(program),
        beat_bytes=a.beat_bytes,
        lanes=a.n,
        sums="true" if a.sums else "false",
        sides=tuple(sides),
    )


def _crc32(content: bytes) -> str:
    return f"0x{crc32(content):08x}u"


def _port(graph: Graph, plan: Plan, port: Port, array: int) -> PortView:
    packed = graph.tensors[port.tensor]
    own = packed.unpacked
    quantization = packed.quantization
    if quantization is None:
        raise ValueError(f"{port.tensor}: the host moves integers")
    # Elements between neighbours along channels, rows and columns of the model's array.
    strides = [own.height * own.width, own.width, 1]
    if port.axes is not None:
        for axis in (1, 2, 3):
            dimension = port.axes.index(axis)
            strides[axis - 1] = prod(port.onnx_shape[dimension + 1 :])
    y, x = block_axis(own.height, 1), block_axis(own.width, 1)
    if packed.packing is not None:
        y, x = packed.packing.y, packed.packing.x
    stored = plan.joined.get(port.tensor, (port.tensor,))
    planes = 2 if packed.wide else 1
    parts = []
    for index in range(planes):
        first = 0
        for name in stored[index * len(stored) // planes : (index + 1) * len(stored) // planes]:
            tensor = plan.tensors[name]
            parts.append(_part(tensor, first))
            first += tensor.type.channels
    return PortView(
        array=array,
        channels=own.channels,
        channel_stride=strides[0],
        row_stride=strides[1],
        column_stride=strides[2],
        y=_axis(y),
        x=_axis(x),
        scale=f"{quantization.scale.hex()}f",
        zero_point=quantization.zero_point,
        wide="true" if packed.wide else "false",
        parts=tuple(parts),
    )


def _part(tensor: TensorPlan, first: int) -> str:
    layout = tensor.layout
    values = (
        tensor.address,
        layout.size,
        first,
        tensor.type.channels,
        layout.row_pitch,
        layout.plane_pitch,
        tensor.dead,
    )
    return f"{{{', '.join(map(str, values))}}}"


def _axis(axis: AxisPacking) -> str:
    values = (axis.lanes, axis.distance, axis.step, axis.offset, axis.size, axis.extent)
    return f"{{{', '.join(map(str, values))}}}"


def _text(name: str) -> str:
    """A C++ string literal; what is not printable ASCII as octal bytes."""
    plain = [
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03o}"
        for byte in name.encode()
    ]
    return f'"{"".join(plain)}"'
