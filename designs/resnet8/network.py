# SPDX-License-Identifier: Apache-2.0
"""ResNet-8: one block of two convolutions per stage, small enough for memory on the chip."""

import onnx

from designs.network import Network

__all__ = ["build"]

SEED = 8
CLASSES = 10
_STAGES = (8, 16, 32)


def build(size: int = 16) -> onnx.ModelProto:
    """The network for images of size x size pixels; `size` is a multiple of 4."""
    net = Network("resnet8", (3, size, size), SEED)
    value = net.relu("relu0", net.conv("conv0", net.input, _STAGES[0], 3))
    for stage, channels in enumerate(_STAGES):
        value = _block(net, f"stage{stage}", value, channels, 2 if stage else 1)
    value = net.flatten("flatten", net.global_average_pool("avgpool", value))
    return net.model(net.gemm("fc", value, CLASSES))


def _block(net: Network, name: str, source: str, channels: int, stride: int) -> str:
    value = net.relu(f"{name}.relu1", net.conv(f"{name}.conv1", source, channels, 3, stride=stride))
    value = net.conv(f"{name}.conv2", value, channels, 3, gain=0.5)
    if net.shape(source) != net.shape(value):
        source = net.conv(f"{name}.skip", source, channels, 1, stride=stride, gain=1)
    return net.relu(f"{name}.relu2", net.add(f"{name}.add", value, source))
