# SPDX-License-Identifier: Apache-2.0
"""The layer IR: what is computed."""

from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import (
    Clamp,
    Conv2d,
    Convolution,
    ConvTranspose2d,
    Cost,
    Layer,
    MaxPool2d,
    Pads,
)
from flexcc.ir.types import Quantization, TensorType

__all__ = [
    "Clamp",
    "Conv2d",
    "ConvTranspose2d",
    "Convolution",
    "Cost",
    "Graph",
    "Layer",
    "MaxPool2d",
    "Pads",
    "Port",
    "Quantization",
    "TensorType",
]
