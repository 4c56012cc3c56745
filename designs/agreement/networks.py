# SPDX-License-Identifier: Apache-2.0
"""The networks that are compared, each in integers, and the inputs they are compared on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from designs.enet import accuracy as enet
from designs.models import NETWORKS
from designs.trained import centerface, mnist_conv, openpose, unet_pupil
from designs.trained.harness import Floats
from flexcc.frontend import import_model, load_calibration, load_model
from flexcc.frontend.network import import_network
from flexcc.ir.graph import Graph
from flexcc.passes import lower
from flexcc.quantization import QuantizationOptions, quantize

__all__ = ["CASES", "Case", "random_network"]

_SEED = 1
_SAMPLES = 2
_DIGITS, _PICTURES = 100, 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """An integer graph with one input, and inputs [K,C,H,W] for it."""

    graph: Graph
    x: Floats


def _mnist_conv() -> Case:
    x, _ = mnist_conv.digits()
    chosen = np.arange(_DIGITS) * len(x) // _DIGITS
    return Case(graph=mnist_conv.network().quantized.graph, x=x[chosen])


def _unet_pupil() -> Case:
    x, _ = unet_pupil.pictures(_PICTURES)
    return Case(graph=unet_pupil.network().quantized.graph, x=x)


def _centerface() -> Case:
    return Case(graph=centerface.network().quantized.graph, x=centerface.picture())


def _openpose(options: QuantizationOptions | None) -> Case:
    return Case(graph=openpose.network(options).quantized.graph, x=openpose.picture())


def _trained_enet() -> Case:
    graph = lower(import_model(load_model(enet.MODEL)))
    with np.load(enet.PICTURES) as held_out:
        x = held_out["x"][:_PICTURES].astype(np.float32)
    return Case(graph=quantize(graph, load_calibration(enet.CALIBRATION, graph)).graph, x=x)


def random_network(build: Callable[[], onnx.ModelProto]) -> Case:
    """What the accelerator computes of a network with random weights, on random inputs."""
    graph = lower(import_network(build()).graph)
    (port,) = graph.inputs
    rng = np.random.default_rng(_SEED)
    x = rng.standard_normal((_SAMPLES + 1, *port.onnx_shape[1:]), np.float32)
    integer = quantize(graph, {port.tensor: x[:_SAMPLES]}).graph
    return Case(graph=integer, x=x[_SAMPLES:])


def _random(build: Callable[[], onnx.ModelProto]) -> Callable[[], Case]:
    return lambda: random_network(build)


CASES: Mapping[str, Callable[[], Case]] = {
    "mnist_conv": _mnist_conv,
    "E-Net, trained": _trained_enet,
    "unet_pupil": _unet_pupil,
    "centerface_512": _centerface,
    "openpose_mobilenet_thin, 8 bits": lambda: _openpose(QuantizationOptions()),
    "openpose_mobilenet_thin, 16 bits where needed": lambda: _openpose(None),
    **{f"{name}, random weights": _random(build) for name, build in NETWORKS.items()},
}
"""What makes each case, by the name that the figures carry."""
