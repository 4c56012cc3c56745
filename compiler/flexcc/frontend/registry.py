# SPDX-License-Identifier: Apache-2.0
"""The table: ONNX operator to handler."""

from collections.abc import Callable, Mapping

from flexcc.frontend.blocks import import_depth_to_space, import_space_to_depth
from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.concat import import_concat
from flexcc.frontend.conv import import_conv, import_conv_transpose
from flexcc.frontend.elementwise import (
    import_add,
    import_batch_normalization,
    import_clip,
    import_div,
    import_leaky_relu,
    import_max,
    import_min,
    import_mul,
    import_neg,
    import_prelu,
    import_relu,
    import_sub,
    import_sum,
)
from flexcc.frontend.function import (
    FUNCTIONS,
    import_function,
    import_gelu,
    import_mish,
    import_pow,
    import_swish,
)
from flexcc.frontend.gemm import import_gemm, import_matmul
from flexcc.frontend.integers import import_conv_integer, import_matmul_integer
from flexcc.frontend.node import Node
from flexcc.frontend.normalization import import_lrn
from flexcc.frontend.pool import (
    import_average_pool,
    import_global_average_pool,
    import_global_max_pool,
    import_max_pool,
)
from flexcc.frontend.qdq import import_dequantize, import_quantize
from flexcc.frontend.reduce import import_reduce_max, import_reduce_mean
from flexcc.frontend.reshape import (
    import_cast,
    import_dropout,
    import_flatten,
    import_identity,
    import_reshape,
    import_shape,
    import_size,
    import_squeeze,
    import_unsqueeze,
)
from flexcc.frontend.resize import import_resize, import_upsample
from flexcc.frontend.select import (
    import_expand,
    import_gather,
    import_pad,
    import_slice,
    import_split,
    import_tile,
)
from flexcc.frontend.transpose import import_transpose
from flexcc.frontend.values import Activation, Value

__all__ = ["HANDLERS", "Handler", "no_handler", "supported_operators"]

# A handler adds the layers of a node to the graph and returns the value of its first output, or a
# list of the values of its first outputs.
Handler = Callable[[Node, GraphBuilder], Value | list[Activation]]

HANDLERS: Mapping[str, Handler] = {
    "Add": import_add,
    "AveragePool": import_average_pool,
    "BatchNormalization": import_batch_normalization,
    "Cast": import_cast,
    "Clip": import_clip,
    "Concat": import_concat,
    "Conv": import_conv,
    "ConvInteger": import_conv_integer,
    "ConvTranspose": import_conv_transpose,
    "DepthToSpace": import_depth_to_space,
    "DequantizeLinear": import_dequantize,
    "Div": import_div,
    "Dropout": import_dropout,
    "Expand": import_expand,
    "Flatten": import_flatten,
    "Gather": import_gather,
    "Gelu": import_gelu,
    "Gemm": import_gemm,
    "GlobalAveragePool": import_global_average_pool,
    "GlobalMaxPool": import_global_max_pool,
    "Identity": import_identity,
    "LRN": import_lrn,
    "LeakyRelu": import_leaky_relu,
    "MatMul": import_matmul,
    "MatMulInteger": import_matmul_integer,
    "Max": import_max,
    "MaxPool": import_max_pool,
    "Min": import_min,
    "Mish": import_mish,
    "Mul": import_mul,
    "Neg": import_neg,
    "PRelu": import_prelu,
    "Pad": import_pad,
    "Pow": import_pow,
    "QuantizeLinear": import_quantize,
    "ReduceMax": import_reduce_max,
    "ReduceMean": import_reduce_mean,
    "Relu": import_relu,
    "Reshape": import_reshape,
    "Resize": import_resize,
    "Shape": import_shape,
    "Size": import_size,
    "Slice": import_slice,
    "SpaceToDepth": import_space_to_depth,
    "Split": import_split,
    "Squeeze": import_squeeze,
    "Sub": import_sub,
    "Sum": import_sum,
    "Swish": import_swish,
    "Tile": import_tile,
    "Transpose": import_transpose,
    "Unsqueeze": import_unsqueeze,
    "Upsample": import_upsample,
    **dict.fromkeys(FUNCTIONS, import_function),
}

# What else to do than to use an operator.
_TO_QCDQ = "convert the model to the form QCDQ, with QONNX's own transformation"
_REMEDIES = {
    "BipolarQuant": _TO_QCDQ,
    "DynamicQuantizeLinear": "its scale depends on the image; quantise the float model instead, on "
    "samples, as `flexcc quantize` does",
    "Quant": _TO_QCDQ,
    "Trunc": _TO_QCDQ,
}

_USUAL = ("Elu", "HardSwish", "Sigmoid", "Tanh")


def no_handler(operator: str) -> str:
    """Why an operator without a handler is refused."""
    remedy = _REMEDIES.get(operator)
    return "this operator is not supported" + (f": {remedy}" if remedy else "")


def supported_operators() -> str:
    """All operators, in a sentence for errors; of functions of one variable a few."""
    others = sorted(HANDLERS.keys() - set(FUNCTIONS))
    return f"Supported are {', '.join(others)}, and functions such as {', '.join(_USUAL)}."
