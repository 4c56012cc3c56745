# SPDX-License-Identifier: Apache-2.0
"""One ONNX node as its handler sees it, who must take every attribute and know every input."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from copy import copy
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from flexcc.frontend.values import (
    Activation,
    Constant,
    Integers,
    QuantizedConstant,
    Readable,
    Unusable,
    Value,
)

__all__ = ["AlreadyToldError", "ModelInputError", "Node", "NodeError", "finite"]


class NodeError(Exception):
    """Why a node is refused; the importer adds its name and operator."""


class ModelInputError(NodeError):
    """Why the input of the model that a node reads cannot be used; complete in itself."""


class AlreadyToldError(Exception):
    """The node depends on something refused before; nothing more is to be said."""


class Node:
    """A node, its resolved inputs and its label, unique in the model.

    Attributes are taken by name; what nobody takes is refused by `finish`.
    """

    def __init__(
        self,
        proto: onnx.NodeProto,
        *,
        label: str,
        opset: int,
        inputs: Sequence[Value | None],
        used_outputs: Sequence[bool],
        model_inputs: AbstractSet[str],
    ) -> None:
        self.label = label
        self.op = proto.op_type
        self.opset = opset
        self.inputs = inputs
        self.outputs = list(proto.output)
        self._used_outputs = used_outputs
        self._model_inputs = model_inputs
        self._attributes = {attribute.name: attribute for attribute in proto.attribute}

    def reading(self, *inputs: Value | None) -> "Node":
        """The same node with other inputs."""
        result = copy(self)
        result.inputs = inputs
        return result

    @property
    def output(self) -> str:
        """The name of the first output."""
        return str(self.outputs[0])

    def take_int(self, name: str, default: int) -> int:
        """The integer attribute `name`."""
        return int(self._take(name, onnx.AttributeProto.INT, default))

    def take_float(self, name: str, default: float) -> float:
        """The float attribute `name`; infinite only if its default is."""
        value = float(self._take(name, onnx.AttributeProto.FLOAT, default))
        if np.isnan(value) or (np.isinf(value) and not np.isinf(default)):
            raise NodeError(f"its attribute {name} is {value}, not a finite number")
        return value

    def take_ints(self, name: str) -> list[int] | None:
        """The integer list `name`, None if absent."""
        value = self._take(name, onnx.AttributeProto.INTS, None)
        return None if value is None else [int(item) for item in value]

    def take_floats(self, name: str) -> list[float] | None:
        """The float list `name`, None if absent."""
        value = self._take(name, onnx.AttributeProto.FLOATS, None)
        return None if value is None else [float(item) for item in value]

    def take_string(self, name: str, default: str) -> str:
        """The string attribute `name`."""
        value = self._take(name, onnx.AttributeProto.STRING, default.encode())
        return bytes(value).decode(errors="replace")

    def _take(self, name: str, kind: int, default: object) -> Any:
        attribute = self._attributes.pop(name, None)
        if attribute is None:
            return default
        if attribute.type != kind:
            raise NodeError(f"its attribute {name} has the wrong type")
        return onnx.helper.get_attribute_value(attribute)

    def finish(self, outputs: int = 1) -> None:
        """Refuses the node if an attribute was not taken or an output beyond these is used."""
        if self._attributes:
            raise NodeError(f"its attribute {sorted(self._attributes)[0]} is not supported")
        if any(self._used_outputs[outputs:]):
            raise NodeError("only its first output is supported, but another is used")

    def expect_inputs(self, least: int, most: int) -> None:
        """Refuses the node unless it has from `least` to `most` inputs, the first all given."""
        given = [value is not None for value in self.inputs]
        if not all(given[:least]) or len(given) < least or len(given) > most:
            numbers = str(least) if least == most else f"{least} to {most}"
            raise NodeError(f"it has {sum(given)} inputs, not {numbers}")

    def has_input(self, index: int) -> bool:
        """Whether the optional input is there."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def input(self, index: int) -> Readable:
        """An input that must be there, of any kind that can be read."""
        value = self.inputs[index]
        if value is None:
            raise NodeError(f"its input {index} is missing")
        if isinstance(value, Unusable):
            if value.reason is None:
                raise AlreadyToldError
            raise ModelInputError(value.reason)
        return value

    def activation(self, index: int = 0) -> Activation:
        """An input that must be computed and real, its values in the order of its tensor."""
        value = self.view(index)
        if value.axes is not None:
            raise NodeError(
                f"it reads '{value.tensor}' transposed, its dimensions as axes {list(value.axes)} "
                "of [1,C,H,W]; only elementwise operators may stand between transposes, export "
                "the model with channels first"
            )
        return value

    def view(self, index: int = 0) -> Activation:
        """An input that must be computed and real, perhaps transposed."""
        value = self.input(index)
        if isinstance(value, Integers):
            raise NodeError(
                "it works on integers; DequantizeLinear and QuantizeLinear must surround it"
            )
        if not isinstance(value, Activation):
            raise NodeError(f"its input '{value.name}' is a constant, not a computed tensor")
        return value

    def signal(self, index: int = 0, *, volumes: bool = False) -> Activation:
        """An activation of shape [1,C,H,W] or [1,C,L], or [1,C,D,H,W] where `volumes` may be."""
        value = self.activation(index)
        if len(value.shape) not in (3, 4, *([5] if volumes else [])):
            wanted = "[1,C,D,H,W], [1,C,H,W]" if volumes else "[1,C,H,W]"
            raise NodeError(f"its input has shape {list(value.shape)}, not {wanted} or [1,C,L]")
        return value

    def parameter(self, index: int) -> Constant | QuantizedConstant:
        """An input that must be known at compile time."""
        value = self.inputs[index]
        if isinstance(value, Unusable) and value.reason is not None:
            raise NodeError(_no_initialiser(value.name))
        value = self.input(index)
        if isinstance(value, Constant | QuantizedConstant):
            return value
        if value.tensor in self._model_inputs:
            raise NodeError(_no_initialiser(value.tensor))
        raise NodeError(f"its input '{value.tensor}' must be a constant, but the model computes it")

    def floats(self, index: int) -> NDArray[np.float32]:
        """A constant of finite float32 numbers."""
        value = self.parameter(index)
        if isinstance(value, QuantizedConstant):
            raise NodeError(f"its constant '{value.name}' is quantised, which is not supported")
        return finite(value.name, value.array)

    def integers(self, index: int) -> list[int]:
        """A constant list of int64, such as a shape."""
        value = self.parameter(index)
        if isinstance(value, QuantizedConstant) or value.array.dtype != np.int64:
            raise NodeError(f"its constant '{value.name}' is not int64")
        return [int(item) for item in value.array.reshape(-1)]


def _no_initialiser(name: str) -> str:
    return (
        f"'{name}' must be a constant, but the model holds no initialiser of this name, only an "
        "input; export the model again with its weights"
    )


def finite(name: str, array: NDArray[Any]) -> NDArray[np.float32]:
    """The array, if it holds finite float32 numbers and at least one."""
    if array.dtype != np.float32:
        raise NodeError(f"its constant '{name}' is {array.dtype}, not float32")
    if array.size == 0:
        raise NodeError(f"its constant '{name}' is empty: shape {list(array.shape)}")
    sound = np.isfinite(array)
    if not sound.all():
        bad = np.argwhere(~sound)
        raise NodeError(
            f"its constant '{name}' holds {len(bad)} NaN or infinite values, the first at "
            f"{bad[0].tolist()}; export the model again from sound weights"
        )
    return array
