# SPDX-License-Identifier: Apache-2.0
"""Handler of Concat."""

import numpy as np

from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.image import add_image, image_axis, positive_axis, sizes_of
from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.select import add_select
from flexcc.frontend.values import Activation, Constant, QuantizedConstant
from flexcc.ir.layers import Concat

__all__ = ["import_concat"]


def import_concat(node: Node, build: GraphBuilder) -> Activation:
    """Concat along channels, rows or columns; of one tensor with constants of one number each."""
    node.expect_inputs(1, len(node.inputs))
    values = [node.input(index) for index in range(len(node.inputs))]
    if any(isinstance(value, Constant | QuantizedConstant) for value in values):
        return _with_constants(node, build)
    sources = [node.view(index) for index in range(len(values))]
    first = sources[0]
    axis = positive_axis(first, node.take_int("axis", 1))
    where = image_axis(first, axis)
    if where is None:
        raise NodeError("it joins along the batch, which is 1")
    for source in sources[1:]:
        same = [size for dim, size in enumerate(source.shape) if dim != axis]
        wanted = [size for dim, size in enumerate(first.shape) if dim != axis]
        if same != wanted or source.axes != first.axes:
            raise NodeError(
                f"its operands of shapes {list(first.shape)} and {list(source.shape)} do not fit"
            )
    if len(sources) == 1:
        node.finish()
        return first
    layer = Concat(
        name=node.label,
        inputs=tuple(source.tensor for source in sources),
        output=node.output,
        axis=where,
    )
    node.finish()
    sizes = list(sizes_of(build, first))
    sizes[where] = sum(sizes_of(build, source)[where] for source in sources)
    shared = {source.quantization for source in sources}
    quantization = shared.pop() if len(shared) == 1 else None
    return add_image(build, layer, sources, (sizes[0], sizes[1], sizes[2]), quantization)


def _with_constants(node: Node, build: GraphBuilder) -> Activation:
    """One computed tensor among constants that are each one number: it is padded."""
    computed = [
        index
        for index in range(len(node.inputs))
        if not isinstance(node.input(index), Constant | QuantizedConstant)
    ]
    if len(computed) != 1:
        raise NodeError("of several computed tensors and constants only the former can be joined")
    source = node.view(computed[0])
    axis = positive_axis(source, node.take_int("axis", 1))
    indices: list[int] = []
    numbers = set()
    for index in range(len(node.inputs)):
        if index == computed[0]:
            indices += range(source.shape[axis])
            continue
        value = node.parameter(index)
        array = value.real() if isinstance(value, QuantizedConstant) else value.array
        wanted = list(source.shape)
        if array.ndim == len(wanted):
            wanted[axis] = array.shape[axis]
        if list(array.shape) != wanted:
            raise NodeError(f"its constant of shape {list(array.shape)} does not fit {wanted}")
        numbers |= set(np.unique(array).tolist())
        indices += [-1] * array.shape[axis]
    if len(numbers) > 1 or not np.isfinite(list(numbers)).all():
        raise NodeError("its constants hold more than one number, or one that is not finite")
    fill = float(np.float32(numbers.pop())) if numbers else 0.0
    return add_select(node, build, source, {axis: indices}, fill=fill)
