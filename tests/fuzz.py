# SPDX-License-Identifier: Apache-2.0
"""Damages ONNX models at random, each damage repeatable from its number, and tries them.

`python -m tests.fuzz FIRST COUNT` tries that many and prints a line for each that fails; the parent
of that process watches time and memory.
"""

import copy
import random
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from designs.unet.network import build as build_unet
from flexcc.errors import FlexccError
from flexcc.frontend.inputs import fix_input_shapes
from flexcc.frontend.network import Network, import_network, survey
from flexcc.passes import lower
from tests.onnx_models import make_model, node, run_network, run_onnx

__all__ = ["damaged", "main", "try_model"]

SECONDS_PER_MODEL = 20
LARGEST_COMPARED = 1 << 20

Damage = Callable[[random.Random, onnx.ModelProto], onnx.ModelProto]
ODD_INTEGERS = (-(2**63), -(2**31), -7, -2, -1, 0, 1, 2, 3, 5, 100, 2**20, 2**31, 2**40, 2**63 - 1)
ODD_FLOATS = (0.0, -1.0, 1e-45, 1e38, float("inf"), float("nan"))
OPERATORS = (
    "Abs", "Add", "ArgMax", "AveragePool", "BatchNormalization", "Cast", "Clip", "Concat", "Conv",
    "ConstantOfShape", "ConvTranspose", "DequantizeLinear", "Div", "Expand", "Flatten", "Gather",
    "Gemm", "GlobalAveragePool", "HardSigmoid", "Identity", "LRN", "LSTM", "LeakyRelu", "Loop",
    "MatMul", "MaxPool", "Mul", "NonZero", "PRelu", "Pad", "QLinearConv", "QuantizeLinear", "Range",
    "Relu", "Reshape", "Resize", "Shape", "Sigmoid", "Size", "Slice", "Softmax", "Split", "Squeeze",
    "Sub", "Sum", "Tile", "TopK", "Transpose", "Unsqueeze",
)  # fmt: skip


def bases() -> dict[str, onnx.ModelProto]:
    """Small good models of every kind."""
    return {name: copy.deepcopy(model) for name, model in _built().items()}


@cache
def _built() -> Mapping[str, onnx.ModelProto]:
    rng = np.random.default_rng(0)

    def weights(*shape: int) -> NDArray[np.float32]:
        return (rng.normal(size=shape) / 3).astype(np.float32)

    chain = make_model(
        [
            node("Conv", "x w b", "c", "conv", pads=[1, 1, 1, 1]),
            node("BatchNormalization", "c b b b v", "n", "norm"),
            node("Relu", "n", "r", "relu"),
            node("MaxPool", "r", "p", "pool", kernel_shape=[2, 2], strides=[2, 2]),
            node("ConvTranspose", "p t", "u", "up", strides=[2, 2]),
            node("Add", "u k", "a", "add"),
            node("Shape", "a", "s", "shape"),
            node("Gather", "s zero", "g", "gather"),
            node("Concat", "g rest", "to", "concat", axis=0),
            node("Reshape", "a to", "f", "reshape"),
            node("Gemm", "f m", "y", "gemm"),
        ],
        {
            "w": weights(4, 3, 3, 3),
            "b": weights(4),
            "v": np.ones(4),
            "t": weights(4, 2, 2, 2),
            "k": weights(2, 1, 1),
            "zero": np.array([0]),
            "rest": np.array([-1]),
            "m": weights(72, 5),
        },
    )
    edges = make_model(
        [
            node("Cast", "x", "f", "cast", to=TensorProto.FLOAT),
            node("Sub", "f mean", "d", "sub"),
            node("Transpose", "d", "t", "front", perm=[0, 3, 1, 2]),
            node("Conv", "t w", "c", "conv", dilations=[1, 2]),
            node("Transpose", "c", "l", "back", perm=[0, 2, 3, 1]),
            node("Softmax", "l", "p", "softmax", axis=-1),
            node("ArgMax", "p", "y", "argmax", axis=-1),
        ],
        {"w": weights(4, 3, 3, 3), "mean": np.array([100.0, 110.0, 120.0])},
        shape=(1, 6, 7, 3),
        kind=TensorProto.UINT8,
    )
    edges.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    scales = {
        "s": np.array(0.05),
        "z": np.array(3, np.uint8),
        "wi": rng.integers(-60, 61, (4, 3, 3, 3)).astype(np.int8),
        "ws": rng.uniform(0.005, 0.01, 4),
        "wz": np.zeros(4, np.int8),
        "t": np.array(0.083),
        "u": np.array(120, np.uint8),
        "bi": rng.integers(-99, 100, 4).astype(np.int32),
    }
    qdq = make_model(
        [
            node("QuantizeLinear", "x s z", "xq", "qx"),
            node("DequantizeLinear", "xq s z", "xd", "dx"),
            node("DequantizeLinear", "wi ws wz", "wd", "dw", axis=0),
            node("Conv", "xd wd", "c", "conv"),
            node("Clip", "c lo hi", "r", "clip"),
            node("QuantizeLinear", "r t u", "rq", "qr"),
            node("DequantizeLinear", "rq t u", "y", "dr"),
        ],
        {**scales, "lo": np.array(-1.0), "hi": np.array(6.0)},
    )
    qlinear = make_model(
        [
            node("QuantizeLinear", "x s z", "xq", "qx"),
            node("QLinearConv", "xq s z wi ws wz t u bi", "c", "conv"),
            node("MaxPool", "c", "p", "pool", kernel_shape=[2, 2]),
            node("DequantizeLinear", "p t u", "y", "dy"),
        ],
        scales,
    )
    wide = {**scales, "wi": rng.integers(-128, 128, (4, 3, 3, 3)).astype(np.int8)}
    wide["wz"] = np.array([-128, 9, 0, 127], np.int8)
    asymmetric = make_model(
        [
            node("QuantizeLinear", "x s z", "xq", "qx"),
            node("DequantizeLinear", "xq s z", "xd", "dx"),
            node("DequantizeLinear", "wi ws wz", "wd", "dw", axis=0),
            node("Conv", "xd wd", "c", "conv", strides=[2, 1]),
            node("QuantizeLinear", "c t u", "cq", "qc"),
            node("DequantizeLinear", "cq t u", "y", "dc"),
        ],
        wide,
    )
    moves = make_model(
        [
            node("Conv", "x w", "c", "conv"),
            node("LRN", "c", "n", "norm", size=3, alpha=0.5),
            node("Resize", "n - scales", "r", "resize", mode="nearest"),
            node("AveragePool", "r", "m", "mean", kernel_shape=[2, 2], dilations=[2, 1]),
            node("Concat", "m m", "j", "join", axis=1),
            node("Slice", "j start end axis step", "y", "slice"),
        ],
        {
            "w": weights(4, 3, 3, 3),
            "scales": np.array([1, 1, 1.7, 2.3]),
            "start": np.array([-1]),
            "end": np.array([-100]),
            "axis": np.array([1]),
            "step": np.array([-2]),
        },
        opset=19,
        ir_version=9,
    )
    return {
        "asymmetric": asymmetric, "chain": chain, "edges": edges, "moves": moves, "qdq": qdq,
        "qlinear": qlinear, "unet": build_unet(16),
    }  # fmt: skip


def _of(rng: random.Random, items: Any) -> Any:
    return items[rng.randrange(len(items))] if len(items) else None


def damage_bytes(rng: random.Random, model: onnx.ModelProto) -> onnx.ModelProto:
    """Some bytes of the file, unless it is no model any more: `load_model` refuses those."""
    original = copy.deepcopy(model)
    content = bytearray(model.SerializeToString())
    for _ in range(rng.randrange(1, 9)):
        place = rng.randrange(len(content))
        match rng.randrange(3):
            case 0:
                content[place] = rng.randrange(256)
            case 1:
                del content[place]
            case _:
                content.insert(place, rng.randrange(256))
    try:
        model.ParseFromString(bytes(content))
    except Exception:  # protobuf's DecodeError, of which it publishes no type
        return copy.deepcopy(original)
    return model


def damage_attribute(rng: random.Random, model: onnx.ModelProto) -> onnx.ModelProto:
    """A value, the type or the name of an attribute, or another one."""
    chosen = _of(rng, [n for n in model.graph.node if n.attribute])
    if chosen is None:
        return model
    attribute = _of(rng, chosen.attribute)
    match rng.randrange(6):
        case 0:
            attribute.i = rng.choice(ODD_INTEGERS)
        case 1 if attribute.ints:
            attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(ODD_INTEGERS)
        case 2:
            attribute.ints.append(rng.choice(ODD_INTEGERS))
        case 3:
            attribute.type = rng.randrange(15)
        case 4:
            attribute.f = rng.choice(ODD_FLOATS)
        case _:
            other = rng.choice(("pads", "group", "axis", "auto_pad", "ceil_mode", "perm", "zzz"))
            chosen.attribute.append(helper.make_attribute(other, rng.choice(ODD_INTEGERS)))
    return model


def damage_shape(rng: random.Random, model: onnx.ModelProto) -> onnx.ModelProto:
    """A dimension of an input or a constant, or a number in a constant shape."""
    if rng.randrange(2):
        dims = _of(rng, model.graph.input).type.tensor_type.shape.dim
        if len(dims):
            _of(rng, dims).dim_value = rng.choice(ODD_INTEGERS)
        return model
    tensor = _of(rng, model.graph.initializer)
    if tensor is None:
        return model
    if tensor.data_type == TensorProto.INT64:
        try:
            array = numpy_helper.to_array(tensor).copy().reshape(-1)
        except ValueError:  # damaged before
            return model
        array[rng.randrange(len(array))] = rng.choice(ODD_INTEGERS)
        tensor.CopyFrom(numpy_helper.from_array(array.reshape(list(tensor.dims)), tensor.name))
    elif len(tensor.dims):
        if rng.randrange(2):
            tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(ODD_INTEGERS)
        else:
            shuffled = rng.sample(list(tensor.dims), len(tensor.dims))
            tensor.dims[:] = shuffled
    return model


def damage_type(rng: random.Random, model: onnx.ModelProto) -> onnx.ModelProto:
    """The element type of an input, an output or a constant."""
    kind = rng.randrange(24)
    match rng.randrange(3):
        case 0:
            _of(rng, model.graph.input).type.tensor_type.elem_type = kind
        case 1:
            _of(rng, model.graph.output).type.tensor_type.elem_type = kind
        case _:
            tensor = _of(rng, model.graph.initializer)
            if tensor is not None:
                tensor.data_type = kind
    return model


def damage_value(rng: random.Random, model: onnx.ModelProto) -> onnx.ModelProto:
    """A number of a float constant."""
    floats = [t for t in model.graph.initializer if t.data_type == TensorProto.FLOAT]
    tensor = _of(rng, floats)
    if tensor is not None:
        try:
            array = numpy_helper.to_array(tensor).copy()
        except ValueError:  # damaged before
            return model
        if array.size:
            array.reshape(-1)[rng.randrange(array.size)] = rng.choice(ODD_FLOATS)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return model


def damage_structure(rng: random.Random, model: onnx.ModelProto) -> onnx.ModelProto:
    """A node: its operator, its inputs, its place; or the versions."""
    nodes = model.graph.node
    chosen = _of(rng, nodes)
    names = [name for n in nodes for name in (*n.input, *n.output)]
    match rng.randrange(8):
        case 0:
            chosen.op_type = rng.choice(OPERATORS)
        case 1 if chosen.input:
            chosen.input[rng.randrange(len(chosen.input))] = rng.choice([*names, ""])
        case 2 if chosen.input:
            del chosen.input[rng.randrange(len(chosen.input))]
        case 3:
            chosen.input.append(rng.choice(names))
        case 4:
            nodes.remove(chosen)
        case 5:
            again = copy.deepcopy(chosen)
            again.output[:] = [f"{name}_again" for name in again.output]
            nodes.append(again)
            model.graph.output[0].name = again.output[0] if again.output else ""
        case 6:
            model.opset_import[0].version = rng.choice((1, 6, 7, 9, 10, 11, 12, 18, 21, 23, 99))
        case _:
            chosen.output.append(rng.choice(names))
    return model


DAMAGES: tuple[Damage, ...] = (
    damage_bytes,
    damage_attribute,
    damage_shape,
    damage_type,
    damage_value,
    damage_structure,
)


def damaged(number: int) -> tuple[str, onnx.ModelProto]:
    """A damaged model and what was done to it."""
    rng = random.Random(number)
    name = rng.choice(sorted(_built()))
    model, done = copy.deepcopy(_built()[name]), []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        damage = rng.choice(DAMAGES)
        model = damage(rng, model)
        done.append(damage.__name__)
        if not model.graph.node or not model.graph.input or not model.graph.output:
            break
    return f"{name}: {', '.join(done)}", model


def try_model(model: onnx.ModelProto) -> str:
    """What comes of a model: `refused`, `imported` or `equal` to ONNX Runtime.

    Raises:
        AssertionError: it computes something else than ONNX Runtime.
        Exception: whatever is no error of flexcc's own.
    """
    try:
        survey(model)
        network = import_network(fix_input_shapes(model, {}))
        lower(network.graph)
    except FlexccError:
        return "refused"
    return _compared(model, network)


def _compared(model: onnx.ModelProto, network: Network) -> str:
    rng = np.random.default_rng(0)
    inputs: dict[str, NDArray[Any]] = {}
    sizes = (kind.channels * kind.height * kind.width for kind in network.graph.tensors.values())
    if max(sizes) > LARGEST_COMPARED:
        return "imported"
    signatures = (
        [port.signature for port in network.graph.inputs]
        if network.host is None
        else network.host.inputs
    )
    for signature in signatures:
        kind = np.dtype(signature.dtype)
        values = rng.normal(size=signature.shape or ())
        inputs[signature.name] = (values if kind.kind == "f" else 100 + 20 * values).astype(kind)
    try:
        expected = run_onnx(model, inputs)
    except Exception:  # ONNX Runtime refuses more than flexcc does
        return "imported"
    try:
        results = run_network(network, inputs)
    except FlexccError:
        return "refused"
    for name, array in expected.items():
        ours = results[name]
        assert ours.shape == array.shape, f"{name}: {ours.shape} instead of {array.shape}"
        if array.size and np.isfinite(array.astype(float)).all():
            # A rounding more or less of an integer layer, or a class that was nearly a tie.
            wrong = np.abs(ours.astype(float) - array) > 0.1 + 1e-3 * np.abs(array)
            assert wrong.mean() <= 0.02, f"{name}: {wrong.mean():.0%} of the values differ"
    return "equal"


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"it takes more than {SECONDS_PER_MODEL} s")


def main(first: int, count: int) -> None:
    """Tries models and prints what fails, then how many ended how."""
    signal.signal(signal.SIGALRM, _too_long)
    counts: dict[str, int] = {}
    for number in range(first, first + count):
        what, model = damaged(number)
        signal.alarm(SECONDS_PER_MODEL)
        try:
            outcome = try_model(model)
        except Exception as error:  # each is a finding
            outcome = "failed"
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            text = str(error).splitlines() or [""]
            sys.stdout.write(f"{number} {what}: {type(error).__name__} at {where}: {text[0]}\n")
        signal.alarm(0)
        counts[outcome] = counts.get(outcome, 0) + 1
    sys.stdout.write(f"{dict(sorted(counts.items()))}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
