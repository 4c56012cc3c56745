# SPDX-License-Identifier: Apache-2.0
"""Useful work is what the model asks for, whatever the hardware does for it."""

from dataclasses import replace

import numpy as np
import pytest

from flexcc.backend.plan import build_plan
from flexcc.build import Build
from flexcc.dse import explore, lower
from flexcc.figures import build_report, with_verification
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Conv2d, MaxPool2d, Pads
from flexcc.ir.macs import is_depthwise, useful_macs
from flexcc.ir.shapes import output_shape
from flexcc.ir.types import Quantization, TensorType
from flexcc.report import Difference, Report, Verification
from flexcc.targets.device import load_device
from tests.models import transposed

EQUAL = Verification(equal=True, images=1, compared_bytes=100, first_difference=None)


def conv(name: str, source: str, *, inputs: int, outputs: int, groups: int = 1) -> Conv2d:
    return Conv2d(
        name=name,
        inputs=(source,),
        output=f"{name}_out",
        weight=np.ones((outputs, inputs // groups, 3, 3), np.int8),
        weight_scale=np.full(outputs, 0.01, np.float32),
        bias=np.zeros(outputs, np.int32),
        groups=groups,
    )


def network() -> Graph:
    """A max-pooling of the input (which needs a convolution of ours), a dense and a depthwise."""
    pool = MaxPool2d(name="pool", inputs=("x",), output="pooled", kernel=(2, 2), strides=(2, 2))
    dense = conv("dense", "pooled", inputs=3, outputs=8)
    depthwise = conv("depthwise", "dense_out", inputs=8, outputs=8, groups=8)
    sizes = {"x": (3, 20), "pooled": (3, 10), "dense_out": (8, 8), "depthwise_out": (8, 6)}
    quantization = Quantization(scale=0.1, zero_point=0)
    return Graph(
        name="network",
        inputs=(Port(tensor="x", onnx_name="x", onnx_shape=(1, 3, 20, 20)),),
        outputs=(Port(tensor="depthwise_out", onnx_name="y", onnx_shape=(1, 8, 6, 6)),),
        tensors={
            name: TensorType(channels=c, height=s, width=s, quantization=quantization)
            for name, (c, s) in sizes.items()
        },
        layers=(pool, dense, depthwise),
    )


def _report(source: Graph) -> Report:
    device = load_device("u250")
    graph = lower(source)
    exploration = explore(graph, device, (8, 4, 8))
    plan = build_plan(graph, exploration.mapping)
    build = Build(model="m", target="u250", graph=graph, mapping=exploration.mapping, plan=plan)
    return build_report(build, source, exploration, device, clock_mhz=200)


@pytest.fixture(scope="module")
def report() -> Report:
    return _report(network())


def test_depthwise_work_is_counted_apart(report: Report) -> None:
    dense, depthwise = network().layers[1:]
    assert isinstance(dense, Conv2d)
    assert isinstance(depthwise, Conv2d)
    assert not is_depthwise(dense)
    assert is_depthwise(depthwise)
    assert useful_macs(network(), dense) == report.macs == 8 * 3 * 9 * 64
    assert useful_macs(network(), depthwise) == report.depthwise_macs == 8 * 9 * 36


def test_inserted_zeros_are_no_useful_work() -> None:
    layer = transposed(
        replace(
            conv("up3", "x", inputs=256, outputs=256),
            strides=(2, 2),
            pads=Pads(top=1, left=1, bottom=1, right=1),
        ),
        (1, 1),
    )
    source = TensorType(channels=256, height=16, width=16)
    tensors = {"x": source, "up3_out": replace(source, height=32, width=32)}
    graph = replace(network(), tensors=tensors)
    assert output_shape(layer, [source], source) == (256, 32, 32)
    assert useful_macs(graph, layer) == 150_994_944


def test_transposed_layers_are_called_so() -> None:
    source = network()
    up = transposed(replace(conv("up", "x", inputs=3, outputs=8), strides=(2, 2)))
    pool = MaxPool2d(name="pool", inputs=("up_out",), output="y", kernel=(2, 2), strides=(2, 2))
    x = source.tensors["x"]
    tensors = {
        "x": x,
        "up_out": replace(x, channels=8, height=41, width=41),
        "y": replace(x, channels=8, height=20, width=20),
    }
    port = Port(tensor="y", onnx_name="y", onnx_shape=(1, 8, 20, 20))
    report = _report(replace(source, layers=(up, pool), tensors=tensors, outputs=(port,)))
    assert [layer.op for layer in report.layers] == ["conv_transpose2d", "conv2d+max_pool2d"]
    assert report.macs == 8 * 3 * 9 * 400


def test_work_that_nobody_asked_for_is_not_useful(report: Report) -> None:
    assert [layer.op for layer in report.layers] == ["conv2d+max_pool2d", "conv2d", "conv2d"]
    assert [layer.macs for layer in report.layers] == [0, report.macs, report.depthwise_macs]


def test_ratios_follow_from_cycles(report: Report) -> None:
    estimated = report.cycles.estimated
    assert estimated is not None
    assert report.cycles.measured is None
    assert report.mac_efficiency.estimated == report.macs / (estimated * 256)
    assert report.mac_efficiency.measured is None
    assert report.latency_ms == estimated / 200_000
    assert (report.clock_mhz, report.clock_source) == (200, "assumed")


def test_measured_cycles_take_over(report: Report) -> None:
    measured = with_verification(report, EQUAL, 50_000)
    assert measured.cycles.measured == 50_000
    assert measured.cycles.estimated == report.cycles.estimated
    assert measured.mac_efficiency.measured == report.macs / (50_000 * 256)
    assert measured.latency_ms == 0.25
    assert measured.verify.rtl == EQUAL


def test_cycles_of_a_wrong_result_are_no_measurement(report: Report) -> None:
    place = Difference(image=0, tensor="x", channel=0, row=0, column=0, expected=1, actual=2)
    wrong = replace(EQUAL, equal=False, first_difference=place)
    assert with_verification(report, wrong, 50_000).cycles.measured is None
