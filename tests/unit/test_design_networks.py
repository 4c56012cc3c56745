# SPDX-License-Identifier: Apache-2.0
"""The networks of designs/: their layers against the tables, their values in ONNX Runtime."""

import csv
from collections.abc import Iterator
from functools import cache
from math import prod
from pathlib import Path

import numpy as np
import onnx
import pytest

from designs.models import NETWORKS, write_models
from tests.onnx_models import run_onnx

DESIGNS = Path(__file__).parents[2] / "designs"

# Published layer counts and MACs: convolutions and fully connected layers, then depthwise.
TOTALS = {
    "enet": (89, 599_249_664, 0),
    "openpose": (86, 838_582_272, 94_708_224),
    "resnet50": (54, 4_089_184_256, 0),
    "unet": (17, 5_723_127_808, 0),
    "vgg16": (13, 15_346_630_656, 0),
}
# The smallest image that survives all poolings.
SMALL = {"enet": 16, "openpose": 16, "resnet50": 64, "unet": 16, "vgg16": 32}


@cache
def model(name: str) -> onnx.ModelProto:
    return NETWORKS[name]()


def table(name: str) -> list[dict[str, str]]:
    with open(DESIGNS / name / "layers.csv", newline="") as file:
        return list(csv.DictReader(file))


def layers(
    name: str,
) -> Iterator[tuple[str, list[int], list[int], list[int], dict[str, list[int]]]]:
    """Name, shapes of input, weight and output, attributes of every layer with weights."""
    inferred = onnx.shape_inference.infer_shapes(model(name), strict_mode=True).graph
    shapes = {tensor.name: list(tensor.dims) for tensor in inferred.initializer}
    for value in (*inferred.input, *inferred.value_info, *inferred.output):
        shapes[value.name] = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    for node in inferred.node:
        if node.op_type in ("Conv", "ConvTranspose", "Gemm"):
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            attributes["transposed"] = [2 if node.op_type == "ConvTranspose" else 1]
            source, weight = (shapes[value] for value in node.input[:2])
            yield node.name, source, weight, shapes[node.output[0]], attributes


def row(
    name: str,
    source: list[int],
    weight: list[int],
    target: list[int],
    attributes: dict[str, list[int]],
) -> dict[str, str]:
    """A layer as a line of the table."""
    [transposed] = attributes["transposed"]
    stride = [1] if transposed > 1 else attributes.get("strides", [1])
    counted = source if transposed > 1 else target
    return {
        "layer": name,
        "kernel": "x".join(map(str, weight[2:] or [1, 1])),
        "in_channels": str(source[1]),
        "out_channels": str(target[1]),
        "in_size": "x".join(map(str, source[2:] or [1, 1])),
        "out_size": "x".join(map(str, target[2:] or [1, 1])),
        "stride": str(stride[0]),
        "dilation": str(attributes.get("dilations", [1])[0]),
        "transposed": str(transposed),
        "macs": str(prod(weight) * prod(counted[2:])),
    }


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_layers_are_those_of_the_table(name: str) -> None:
    found, depthwise = [], {}
    for layer in layers(name):
        line = row(*layer)
        if layer[0].endswith("/depthwise"):
            depthwise[layer[0].removesuffix("/depthwise")] = line["macs"]
        else:
            found.append(line)
    for line in found:
        line["depthwise_macs"] = depthwise.pop(line["layer"], "0")
    assert not depthwise
    # Branches that join may stand in either order.
    assert sorted(found, key=lambda line: line["layer"]) == sorted(
        table(name), key=lambda line: line["layer"]
    )


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_totals_are_the_published_ones(name: str) -> None:
    lines = table(name)
    macs, depthwise = (sum(int(line[key]) for line in lines) for key in ("macs", "depthwise_macs"))
    assert (len(lines), macs, depthwise) == TOTALS[name]


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_values_neither_vanish_nor_explode(name: str) -> None:
    size = SMALL[name]
    small = NETWORKS[name](size)
    if small.graph.node[-1].op_type == "Softmax":
        del small.graph.node[-1]
        small.graph.output[0].name = small.graph.node[-1].output[0]
    image = np.random.default_rng(0).standard_normal((1, 3, size, size), np.float32)
    [values] = run_onnx(small, {"x": image}).values()
    assert 0.1 < values.std() < 30


@pytest.mark.parametrize("name", ["enet", "openpose"])
def test_the_same_bytes_every_time(name: str) -> None:
    first, second = (NETWORKS[name]().SerializeToString(deterministic=True) for _ in range(2))
    assert first == second


def test_models_are_written_beside_their_builders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("designs.models.NETWORKS", {"enet": NETWORKS["enet"]})
    write_models(tmp_path)
    [path] = tmp_path.rglob("*.onnx")
    assert path == tmp_path / "enet" / "model.onnx"
    onnx.checker.check_model(path)
