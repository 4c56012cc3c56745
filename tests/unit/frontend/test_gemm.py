# SPDX-License-Identifier: Apache-2.0
"""Gemm and MatMul become convolutions, behind a flatten with a spatial kernel."""

from typing import Any

import numpy as np
import onnx
import pytest

from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.ir.layers import Conv2d
from tests.onnx_models import assert_imports_like_onnx_runtime, make_model, node

RNG = np.random.default_rng(0)
VECTOR = (1, 12)


@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("bias", [None, (), (1,), (5,), (1, 5)])
def test_gemm(seed: int, transposed: int, bias: tuple[int, ...] | None) -> None:
    rng = np.random.default_rng(seed)
    constants = {"w": rng.normal(size=(5, 12) if transposed else (12, 5))}
    if bias is not None:
        constants["c"] = rng.normal(size=bias) * np.ones(bias)
    gemm = node(
        "Gemm", "x w" if bias is None else "x w c", "y", transB=transposed, alpha=0.5, beta=-2.0
    )
    assert_imports_like_onnx_runtime(make_model([gemm], constants, shape=VECTOR), rng)


@pytest.mark.parametrize("shape", [(1, 12), (12,)])
def test_matmul(seed: int, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(seed)
    model = make_model([node("MatMul", "x w", "y")], {"w": rng.normal(size=(12, 5))}, shape=shape)
    assert_imports_like_onnx_runtime(model, rng)


@pytest.mark.parametrize("flatten", ["Flatten", "Reshape"])
def test_classifier_head(seed: int, flatten: str) -> None:
    rng = np.random.default_rng(seed)
    nodes = [
        node("Conv", "x w", "c"),
        node("Flatten", "c", "f") if flatten == "Flatten" else node("Reshape", "c s", "f"),
        node("Relu", "f", "r"),
        node("MatMul", "r m", "d"),
        node("Add", "a d", "e"),
        node("Relu", "e", "g", "relu_2"),
        node("Gemm", "g n k", "y", transB=1),
    ]
    constants = {
        "w": rng.normal(size=(4, 3, 3, 3)),
        "s": np.array([1, -1], np.int64),
        "m": rng.normal(size=(4 * 4 * 5, 6)),
        "a": rng.normal(size=(6,)),
        "n": rng.normal(size=(2, 6)),
        "k": rng.normal(size=(2,)),
    }
    graph = assert_imports_like_onnx_runtime(make_model(nodes, constants), rng)
    shapes = [layer.weight.shape for layer in graph.layers if isinstance(layer, Conv2d)]
    assert shapes == [(4, 3, 3, 3), (6, 4, 4, 5), (2, 6, 1, 1)]


def _gemm(**attributes: Any) -> onnx.ModelProto:
    constants = {"w": np.ones((12, 5)), "b": np.ones((3, 1))}
    return make_model([node("Gemm", "x w", "y", **attributes)], constants, shape=VECTOR)


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (_gemm(transA=1), "gemm_1 (Gemm): transA=1 is not supported"),
        (_gemm(transB=1), "gemm_1 (Gemm): its weights of 12 outputs do not fit an input of 12"),
        (_gemm(alpha=1e39), "gemm_1 (Gemm): its attribute alpha is inf, not a finite number"),
        (_gemm(gamma=2.0), "gemm_1 (Gemm): its attribute gamma is not supported"),
        (
            make_model([node("Gemm", "x w", "y")], {"w": np.ones((7, 5))}),
            "gemm_1 (Gemm): its input has shape [1, 3, 6, 7], not [1,K]",
        ),
        (
            make_model([node("MatMul", "x w", "y")], {"w": np.ones((7, 5))}),
            "matmul_1 (MatMul): its input has shape [1, 3, 6, 7], not [1,K] or [K]",
        ),
        (
            make_model([node("MatMul", "x w", "y")], {"w": np.ones(12)}, shape=VECTOR),
            "matmul_1 (MatMul): its weights 'w' have rank 1",
        ),
        (
            make_model(
                [node("Gemm", "x w b", "y")],
                {"w": np.ones((12, 5)), "b": np.ones((3, 1))},
                shape=VECTOR,
            ),
            "gemm_1 (Gemm): its bias 'b' has shape [3, 1] for 5 channels",
        ),
    ],
)
def test_refused(model: onnx.ModelProto, problem: str) -> None:
    with pytest.raises(InputError) as raised:
        import_model(model)
    assert str(raised.value).splitlines()[1].startswith(problem)
