# SPDX-License-Identifier: Apache-2.0
"""Handlers of DepthToSpace and SpaceToDepth."""

from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.image import add_image, sizes_of
from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.values import Activation
from flexcc.ir.layers import DepthToSpace, Select, SpaceToDepth

__all__ = ["import_depth_to_space", "import_space_to_depth"]


def import_depth_to_space(node: Node, build: GraphBuilder) -> Activation:
    """DepthToSpace in both orders of channels, DCR and CRD."""
    node.expect_inputs(1, 1)
    source, block = _image(node)
    channels, height, width = sizes_of(build, source)
    if channels % block**2:
        raise NodeError(f"its {channels} channels are no multiple of {block}x{block}")
    columns_last = _takes_columns_last(node)
    deep = channels // block**2
    if columns_last and deep > 1 and block > 1:
        # Channel c*b*b + k becomes k*C + c.
        order = [c * block**2 + k for k in range(block**2) for c in range(deep)]
        names = build.fresh(f"{node.label}.channels"), build.fresh(f"{node.output}.channels")
        source = _with_channels(build, source, order, names)
    layer = DepthToSpace(name=node.label, inputs=(source.tensor,), output=node.output, block=block)
    sizes = deep, height * block, width * block
    return add_image(build, layer, source, sizes, source.quantization)


def import_space_to_depth(node: Node, build: GraphBuilder) -> Activation:
    """SpaceToDepth in both orders of channels, DCR and CRD."""
    node.expect_inputs(1, 1)
    source, block = _image(node)
    channels, height, width = sizes_of(build, source)
    if height % block or width % block:
        raise NodeError(f"its {height}x{width} pixels are no multiple of {block}x{block}")
    columns_last = _takes_columns_last(node) and channels > 1 and block > 1
    output = build.fresh(f"{node.output}.deep") if columns_last else node.output
    name = build.fresh(f"{node.label}.deep") if columns_last else node.label
    layer = SpaceToDepth(name=name, inputs=(source.tensor,), output=output, block=block)
    sizes = channels * block**2, height // block, width // block
    result = add_image(build, layer, source, sizes, source.quantization)
    if columns_last:
        # Channel k*C + c becomes c*b*b + k.
        order = [k * channels + c for c in range(channels) for k in range(block**2)]
        result = _with_channels(build, result, order, (node.label, node.output))
    return result


def _takes_columns_last(node: Node) -> bool:
    """Whether the mode is CRD: block positions vary faster than channels."""
    mode = node.take_string("mode", "DCR")
    if mode not in ("DCR", "CRD"):
        raise NodeError(f"mode={mode} is not defined by ONNX")
    node.finish()
    return mode == "CRD"


def _image(node: Node) -> tuple[Activation, int]:
    source = node.activation()
    if len(source.shape) != 4:
        raise NodeError(f"its input has shape {list(source.shape)}, not [1,C,H,W]")
    block = node.take_int("blocksize", 0)
    if block < 1:
        raise NodeError(f"its blocksize {block} is not positive")
    return source, block


def _with_channels(
    build: GraphBuilder, source: Activation, order: list[int], names: tuple[str, str]
) -> Activation:
    """The channels in another order; `names` are those of the layer and its output."""
    _, height, width = sizes_of(build, source)
    select = Select(
        name=names[0],
        inputs=(source.tensor,),
        output=names[1],
        channels=tuple(order),
        rows=tuple(range(height)),
        columns=tuple(range(width)),
    )
    return add_image(build, select, source, (len(order), height, width), source.quantization)
