# SPDX-License-Identifier: Apache-2.0
"""ResNet-50 version 1.5: the 3x3 convolutions of the bottlenecks carry the strides."""

import onnx

from designs.network import Network

__all__ = ["build"]

SEED = 5
CLASSES = 1000
_STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
_EPSILON = 1e-5


def build(size: int = 224) -> onnx.ModelProto:
    """The network for images of size x size pixels; `size` is a multiple of 32."""
    net = Network("resnet50", (3, size, size), SEED)
    value = _conv(net, "conv1", net.input, 64, 7, stride=2)
    value = net.max_pool("maxpool", net.relu("relu1", value), 3, 2, pad=1)
    for stage, (inner, blocks) in enumerate(_STAGES, start=1):
        for block in range(blocks):
            stride = 2 if stage > 1 and block == 0 else 1
            value = _bottleneck(net, f"layer{stage}.{block}", value, inner, stride)
    value = net.flatten("flatten", net.global_average_pool("avgpool", value))
    return net.model(net.gemm("fc", value, CLASSES))


def _bottleneck(net: Network, name: str, source: str, inner: int, stride: int) -> str:
    value = net.relu(f"{name}.relu1", _conv(net, f"{name}.conv1", source, inner, 1))
    value = _conv(net, f"{name}.conv2", value, inner, 3, stride=stride)
    value = net.relu(f"{name}.relu2", value)
    value = _conv(net, f"{name}.conv3", value, 4 * inner, 1, gain=0.5)
    if net.shape(source) != net.shape(value):
        source = _conv(net, f"{name}.downsample", source, 4 * inner, 1, stride=stride, gain=1)
    return net.relu(f"{name}.relu3", net.add(f"{name}.add", value, source))


def _conv(
    net: Network,
    name: str,
    source: str,
    channels: int,
    kernel: int,
    *,
    stride: int = 1,
    gain: float = 2**0.5,
) -> str:
    """Convolution padded alike on all sides, and its batch normalisation."""
    value = net.conv(
        name, source, channels, kernel, stride=stride, bias=False, gain=gain, pad=kernel // 2
    )
    return net.batch_norm(f"{name}.norm", value, _EPSILON)
