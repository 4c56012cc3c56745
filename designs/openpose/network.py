# SPDX-License-Identifier: Apache-2.0
"""OpenPose of tf-pose-estimation: mobilenet_v2_small, width 0.5, six refinement stages."""

import onnx

from designs.network import Network

__all__ = ["build"]

SEED = 3
# Expansion block: input multiplied by, output channels, stride of the depthwise convolution.
_BLOCKS = (
    (1, 8, 1),
    (6, 16, 2),
    (6, 16, 1),
    (6, 16, 2),
    (6, 16, 1),
    (6, 16, 1),
    (6, 32, 2),
    (6, 32, 1),
    (6, 32, 1),
    (6, 32, 1),
    (6, 48, 1),
    (6, 48, 1),
    (6, 48, 1),
)
_FIELDS, _HEAT_MAPS = 38, 19
_STAGES = 6


def build(size: int = 384) -> onnx.ModelProto:
    """The network for images of size x size pixels; `size` is a multiple of 16."""
    net = Network("openpose", (3, size, size), SEED)
    features = _backbone(net)
    value = features
    fields = heat_maps = ""
    for stage in range(1, _STAGES + 1):
        fields = _branch(net, stage, "L1", value, _FIELDS)
        heat_maps = _branch(net, stage, "L2", value, _HEAT_MAPS)
        if stage < _STAGES:
            value = net.concat(f"MConv_Stage{stage + 1}_concat", [fields, heat_maps, features])
    return net.model(net.concat("concat_stage7", [heat_maps, fields]))


def _backbone(net: Network) -> str:
    value = _normalised_relu6(net, net.conv("Conv", net.input, 16, 3, stride=2, bias=False))
    blocks = []
    for index, (factor, channels, stride) in enumerate(_BLOCKS):
        name = "expanded_conv" if index == 0 else f"expanded_conv_{index}"
        source, depth = value, net.shape(value)[0]
        if factor > 1:
            expanded = net.conv(f"{name}/expand", value, factor * depth, 1, bias=False)
            value = _normalised_relu6(net, expanded)
        adds = stride == 1 and depth == channels
        value = _depthwise(net, f"{name}/project", value, 3, stride=stride)
        value = _normalised_relu6(net, value)
        value = net.conv(f"{name}/project", value, channels, 1, bias=False, gain=0.7)
        value = net.batch_norm(f"{value}/norm", value)
        if adds:
            value = net.add(f"{name}/add", value, source)
        blocks.append(value)
    enlarged = net.upsample("base/layer_14/output/upsample", blocks[-1], "linear")
    return net.concat("feat_concat", [blocks[5], enlarged])


def _branch(net: Network, stage: int, branch: str, source: str, outputs: int) -> str:
    """Five separable convolutions, the last without activation."""
    wide = 256 if stage == 1 else 64
    value = source
    for index, (kernel, channels) in enumerate(
        ((3, 64), (3, 64), (3, 64), (1, wide), (1, outputs)), start=1
    ):
        name = f"MConv_Stage{stage}_{branch}_{index}"
        value = _depthwise(net, name, value, kernel, gain=1)
        last = index == 5
        value = net.conv(name, value, channels, 1, bias=False, gain=1 if last else 2**0.5)
        value = net.batch_norm(f"{name}/norm", value)
        if not last:
            value = net.relu(f"{name}/relu", value)
    return value


def _depthwise(
    net: Network, name: str, source: str, kernel: int, *, stride: int = 1, gain: float = 2**0.5
) -> str:
    channels = net.shape(source)[0]
    return net.conv(
        f"{name}/depthwise",
        source,
        channels,
        kernel,
        stride=stride,
        groups=channels,
        bias=False,
        gain=gain,
    )


def _normalised_relu6(net: Network, source: str) -> str:
    return net.relu6(f"{source}/relu6", net.batch_norm(f"{source}/norm", source))
