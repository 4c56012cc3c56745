# SPDX-License-Identifier: Apache-2.0
"""The table: ONNX operator to handler."""

from collections.abc import Callable, Mapping

from flexcc.frontend.builder import GraphBuilder
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
from flexcc.frontend.pool import import_max_pool
from flexcc.frontend.qdq import import_dequantize, import_quantize
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
from flexcc.frontend.transpose import import_transpose
from flexcc.frontend.values import Value

__all__ = ["HANDLERS", "Handler"]

# A handler adds the layers of a node to the graph and returns the value of its first output.
Handler = Callable[[Node, GraphBuilder], Value]

HANDLERS: Mapping[str, Handler] = {
    "Add": import_add,
    "BatchNormalization": import_batch_normalization,
    "Cast": import_cast,
    "Clip": import_clip,
    "Conv": import_conv,
    "ConvInteger": import_conv_integer,
    "ConvTranspose": import_conv_transpose,
    "DequantizeLinear": import_dequantize,
    "Div": import_div,
    "Dropout": import_dropout,
    "Flatten": import_flatten,
    "Gelu": import_gelu,
    "Gemm": import_gemm,
    "Identity": import_identity,
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
    "Pow": import_pow,
    "QuantizeLinear": import_quantize,
    "Relu": import_relu,
    "Reshape": import_reshape,
    "Shape": import_shape,
    "Size": import_size,
    "Squeeze": import_squeeze,
    "Sub": import_sub,
    "Sum": import_sum,
    "Swish": import_swish,
    "Transpose": import_transpose,
    "Unsqueeze": import_unsqueeze,
    **dict.fromkeys(FUNCTIONS, import_function),
}
