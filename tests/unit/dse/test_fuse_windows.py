# SPDX-License-Identifier: Apache-2.0
"""Which depthwise layers go in front of the array, and when the explorer wants it."""

import numpy as np
import pytest

from flexcc.dse.fuse_windows import apart, fuse_windows
from flexcc.dse.lower import fusion_groups
from flexcc.dse.mapping import stage_of
from flexcc.dse.resources import multipliers
from flexcc.dse.solver import explore
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Conv2d, Layer, Pads
from flexcc.ir.types import Quantization, TensorType
from flexcc.targets.device import load_device

_KERNELS = {"dw": 3, "scale": 1, "pw": 1, "conv": 3}


def _conv(name: str, source: str, channels: int) -> Conv2d:
    kind = name.rstrip("0123456789")
    depthwise, kernel = kind in ("dw", "scale"), _KERNELS[kind]
    pad = kernel // 2
    return Conv2d(
        name=name,
        inputs=(source,),
        output=f"{name}_out",
        weight=np.ones((channels, 1 if depthwise else channels, kernel, kernel), np.int8),
        weight_scale=np.full(channels, 1 / 64, np.float32),
        bias=np.zeros(channels, np.int32),
        pads=Pads(top=pad, left=pad, bottom=pad, right=pad),
        groups=channels if depthwise else 1,
    )


def _graph(*edges: tuple[str, str], outputs: tuple[str, ...], size: int = 8) -> Graph:
    channels = 16
    layers: tuple[Layer, ...] = tuple(_conv(name, source, channels) for name, source in edges)
    tensor = TensorType(
        channels=channels,
        height=size,
        width=size,
        quantization=Quantization(scale=1.0, zero_point=0),
    )
    names = ["x", *(layer.output for layer in layers)]

    def port(name: str) -> Port:
        return Port(tensor=name, onnx_name=name, onnx_shape=(1, channels, size, size))

    return Graph(
        name="net",
        inputs=(port("x"),),
        outputs=tuple(port(name) for name in outputs),
        tensors=dict.fromkeys(names, tensor),
        layers=layers,
    )


def _fused(graph: Graph, taps: int = 9) -> list[str]:
    return [str(chain) for chain in fuse_windows(graph, fusion_groups(graph), taps=taps)]


def test_a_depthwise_layer_goes_in_front_of_its_only_reader() -> None:
    graph = _graph(("dw", "x"), ("pw", "dw_out"), outputs=("pw_out",))
    assert _fused(graph) == ["dw + pw"]
    assert _fused(graph, taps=1) == ["dw", "pw"]


def test_any_convolution_takes_a_scaling_layer() -> None:
    graph = _graph(("scale", "x"), ("conv", "scale_out"), outputs=("conv_out",))
    assert _fused(graph, taps=1) == ["scale + conv"]


def test_of_two_the_last_one_is_fused() -> None:
    edges = (("scale", "x"), ("dw", "scale_out"), ("pw", "dw_out"))
    assert _fused(_graph(*edges, outputs=("pw_out",))) == ["scale", "dw + pw"]


def test_what_others_read_stays() -> None:
    two = _graph(("dw", "x"), ("pw1", "dw_out"), ("pw2", "dw_out"), outputs=("pw1_out", "pw2_out"))
    assert _fused(two) == ["dw", "pw1", "pw2"]
    shown = _graph(("dw", "x"), ("pw", "dw_out"), outputs=("pw_out", "dw_out"))
    assert _fused(shown) == ["dw", "pw"]


def test_a_stage_comes_apart() -> None:
    graph = _graph(("dw", "x"), ("pw", "dw_out"), outputs=("pw_out",))
    (chain,) = fuse_windows(graph, fusion_groups(graph))
    stage = stage_of(graph, chain)
    assert (stage.input_tensor, stage.output_tensor) == ("x", "pw_out")
    first, second = apart(stage)
    assert (first.input_tensor, first.output_tensor) == ("x", "dw_out")
    assert (second.input_tensor, second.output_tensor) == ("dw_out", "pw_out")
    with pytest.raises(ValueError, match="no window layer"):
        apart(second)


def test_the_explorer_builds_the_engine_where_it_pays() -> None:
    device = load_device("u250")
    graph = _graph(("dw", "x"), ("pw", "dw_out"), outputs=("pw_out",), size=56)
    mapping = explore(graph, device, (16, 8, 16)).mapping
    assert [str(group.chain) for group in mapping.groups] == ["dw + pw"]
    a = mapping.accelerator
    assert a.window_taps == 9
    assert a.window_channels == 16
    # 16x8x16 packed, 2 a requantise lane, 64 bytes x 9 taps packed, 2 a byte, 1 elsewhere.
    assert multipliers(a, device.family) == 1024 + 2 * 8 * a.q + 288 + 128 + 1


def test_the_explorer_leaves_out_an_engine_without_layers() -> None:
    graph = _graph(("pw", "x"), ("conv", "pw_out"), outputs=("conv_out",))
    assert explore(graph, load_device("u250"), (16, 8, 16)).mapping.accelerator.window_taps == 0
