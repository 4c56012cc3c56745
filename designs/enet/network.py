# SPDX-License-Identifier: Apache-2.0
"""E-Net as in soumik12345/Enet-Tensorflow, with native PRelu and three classes."""

import onnx

from designs.network import Network

__all__ = ["build"]

SEED = 1
CLASSES = 3
# Middle convolutions of sections 2 and 3: a dilation, or None for a 1x5 and 5x1 pair.
_MIDDLES = (1, 2, None, 4, 1, 8, None, 16)


def build(size: int = 288, *, classes: int = CLASSES, width: int = 64) -> onnx.ModelProto:
    """The network for images of size x size pixels; `size` is a multiple of 8.

    Sections 1 and 4 have `width` channels, a multiple of 4; 2 and 3 twice as many.
    """
    net = Network("enet", (3, size, size), SEED)
    conv = net.conv("init.conv", net.input, 13, 3, stride=2, gain=1)
    value = net.concat("init", [conv, net.max_pool("init.pool", net.input)])
    value = _encode(net, "1.0", value, width, down=True)
    for index in range(1, 5):
        value = _encode(net, f"1.{index}", value, width)
    value = _encode(net, "2.0", value, 2 * width, down=True)
    for section in (2, 3):
        for index, dilation in enumerate(_MIDDLES, start=1 if section == 2 else 0):
            value = _encode(net, f"{section}.{index}", value, 2 * width, dilation=dilation)
    value = _decode(net, "4.0", value, width, up=True)
    for index in (1, 2):
        value = _decode(net, f"4.{index}", value, width)
    value = _decode(net, "5.0", value, 16, up=True)
    value = _decode(net, "5.1", value, 16)
    return net.model(net.conv_transpose("fullconv", value, classes, 2))


def _encode(
    net: Network,
    name: str,
    source: str,
    channels: int,
    *,
    down: bool = False,
    dilation: int | None = 1,
) -> str:
    """Bottleneck of the encoder, whose shortcut is the input, or its pooled, widened form."""
    inner = channels // 4
    value = net.conv(
        f"{name}.c1", source, inner, 2 if down else 1, stride=2 if down else 1, bias=False
    )
    value = net.prelu(f"{name}.p1", net.batch_norm(f"{name}.n1", value))
    if dilation is None:
        value = net.conv(f"{name}.a1", value, inner, (1, 5), bias=False, gain=1)
        value = net.conv(f"{name}.a2", value, inner, (5, 1))
    else:
        value = net.conv(f"{name}.c2", value, inner, 3, dilation=dilation)
    value = net.prelu(f"{name}.p2", net.batch_norm(f"{name}.n2", value))
    value = net.conv(f"{name}.c3", value, channels, 1, bias=False, gain=0.5)
    value = net.batch_norm(f"{name}.n3", value)
    if down:
        source = net.max_pool(f"{name}.pool", source)
        source = net.pad_channels(f"{name}.pad", source, channels)
    return net.prelu(f"{name}.p3", net.add(f"{name}.add", value, source))


def _decode(net: Network, name: str, source: str, channels: int, *, up: bool = False) -> str:
    """Bottleneck of the decoder, whose shortcut is the input, or its narrowed, enlarged form."""
    inner = channels // 4
    value = net.conv(f"{name}.c1", source, inner, 1, bias=False)
    value = net.relu(f"{name}.r1", net.batch_norm(f"{name}.n1", value))
    if up:
        value = net.conv_transpose(f"{name}.t2", value, inner, 3)
    else:
        value = net.conv(f"{name}.c2", value, inner, 3)
    value = net.relu(f"{name}.r2", net.batch_norm(f"{name}.n2", value))
    value = net.conv(f"{name}.c3", value, channels, 1, bias=False, gain=0.5)
    value = net.batch_norm(f"{name}.n3", value)
    if up:
        source = net.conv(f"{name}.skip", source, channels, 1, bias=False)
        source = net.batch_norm(f"{name}.n4", source)
        source = net.upsample(f"{name}.up", source, "nearest")
    return net.relu(f"{name}.r3", net.add(f"{name}.add", value, source))
