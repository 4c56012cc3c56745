# SPDX-License-Identifier: Apache-2.0
"""VGG-16 without its fully connected layers: thirteen 3x3 convolutions and five poolings."""

import onnx

from designs.network import Network

__all__ = ["build"]

SEED = 4
_BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


def build(size: int = 224) -> onnx.ModelProto:
    """The network for images of size x size pixels; `size` is a multiple of 32."""
    net = Network("vgg16", (3, size, size), SEED)
    value = net.input
    for block, (channels, layers) in enumerate(_BLOCKS, start=1):
        for layer in range(1, layers + 1):
            name = f"block{block}_conv{layer}"
            value = net.relu(f"{name}_relu", net.conv(name, value, channels, 3))
        value = net.max_pool(f"block{block}_pool", value)
    return net.model(value)
