# SPDX-License-Identifier: Apache-2.0
"""What every layer loses in integers, as `flexcc inspect --calibration` tells."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flexcc import reference
from flexcc.cli import run
from flexcc.errors import InputError
from flexcc.frontend import import_model, load_model
from flexcc.inspection import View, describe
from flexcc.ir.affine import dequantize_array, quantize_array
from flexcc.ir.layers import Convolution
from flexcc.layer_errors import LayerError, errors_table, layer_errors
from flexcc.passes import lower
from flexcc.quantization import Precision, QuantizationOptions, QuantizedModel, quantize
from tests.models import random_float_graph
from tests.quantization import quantization_of

MNIST = Path(__file__).parents[2] / "designs" / "mnist_conv_u250"
DIGITS = MNIST / "digits.npz"


def a_case(
    seed: int, options: QuantizationOptions | None = None
) -> tuple[QuantizedModel, dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    graph = random_float_graph(rng, depth=5)
    x = {
        port.tensor: rng.normal(size=(12, *port.onnx_shape[1:])).astype("f4")
        for port in graph.inputs
    }
    return quantize(graph, x, options or QuantizationOptions(equalize=False)), x


def test_ratios_are_those_of_the_runs(seed: int) -> None:
    model, x = a_case(seed)
    (name,) = x
    # 8 of 12, evenly spread.
    chosen = x[name][[0, 1, 3, 4, 6, 7, 9, 10]]
    graph = model.graph
    real = reference.run_float(model.source, {name: chosen})
    integers = quantize_array(chosen, quantization_of(graph, name))
    (port,) = graph.outputs
    found = dequantize_array(
        reference.run(graph, {name: integers})[port.tensor], quantization_of(graph, port.tensor)
    )
    noise = np.square(found - real[port.tensor]).sum()
    expected = 10 * np.log10(np.square(real[port.tensor]).sum() / noise)
    errors = layer_errors(model, x)
    assert [error.layer for error in errors] == [layer.name for layer in graph.layers]
    assert errors[-1].total_db == pytest.approx(expected, abs=0.01)
    assert errors[0].own_db == errors[0].total_db
    assert all(15 < error.own_db < 60 and error.bits == 8 for error in errors)


def test_wide_tensors_lose_less(seed: int) -> None:
    narrow, x = a_case(seed)
    wide, _ = a_case(seed, QuantizationOptions(equalize=False, precision=Precision.A16))
    pairs = list(zip(layer_errors(narrow, x), layer_errors(wide, x), strict=True))
    assert all(second.bits == 16 for _, second in pairs)
    assert sum(second.total_db for _, second in pairs) > sum(first.total_db for first, _ in pairs)


def test_a_broken_layer_stands_out(seed: int) -> None:
    model, x = a_case(seed)
    layers = list(model.graph.layers)
    index = next(i for i, layer in enumerate(layers) if i and isinstance(layer, Convolution))
    conv = layers[index]
    assert isinstance(conv, Convolution)
    layers[index] = replace(conv, bias=(conv.bias + 20_000).astype(np.int32))
    broken = replace(model, graph=replace(model.graph, layers=tuple(layers)))
    before, after = layer_errors(model, x), layer_errors(broken, x)
    assert before[:index] == after[:index]
    assert after[index].own_db < before[index].own_db - 10
    for first, second in zip(before[index + 1 :], after[index + 1 :], strict=True):
        assert second.own_db == first.own_db
    assert f"{conv.name} loses most by itself" in errors_table(after)


def test_table() -> None:
    errors = [
        LayerError(layer="first", kind="conv2d", bits=8, own_db=31.26, total_db=31.26),
        LayerError(layer="b", kind="max_pool2d", bits=16, own_db=200.0, total_db=9.0),
    ]
    assert errors_table(errors).splitlines() == [
        "layer  operation   bits  alone, dB  so far, dB",
        "first  conv2d         8       31.3        31.3",
        "b      max_pool2d    16      200.0         9.0",
        "",
        "first loses most by itself: 31.3 dB are left of its output",
    ]


def test_inspect_shows_errors_when_data_are_given() -> None:
    path = MNIST / "model.onnx"
    *_, errors = describe(path, calibration=DIGITS)
    [alone] = describe(path, [View.ERRORS], calibration=DIGITS)
    assert errors == alone
    assert [line.split()[:3] for line in errors.splitlines()[1:6]] == [
        ["Convolution28", "conv2d", "8"],
        ["Pooling66", "max_pool2d", "8"],
        ["Convolution110", "conv2d", "8"],
        ["Pooling160", "max_pool2d", "8"],
        ["Times212", "conv2d", "8"],
    ]
    wide = QuantizationOptions(precision=Precision.A16)
    [other] = describe(path, [View.ERRORS], calibration=DIGITS, quantization=wide)
    assert other.splitlines()[1].split()[:3] == ["Convolution28", "conv2d", "16"]


def test_errors_need_data_and_a_float_model(tmp_path: Path) -> None:
    path = MNIST / "model.onnx"
    with pytest.raises(InputError, match=r"layers need sample inputs.*--calibration FILE.npz"):
        list(describe(path, [View.ERRORS]))
    with pytest.raises(InputError, match="--explain tells nothing of calibration; leave one away"):
        list(describe(path, explain="Times212", calibration=DIGITS))
    with pytest.raises(InputError, match="is a build; --calibration is for ONNX models"):
        list(describe(tmp_path, calibration=DIGITS))
    graph = lower(import_model(load_model(path)))
    samples = {"Input3": np.zeros((1, 1, 28, 28), np.float32)}
    integer = tmp_path / "integer.onnx"
    integer.write_bytes(quantize(graph, samples).exported.model.SerializeToString())
    with pytest.raises(InputError, match=r"is quantised already.*give the float model"):
        list(describe(integer, calibration=DIGITS))


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["inspect", str(MNIST / "model.onnx"), "--show", "errors"]
    assert run([*arguments, "--calibration", str(DIGITS), "--precision", "a16"]) == 0
    shown = capsys.readouterr().out
    assert "Times212" in shown
    assert "loses most by itself" in shown
    assert run(arguments) == 2
    assert "--calibration" in capsys.readouterr().err
