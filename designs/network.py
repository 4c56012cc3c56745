# SPDX-License-Identifier: Apache-2.0
"""Writes networks with seeded random weights as ONNX models, node by node.

Random weights show cycles and equality, never accuracy. They are scaled so that values neither
vanish nor explode on the way to the outputs. The same seed gives the same bytes.
"""

from collections.abc import Sequence
from math import prod, sqrt
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

__all__ = ["Network", "same_pads"]

_OPSET, _IR_VERSION = 17, 8
# Relu halves the mean square of its input.
_RELU_GAIN = sqrt(2)


def same_pads(size: int, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """Padding before and after that TensorFlow's SAME gives an axis: an odd pixel goes after."""
    span = (kernel - 1) * dilation + 1
    total = max((-(-size // stride) - 1) * stride + span - size, 0)
    return total // 2, total - total // 2


class Network:
    """A growing ONNX graph; methods add a node and return the name of its output.

    A node and its output share their name, `shape(value)` is [C, H, W] of one image.
    """

    def __init__(self, name: str, shape: tuple[int, int, int], seed: int) -> None:
        self._name = name
        self._rng = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, NDArray[Any]] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self.input = self._value("x", shape)

    def shape(self, value: str) -> tuple[int, ...]:
        """Channels, height and width of a value; [K] after `flatten`."""
        return self._shapes[value]

    def conv(
        self,
        name: str,
        source: str,
        channels: int,
        kernel: int | tuple[int, int],
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
        gain: float = _RELU_GAIN,
        pad: int | None = None,
    ) -> str:
        """Convolution; `pad` pixels on all sides, or SAME padding as TensorFlow's."""
        kh, kw = (kernel, kernel) if isinstance(kernel, int) else kernel
        depth, height, width = self.shape(source)
        (top, bottom), (left, right) = (
            same_pads(size, k, stride, dilation) if pad is None else (pad, pad)
            for size, k in ((height, kh), (width, kw))
        )
        inputs = [source, self._weight(name, (channels, depth // groups, kh, kw), gain)]
        inputs += [self._vector(f"{name}.bias", channels, 0, 0.1)] if bias else []
        size = (
            (height + top + bottom - (kh - 1) * dilation - 1) // stride + 1,
            (width + left + right - (kw - 1) * dilation - 1) // stride + 1,
        )
        return self._node(
            "Conv",
            name,
            inputs,
            (channels, *size),
            kernel_shape=[kh, kw],
            strides=[stride, stride],
            pads=[top, left, bottom, right],
            dilations=[dilation, dilation],
            group=groups,
        )

    def conv_transpose(self, name: str, source: str, channels: int, kernel: int) -> str:
        """Transposed convolution of stride 2 that doubles the image, with bias."""
        depth, height, width = self.shape(source)
        # Every output pixel sums a quarter of the kernel elements.
        weight = self._weight(name, (depth, channels, kernel, kernel), 2 * _RELU_GAIN, depth)
        before, after = same_pads(2 * height, kernel, 2)
        return self._node(
            "ConvTranspose",
            name,
            [source, weight, self._vector(f"{name}.bias", channels, 0, 0.1)],
            (channels, 2 * height, 2 * width),
            kernel_shape=[kernel, kernel],
            strides=[2, 2],
            pads=[before, before, after, after],
        )

    def batch_norm(self, name: str, source: str, epsilon: float = 1e-3) -> str:
        """Batch normalisation, with statistics near those of the random values."""
        channels = self.shape(source)[0]
        means = {"scale": (1, 0.1), "offset": (0, 0.1), "mean": (0, 0.1), "variance": (1, 0.1)}
        inputs = [source]
        for part, (mean, spread) in means.items():
            inputs.append(self._vector(f"{name}.{part}", channels, mean, spread))
        return self._node("BatchNormalization", name, inputs, self.shape(source), epsilon=epsilon)

    def relu(self, name: str, source: str) -> str:
        """max(x, 0)."""
        return self._node("Relu", name, [source], self.shape(source))

    def relu6(self, name: str, source: str) -> str:
        """min(max(x, 0), 6)."""
        bounds = [
            self._constant(f"{name}.{end}", np.float32(bound))
            for end, bound in (("min", 0), ("max", 6))
        ]
        return self._node("Clip", name, [source, *bounds], self.shape(source))

    def leaky_relu(self, name: str, source: str, alpha: float) -> str:
        """x, or alpha * x where it is negative."""
        return self._node("LeakyRelu", name, [source], self.shape(source), alpha=alpha)

    def prelu(self, name: str, source: str) -> str:
        """x, or slope * x where it is negative, with a slope per channel."""
        channels = self.shape(source)[0]
        slope = self._rng.uniform(0.05, 0.4, (channels, 1, 1)).astype(np.float32)
        inputs = [source, self._constant(f"{name}.slope", slope)]
        return self._node("PRelu", name, inputs, self.shape(source))

    def max_pool(
        self, name: str, source: str, kernel: int = 2, stride: int = 2, pad: int = 0
    ) -> str:
        """Max pooling with the same padding on all sides."""
        channels, *sizes = self.shape(source)
        height, width = ((size + 2 * pad - kernel) // stride + 1 for size in sizes)
        return self._node(
            "MaxPool",
            name,
            [source],
            (channels, height, width),
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[pad] * 4,
        )

    def pad_channels(self, name: str, source: str, channels: int) -> str:
        """Appends channels of zeros up to `channels`."""
        depth, *size = self.shape(source)
        pads = np.array([0, 0, 0, 0, 0, channels - depth, 0, 0], np.int64)
        inputs = [source, self._constant(f"{name}.pads", pads)]
        return self._node("Pad", name, inputs, (channels, *size))

    def upsample(self, name: str, source: str, mode: str) -> str:
        """Twice the height and width: `nearest`, or `linear` between each pixel and the next."""
        channels, height, width = self.shape(source)
        scales = self._constant(f"{name}.scales", np.array([1, 1, 2, 2], np.float32))
        extra = {"nearest_mode": "floor"} if mode == "nearest" else {}
        return self._node(
            "Resize",
            name,
            [source, "", scales],
            (channels, 2 * height, 2 * width),
            mode=mode,
            coordinate_transformation_mode="asymmetric",
            **extra,
        )

    def add(self, name: str, first: str, second: str) -> str:
        """The sum of two values of one shape."""
        if self.shape(first) != self.shape(second):
            raise ValueError(f"{name}: {self.shape(first)} and {self.shape(second)} do not add")
        return self._node("Add", name, [first, second], self.shape(first))

    def concat(self, name: str, sources: Sequence[str]) -> str:
        """The channels of all sources."""
        shapes = [self.shape(source) for source in sources]
        if len({shape[1:] for shape in shapes}) > 1:
            raise ValueError(f"{name}: {shapes} do not concatenate")
        channels = sum(shape[0] for shape in shapes)
        return self._node("Concat", name, list(sources), (channels, *shapes[0][1:]), axis=1)

    def global_average_pool(self, name: str, source: str) -> str:
        """The mean of every channel."""
        return self._node("GlobalAveragePool", name, [source], (self.shape(source)[0], 1, 1))

    def flatten(self, name: str, source: str) -> str:
        """All values of an image as one vector."""
        return self._node("Flatten", name, [source], (prod(self.shape(source)),))

    def gemm(self, name: str, source: str, outputs: int) -> str:
        """Fully connected layer."""
        inputs = [
            source,
            self._weight(name, (outputs, self.shape(source)[0]), 1),
            self._vector(f"{name}.bias", outputs, 0, 0.1),
        ]
        return self._node("Gemm", name, inputs, (outputs,), transB=1)

    def softmax(self, name: str, source: str) -> str:
        """Softmax over the channels."""
        return self._node("Softmax", name, [source], self.shape(source), axis=1)

    def model(self, output: str) -> onnx.ModelProto:
        """The model that computes `output`."""
        graph = helper.make_graph(
            self._nodes,
            self._name,
            [self._info(self.input)],
            [self._info(output)],
            [numpy_helper.from_array(array, name) for name, array in self._constants.items()],
        )
        result = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
        )
        onnx.checker.check_model(result)
        return result

    def _info(self, name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, *self.shape(name)))

    def _node(
        self, op: str, name: str, inputs: Sequence[str], shape: Sequence[int], **attributes: Any
    ) -> str:
        self._nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return self._value(name, tuple(shape))

    def _value(self, name: str, shape: tuple[int, ...]) -> str:
        if name in self._shapes:
            raise ValueError(f"two values are called {name}")
        self._shapes[name] = shape
        return name

    def _constant(self, name: str, array: Any) -> str:
        self._constants[name] = np.asarray(array)
        return name

    def _weight(
        self, name: str, shape: tuple[int, ...], gain: float, inputs: int | None = None
    ) -> str:
        """Normal weights; `inputs` is the number of values that each output sums."""
        spread = gain / sqrt(prod(shape[1:]) if inputs is None else inputs * prod(shape[2:]))
        values = self._rng.standard_normal(shape, np.float32) * np.float32(spread)
        return self._constant(f"{name}.weight", values)

    def _vector(self, name: str, size: int, mean: float, spread: float) -> str:
        """Values within two spreads of the mean."""
        values = self._rng.uniform(mean - 2 * spread, mean + 2 * spread, size)
        return self._constant(name, values.astype(np.float32))
