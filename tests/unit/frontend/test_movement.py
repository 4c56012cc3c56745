# SPDX-License-Identifier: Apache-2.0
"""Operators that move parts of tensors, in float against ONNX Runtime."""

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from flexcc.errors import InputError
from flexcc.frontend import import_model
from flexcc.ir.graph import Graph
from flexcc.ir.layers import AveragePool2d, Concat, Conv2d, Select
from tests.onnx_models import assert_imports_like_onnx_runtime, make_model, node

Arrays = dict[str, NDArray[Any]]


def _ints(**values: list[int] | int) -> Arrays:
    return {name: np.array(value, np.int64) for name, value in values.items()}


def _check(model: onnx.ModelProto, seed: int) -> Graph:
    return assert_imports_like_onnx_runtime(model, np.random.default_rng(seed))


def _around(nodes: list[onnx.NodeProto], constants: Arrays, **options: Any) -> onnx.ModelProto:
    """The nodes from `a` to `b` behind a Relu, so that a tensor and no input is moved."""
    around = [node("Relu", "x", "a", "first"), *nodes, node("Tanh", "b", "y", "last")]
    return make_model(around, constants, **options)


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps"),
    [
        ([1], [3], [1], [1]),
        ([0, 1, 2], [2, -1, 100], [1, 2, 3], [1, 1, 2]),
        ([-1, -1], [-100, -100], [-1, -2], [-1, -2]),
        ([5], [1], [2], [-1]),
        ([0, 0], [1, 3], [0, 1], [1, 1]),
    ],
)
@pytest.mark.parametrize("lists", ["a s e x0 t", "a s e x0"])
def test_slice(
    seed: int, lists: str, starts: list[int], ends: list[int], axes: list[int], steps: list[int]
) -> None:
    if not lists.endswith("t") and set(steps) != {1}:
        pytest.skip("its steps are needed")
    constants = _ints(s=starts, e=ends, x0=axes, t=steps)
    graph = _check(_around([node("Slice", lists, "b")], constants), seed)
    whole = axes == [0, 1]
    assert [type(layer) for layer in graph.layers[1:2]] == ([] if whole else [Select])


def test_slice_of_old(seed: int) -> None:
    cut = node("Slice", "a", "b", starts=[1, 2], ends=[3, 6], axes=[1, 3])
    _check(_around([cut], {}, opset=9, ir_version=4), seed)


@pytest.mark.parametrize("opset", [11, 13, 18])
@pytest.mark.parametrize(("axis", "sizes"), [(1, [1, 2]), (-1, [3, 4]), (2, [2, 4]), (1, None)])
def test_split(seed: int, opset: int, axis: int, sizes: list[int] | None) -> None:
    attributes: dict[str, Any] = {"axis": axis}
    inputs, constants = "a", _ints()
    if sizes is None:
        attributes["axis"], sizes = 2, None
        if opset >= 18:
            attributes["num_outputs"] = 2
    elif opset < 13:
        attributes["split"] = sizes
    else:
        inputs, constants = "a k", _ints(k=sizes)
    nodes = [
        node("Relu", "x", "a"),
        node("Split", inputs, "p q", **attributes),
        node("Tanh", "q", "y"),
        node("Neg", "p", "z"),
    ]
    graph = _check(make_model(nodes, constants, opset=opset, outputs="y z"), seed)
    assert [layer.name for layer in graph.layers[1:3]] == ["split_1", "split_1.1"]


@pytest.mark.parametrize(("axis", "indices"), [(1, [2, 0, 0, 1]), (-1, [6, -7]), (2, [3])])
def test_gather(seed: int, axis: int, indices: list[int]) -> None:
    pick = node("Gather", "a i", "b", axis=axis)
    _check(_around([pick], _ints(i=indices)), seed)


@pytest.mark.parametrize(
    ("mode", "pads"),
    [
        ("constant", [0, 0, 1, 2, 0, 0, 3, 0]),
        ("constant", [0, 1, 0, 0, 0, 2, 0, 0]),
        ("constant", [0, 0, -1, 2, 0, 0, 1, -3]),
        ("edge", [0, 0, 2, 1, 0, 0, 1, 3]),
        ("reflect", [0, 0, 5, 3, 0, 0, 5, 6]),
        ("wrap", [0, 0, 2, 1, 0, 0, 3, 9]),
    ],
)
def test_pad(seed: int, mode: str, pads: list[int]) -> None:
    constants = {**_ints(p=pads), "v": np.array(0.75)}
    _check(_around([node("Pad", "a p v", "b", mode=mode)], constants, opset=19), seed)
    _check(_around([node("Pad", "a p", "b", mode=mode)], constants, opset=19), seed)


def test_pad_of_old_and_with_axes(seed: int) -> None:
    old = node("Pad", "a", "b", pads=[0, 0, 1, 1, 0, 0, 0, 2], value=0.25)
    _check(_around([old], {}, opset=10, ir_version=5), seed)
    new = node("Pad", "a p v k", "b")
    constants = {**_ints(p=[1, 2, 3, 0], k=[-1, 2]), "v": np.array(0.5)}
    _check(_around([new], constants, opset=18), seed)


def test_zeros_around_an_image_join_what_reads_it(seed: int) -> None:
    weight = np.random.default_rng(0).normal(size=(4, 3, 3, 3))
    nodes = [
        node("Relu", "x", "a"),
        node("Pad", "a p", "b", "pad"),
        node("Conv", "b w", "c", pads=[1, 0, 0, 0]),
        node("AveragePool", "b", "d", kernel_shape=[3, 2], pads=[1, 1, 1, 1]),
    ]
    constants = {**_ints(p=[0, 0, 1, 2, 0, 0, 3, 0]), "w": weight}
    graph = _check(make_model(nodes, constants, outputs="c d"), seed)
    assert [type(layer) for layer in graph.layers[1:]] == [Conv2d, AveragePool2d]
    # A maximum would see the zeros.
    nodes = [*nodes[:2], node("MaxPool", "b", "y", kernel_shape=[2, 2])]
    graph = _check(make_model(nodes, constants), seed)
    assert isinstance(graph.layers[1], Select)


def test_slices_in_a_row_are_one(seed: int) -> None:
    nodes = [
        node("Slice", "a s e c", "m", "cut_channels"),
        node("Slice", "m s e h", "n", "cut_rows"),
        node("Pad", "n p", "b", "pad"),
    ]
    constants = _ints(s=[1], e=[3], c=[1], h=[2], p=[0, 0, 1, 1, 0, 0, 0, 0])
    graph = _check(_around(nodes, constants), seed)
    assert [layer.name for layer in graph.layers] == ["first", "pad", "last"]


@pytest.mark.parametrize("repeats", [[1, 2, 1, 3], [1, 1, 1, 1]])
def test_tile(seed: int, repeats: list[int]) -> None:
    _check(_around([node("Tile", "a r", "b")], _ints(r=repeats)), seed)


@pytest.mark.parametrize("shape", [[1, 1, 6, 7], [5, 4], [1]])
def test_expand(seed: int, shape: list[int]) -> None:
    image = (1, 3, 1, 1) if shape != [1, 1, 6, 7] else (1, 3, 6, 1)
    _check(_around([node("Expand", "a s", "b")], _ints(s=shape), shape=image), seed)


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_concat(seed: int, axis: int) -> None:
    nodes = [
        node("Relu", "x", "a"),
        node("Tanh", "x", "b"),
        node("Concat", "a b a", "y", axis=axis),
    ]
    graph = _check(make_model(nodes), seed)
    assert isinstance(graph.layers[-1], Concat)
    assert len(graph.layers[-1].inputs) == 3


def test_concat_with_constants_is_padding(seed: int) -> None:
    """E-Net's max pooling is extended by channels of zeros."""
    constants = {"k": np.zeros((1, 2, 6, 7)), "m": np.zeros((1, 1, 6, 7))}
    graph = _check(_around([node("Concat", "m a k", "b", axis=1)], constants), seed)
    select = graph.layers[1]
    assert isinstance(select, Select)
    assert select.channels == (-1, 0, 1, 2, -1, -1)


def test_concat_of_vectors(seed: int) -> None:
    nodes = [node("Relu", "x", "a"), node("Neg", "x", "b"), node("Concat", "a b", "y", axis=-1)]
    _check(make_model(nodes, shape=(1, 5)), seed)


def test_channels_last(seed: int) -> None:
    """Between transposes axes count as the model counts them."""
    nodes = [
        node("Relu", "x", "r"),
        node("Transpose", "r", "t", "in", perm=[0, 2, 3, 1]),
        node("Slice", "t s e k", "u"),
        node("Concat", "u u", "v", axis=3),
        node("ReduceMean", "v", "m", axes=[1, 2]),
        node("Mul", "v m", "w"),
        node("Transpose", "w", "y", "out", perm=[0, 3, 1, 2]),
    ]
    _check(make_model(nodes, _ints(s=[1], e=[5], k=[1])), seed)


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
@pytest.mark.parametrize("operator", ["DepthToSpace", "SpaceToDepth"])
def test_blocks(seed: int, operator: str, mode: str) -> None:
    if operator == "SpaceToDepth":
        if mode == "CRD":
            pytest.skip("ONNX Runtime does not know it yet")
        step = node("SpaceToDepth", "a", "b", blocksize=3)
    else:
        step = node("DepthToSpace", "a", "b", blocksize=3, mode=mode)
    _check(_around([step], {}, shape=(1, 18, 6, 9)), seed)


@pytest.mark.parametrize(
    ("nodes", "constants", "problem"),
    [
        ([node("Slice", "x s e", "y")], _ints(s=[0], e=[0]), "nothing is left of dimension 0"),
        ([node("Slice", "x s e k t", "y")], _ints(s=[0], e=[1], k=[1], t=[0]), "are not valid"),
        ([node("Slice", "x s e k", "y")], _ints(s=[0], e=[1], k=[7]), "its axis 7 is out of range"),
        ([node("Split", "x k", "y z", axis=1)], _ints(k=[1, 1]), "do not make up the 3 of axis 1"),
        ([node("Gather", "x i", "y", axis=1)], _ints(i=[3]), "are out of range for 3"),
        ([node("Gather", "x i", "y", axis=1)], _ints(i=1), "would drop the dimension"),
        ([node("Pad", "x p", "y")], _ints(p=[1, 0]), "are not two for each of 4 axes"),
        ([node("Pad", "x p", "y")], _ints(p=[1] * 8), "it changes the batch"),
        ([node("Pad", "x p", "y", mode="mirror")], _ints(p=[0] * 8), "mode=mirror is not defined"),
        (
            [node("Pad", "x p v", "y")],
            {**_ints(p=[1] * 8), "v": np.array(-np.inf)},
            "it pads with -inf",
        ),
        ([node("Tile", "x r", "y")], _ints(r=[2, 1, 1, 1]), "it changes the batch"),
        ([node("Expand", "x r", "y")], _ints(r=[1, 3, 5, 7]), "it cannot expand shape"),
        ([node("Concat", "x x", "y", axis=0)], {}, "it joins along the batch"),
        (
            [node("Concat", "x k", "y", axis=1)],
            {"k": np.arange(42.0).reshape(1, 1, 6, 7)},
            "its constants hold more than one number",
        ),
        ([node("Concat", "x k", "y", axis=1)], {"k": np.zeros((1, 1, 6, 6))}, "does not fit"),
        ([node("DepthToSpace", "x", "y", blocksize=2)], {}, "its 3 channels are no multiple"),
        ([node("SpaceToDepth", "x", "y", blocksize=4)], {}, "its 6x7 pixels are no multiple"),
        ([node("DepthToSpace", "x", "y", blocksize=0)], {}, "its blocksize 0 is not positive"),
    ],
)
def test_refused(nodes: list[onnx.NodeProto], constants: Arrays, problem: str) -> None:
    outputs = " ".join(nodes[-1].output)
    with pytest.raises(InputError, match=problem):
        import_model(make_model(nodes, constants, outputs=outputs))
