# SPDX-License-Identifier: Apache-2.0
"""Useful work is what the model asks for, whatever the hardware does for it."""

from dataclasses import replace

import numpy as np
import pytest

from flexcc.account_text import losses_text
from flexcc.backend.planner import build_plan
from flexcc.build import Build
from flexcc.dse import explore, lower
from flexcc.figures import build_report, with_verification
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Conv2d, MaxPool2d, Pads
from flexcc.ir.macs import is_depthwise, useful_macs
from flexcc.ir.shapes import output_shape
from flexcc.ir.types import Quantization, TensorType
from flexcc.measured import ArrayCycles, Measured
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


def measurement(report: Report) -> Measured:
    """50,000 cycles: tile i has i steps and waits once for its input, the rest is at the end."""
    count = sum(layer.tiles for layer in report.layers)
    tiles = tuple(ArrayCycles(steps=i, window=1) for i in range(count))
    end = 50_000 - sum(tile.total for tile in tiles)
    return Measured(
        cycles=50_000, tiles=tiles, end=ArrayCycles(end=end), engines={}, beats={"act": 5}
    )


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


def tiles_of(report: Report) -> list[int]:
    return [layer.tiles for layer in report.layers]


def test_measured_cycles_take_over(report: Report) -> None:
    run = measurement(report)
    measured = with_verification(report, EQUAL, run, tiles_of(report))
    assert measured.cycles.measured == 50_000
    assert measured.run is not None
    assert measured.run.array.total == 50_000
    assert measured.cycles.estimated == report.cycles.estimated
    assert measured.mac_efficiency.measured == report.macs / (50_000 * 256)
    assert measured.latency_ms == 0.25
    assert measured.verify.rtl == EQUAL


def test_every_layer_has_its_share_of_the_cycles(report: Report) -> None:
    """From the last step of the layer before to its own."""
    run = measurement(report)
    measured = with_verification(report, EQUAL, run, tiles_of(report))
    starts = [sum(layer.tiles for layer in report.layers[:i]) for i in range(4)]
    for i, layer in enumerate(measured.layers):
        assert layer.measured == ArrayCycles(
            steps=sum(range(starts[i], starts[i + 1])), window=layer.tiles
        )
    text = losses_text(measured)
    assert text is not None
    assert text.startswith(f"{measured.mac_efficiency.measured:.1%} useful, ")
    assert "after the last step" in text
    with pytest.raises(ValueError, match="tiles were computed"):
        with_verification(report, EQUAL, run, tiles_of(report)[1:])


def test_no_cycle_is_without_a_name() -> None:
    with pytest.raises(ValueError, match="9 of 10 cycles are accounted for"):
        Measured(cycles=10, tiles=(ArrayCycles(steps=9),), end=ArrayCycles(), engines={}, beats={})


def test_cycles_of_a_wrong_result_are_no_measurement(report: Report) -> None:
    place = Difference(image=0, tensor="x", channel=0, row=0, column=0, expected=1, actual=2)
    wrong = replace(EQUAL, equal=False, first_difference=place)
    changed = with_verification(report, wrong, measurement(report), tiles_of(report))
    assert changed.cycles.measured is None
    assert changed.run is None
    assert losses_text(changed) is None
