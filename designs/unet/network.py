# SPDX-License-Identifier: Apache-2.0
"""The residual U-Net of SuhailB/FlexCNN_TC: its skip connections add instead of concatenating."""

import onnx

from designs.network import Network

__all__ = ["build"]

SEED = 2
CLASSES = 3
_CHANNELS = (32, 64, 128, 256)
_SLOPE = 0.001


def build(size: int = 256) -> onnx.ModelProto:
    """The network for images of size x size pixels; `size` is a multiple of 16."""
    net = Network("unet", (3, size, size), SEED)
    value = net.input
    skips = []
    for level, channels in enumerate(_CHANNELS):
        skips.append(_residual(net, f"res{level}", value, channels, 5 if level == 0 else 3))
        value = net.max_pool(f"pool{level}", skips[-1])
    for level in reversed(range(len(_CHANNELS))):
        value = _activate(net, f"up{level}", value)
        value = net.conv_transpose(f"up{level}", value, _CHANNELS[level], 3)
        value = net.add(f"up{level}.add", value, skips[level])
    value = net.conv("logits", _activate(net, "logits", value), CLASSES, 1, gain=1)
    return net.model(net.softmax("softmax", value))


def _residual(net: Network, name: str, source: str, channels: int, kernel: int) -> str:
    value = _activate(net, name, source)
    value = net.conv(f"{name}.conv1", value, channels, kernel)
    value = net.leaky_relu(f"{name}.leaky2", value, _SLOPE)
    value = net.conv(f"{name}.conv2", value, channels, kernel, gain=0.7)
    shortcut = net.conv(f"{name}.proj", source, channels, 1, gain=0.7)
    return net.add(f"{name}.add", value, shortcut)


def _activate(net: Network, name: str, source: str) -> str:
    return net.leaky_relu(f"{name}.leaky", net.batch_norm(f"{name}.norm", source), _SLOPE)
