# SPDX-License-Identifier: Apache-2.0
"""Activations of 16 bits: against ONNX Runtime, through QDQ models, and what they gain."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc import reference
from flexcc.dse.wide import require_wide_convolutions
from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.frontend.compare import TensorComparison, compare
from flexcc.frontend.export import export_model
from flexcc.frontend.observe import observe
from flexcc.ir.affine import quantize_array
from flexcc.ir.functions import X, apply
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Table
from flexcc.ir.verify import VerifyError, verify
from flexcc.passes import lower
from flexcc.quantization import Precision, QuantizationOptions, quantize
from flexcc.quantization.convert import integer_graph, weight_rounding
from flexcc.quantization.options import CalibrationMethod
from flexcc.quantization.precision import can_be_wide
from flexcc.quantization.ranges import tensor_range
from flexcc.quantization.scales import shared_tensors, tensor_scales
from flexcc.quantization.statistics import collect
from tests.mixed_networks import mixed_network
from tests.models import chain, random_conv, random_float_graph, tensor
from tests.quantization import quantization_of, run_on_reals

A16 = QuantizationOptions(precision=Precision.A16)


def _samples(graph: Graph, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    return {
        port.tensor: rng.normal(size=(3, *port.onnx_shape[1:])).astype(np.float32)
        for port in graph.inputs
    }


def _mixed(
    graph: Graph, samples: dict[str, NDArray[np.float32]], rng: np.random.Generator
) -> Graph:
    """The integer graph with 8 or 16 bits per tensor, as the dice say."""
    wide = can_be_wide(graph)
    bits = {
        tensor: 16 if together[0] in wide and rng.integers(2) else 8
        for together in shared_tensors(graph)
        for tensor in together[:1]
    }
    bits = {tensor: bits[group[0]] for group in shared_tensors(graph) for tensor in group}
    statistics = collect(observe(graph, samples), histograms=False)
    ranges = {
        name: tensor_range(each, QuantizationOptions(), bits[name])
        for name, each in statistics.items()
    }
    return integer_graph(
        graph,
        tensor_scales(graph, ranges, bits),
        weight_rounding({}, QuantizationOptions()),
    )


def test_random_mixtures_of_8_and_16_bits_equal_onnx_runtime(seed: int) -> None:
    total = TensorComparison(
        name="all", elements=0, equal=0, ties=0, equal_ties=0, largest_difference=0
    )
    for trial in range(30):
        rng = np.random.default_rng([seed, trial])
        graph = lower((random_float_graph if trial % 2 else mixed_network)(rng, 5))
        samples = _samples(graph, rng)
        total += compare(_mixed(graph, samples, rng), samples).total()
    print(f"\n{total}")  # noqa: T201 the figures are the point
    assert total.largest_difference <= 1
    assert total.share_equal >= 0.9999
    assert total.elements > 50_000
    assert total.ties < total.elements / 10


@pytest.mark.parametrize("trial", range(6))
def test_qdq_models_of_16_bits_import_as_the_same_integers(seed: int, trial: int) -> None:
    rng = np.random.default_rng([seed, trial])
    graph = random_float_graph(rng, depth=4)
    samples = _samples(graph, rng)
    integer = _mixed(graph, samples, rng) if trial else quantize(graph, samples, A16).graph
    again = lower(import_model(export_model(integer).model))
    assert [kind.quantization for kind in again.tensors.values()] == [
        kind.quantization for kind in integer.tensors.values()
    ]
    inputs = {
        name: quantize_array(array, quantization_of(integer, name))
        for name, array in samples.items()
    }
    first, second = reference.run(integer, inputs), reference.run(again, inputs)
    for ours, theirs in zip(integer.layers, again.layers, strict=True):
        assert np.array_equal(first[ours.output], second[theirs.output])


def test_16_bits_leave_the_error_of_the_weights_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_float_graph(rng, depth=4)
    samples = _samples(graph, rng)
    real = reference.run_float(graph, samples)[graph.outputs[0].tensor]
    noise = {}
    for precision in (Precision.A8, Precision.A16):
        integer = quantize(graph, samples, QuantizationOptions(precision=precision)).graph
        result = run_on_reals(integer, dict(samples))[integer.outputs[0].tensor]
        noise[precision] = float(np.square(result - real).mean())
    assert noise[Precision.A16] < noise[Precision.A8] / 2


def test_ranges_of_16_bits_leave_nothing_out(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_float_graph(rng, depth=2)
    samples = _samples(graph, rng)
    methods = [
        replace(A16, method=method, percentile=90)
        for method in (CalibrationMethod.MIN_MAX, CalibrationMethod.PERCENTILE)
    ]
    first, second = (quantize(graph, samples, options).graph for options in methods)
    assert first.tensors == second.tensors


def _with_table(rng: np.random.Generator) -> Graph:
    source = tensor(3, 6, 6)
    layers = [
        random_conv(rng, "a", ("x", source), channels=3, kernel=(1, 1)),
        Table(name="t", inputs=("a_out",), output="t_out", function=apply("Sigmoid", X)),
        random_conv(rng, "b", ("t_out", source), channels=3, kernel=(1, 1)),
    ]
    return chain(source, layers)


def test_tables_stay_at_8_bits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = _with_table(rng)
    integer = quantize(graph, _samples(graph, rng), A16).graph
    bits = {name: quantization_of(integer, name).bits for name in integer.tensors}
    assert bits == {"x": 16, "a_out": 8, "t_out": 8, "b_out": 16}
    wide = replace(quantization_of(integer, "a_out"), bits=16)
    tensors = {**integer.tensors, "a_out": replace(integer.tensors["a_out"], quantization=wide)}
    with pytest.raises(VerifyError, match="a table has entries for int8 alone"):
        verify(replace(integer, tensors=tensors))


def test_hardware_has_inputs_of_8_bits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_float_graph(rng, depth=2)
    integer = quantize(graph, _samples(graph, rng), A16).graph
    (port,) = integer.inputs
    with pytest.raises(InputError, match=f"{port.tensor}: it is an input of 16 bits.*auto"):
        require_wide_convolutions(integer)
