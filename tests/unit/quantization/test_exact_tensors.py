# SPDX-License-Identifier: Apache-2.0
"""Scales of tensors: powers of two where ONNX Runtime sums in float32, exact ratios at sums."""

from dataclasses import replace

import numpy as np
import pytest

from flexcc.frontend.compare import compare
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Add, Conv2d, Layer, Mul
from flexcc.ir.types import Quantization
from flexcc.quantization import quantize
from flexcc.quantization.exact_scales import few_bits, odd_factor, on_grid
from flexcc.quantization.exact_tensors import exact_operands, scale_bits
from flexcc.quantization.scales import shared_tensors
from tests.models import chain, random_conv, tensor, transposed

SOURCE = tensor(4, 6, 6)


def conv(name: str, source: str, seed: int = 0) -> Conv2d:
    rng = np.random.default_rng([seed, *name.encode()])
    return random_conv(rng, name, (source, SOURCE), channels=4, kernel=(1, 1))


def add(name: str, a: str, b: str) -> Add:
    return Add(name=name, inputs=(a, b), output=f"{name}_out")


def sloped(layer: Conv2d) -> Conv2d:
    return replace(layer, slope=np.full(4, 0.3, np.float32))


def few(graph: Graph, *wide: str) -> dict[str, int]:
    bits = {name: 16 if name in wide else 8 for name in graph.tensors}
    return scale_bits(graph, shared_tensors(graph), bits)


def graph_of(*layers: Layer) -> Graph:
    return chain(SOURCE, layers)


def test_integer_layers_leave_scales_free() -> None:
    assert few(graph_of(conv("a", "x"), conv("b", "a_out"))) == {}


def test_float_layers_want_powers_of_two() -> None:
    first, last = conv("a", "x"), conv("c", "b_out")
    for middle in (sloped(conv("b", "a_out")), transposed(conv("b", "a_out"))):
        assert few(graph_of(first, middle, last)) == {"a_out": 1, "b_out": 1}


def test_tensors_beside_wide_ones_want_few_bits() -> None:
    graph = graph_of(conv("a", "x"), conv("b", "a_out"), conv("c", "b_out"), conv("d", "c_out"))
    assert few(graph, "b_out") == {"a_out": 4, "c_out": 4, "b_out": 1}


def test_sums_follow_operands_of_few_bits() -> None:
    graph = graph_of(sloped(conv("a", "x")), conv("b", "a_out"), add("s", "b_out", "a_out"))
    assert few(graph) == {"a_out": 1, "s_out": 1, "x": 1}
    graph = graph_of(
        conv("a", "x"), conv("b", "a_out"), conv("c", "b_out"), add("s", "a_out", "c_out")
    )
    assert few(graph, "b_out") == {"a_out": 1, "b_out": 1, "c_out": 1, "s_out": 1}


def test_ratios_of_sums_and_products_are_exact(seed: int) -> None:
    product = Mul(name="p", inputs=("s_out", "c_out"), output="p_out")
    graph = graph_of(
        conv("a", "x"), conv("b", "x"), conv("c", "x"), add("s", "a_out", "b_out"), product
    )
    rng = np.random.default_rng(seed)
    for _ in range(20):
        wanted = {
            name: Quantization(scale=float(np.float32(rng.uniform(0.01, 0.1))), zero_point=0)
            for name in graph.tensors
        }
        wanted["p_out"] = replace(wanted["p_out"], scale=2.0**-9)
        found = exact_operands(graph, shared_tensors(graph), {}, wanted)
        scale = {name: np.float32(each.scale) for name, each in found.items()}
        ratios = [
            scale["a_out"] / scale["s_out"],
            scale["b_out"] / scale["s_out"],
            scale["s_out"] * scale["c_out"] / scale["p_out"],
        ]
        assert all(float(ratio) * 2**13 % 1 == 0 for ratio in ratios)
        assert (found["x"], found["p_out"]) == (wanted["x"], wanted["p_out"])
        for name, each in found.items():
            assert 1 <= each.scale / wanted[name].scale <= 1.13


def test_few_bits_and_grids_grow_and_end(seed: int) -> None:
    scale = np.exp(np.random.default_rng(seed).uniform(-60, 60, 100)).astype(np.float32)
    for bits in (1, 3, 8):
        larger = few_bits(scale, bits)
        assert (larger >= scale).all()
        assert (larger <= scale * (1 + 2.0 ** (1 - bits))).all()
        assert max(odd_factor(float(each)) for each in larger) < 1 << bits
    largest = np.array([np.finfo(np.float32).max])
    assert np.array_equal(few_bits(largest, 4), largest)
    assert np.array_equal(on_grid(largest, 1e-38, 1e38, bits=16), largest)
    assert odd_factor(0.0) == 1


@pytest.mark.parametrize("kind", ["slope", "transposed"])
def test_networks_equal_onnx_runtime_from_end_to_end(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    layers = list[Layer]()
    source = "x"
    for depth in range(6):
        a, b = conv(f"a{depth}", source, seed), conv(f"b{depth}", f"a{depth}_out", seed)
        layers += [sloped(a) if kind == "slope" else transposed(a), b]
        layers.append(add(f"s{depth}", f"b{depth}_out", source))
        source = f"s{depth}_out"
    graph = graph_of(*layers)
    x = rng.normal(size=(8, 4, 6, 6)).astype(np.float32)
    integer = quantize(graph, {"x": x[:4]}).graph
    compared = compare(integer, {"x": x})
    assert [layer.name for layer in compared.layers if layer.equal < layer.elements] == []
    (output,) = compared.outputs
    assert output.equal == output.elements
