# SPDX-License-Identifier: Apache-2.0
"""The pixels that resizing to the nearest takes, against ONNX Runtime on random sizes."""

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import pytest
from onnx import TensorProto, helper

from flexcc.frontend.nearest import COORDINATES, ROUNDINGS, nearest_pixels

TRIALS = 60


def _session(coordinates: str, rounding: str) -> onnxruntime.InferenceSession:
    resize = helper.make_node(
        "Resize", ["x", "roi", "s"], ["y"], mode="nearest",
        coordinate_transformation_mode=coordinates, nearest_mode=rounding,
    )  # fmt: skip
    graph = helper.make_graph(
        [resize],
        "g",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, "rows", "columns"]),
            helper.make_tensor_value_info("s", TensorProto.FLOAT, [4]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [helper.make_tensor("roi", TensorProto.FLOAT, [0], [])],
    )
    # tf_half_pixel_for_nn is of older sets.
    opset = helper.make_opsetid("", 11 if coordinates == "tf_half_pixel_for_nn" else 19)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


@pytest.mark.parametrize("rounding", sorted(ROUNDINGS))
@pytest.mark.parametrize("coordinates", sorted(COORDINATES))
def test_like_onnx_runtime(seed: int, coordinates: str, rounding: str) -> None:
    """Ratios of small numbers put many positions on pixels or midway between them."""
    rng = np.random.default_rng(seed)
    session = _session(coordinates, rounding)
    for _ in range(TRIALS):
        size = int(rng.integers(2, 60))
        ratio = rng.integers(1, 60) / (size if rng.random() < 0.5 else rng.integers(1, 9))
        scale = np.float32(ratio if rng.random() < 0.9 else rng.uniform(0.1, 4))
        outputs = int(scale * np.float32(size))
        if outputs < 1:
            continue
        x = np.arange(size, dtype=np.float32).reshape(1, 1, size, 1)
        # A second axis that changes, too: an image whose size stays is not resized at all.
        inputs = {"x": x.repeat(2, 3), "s": np.array([1, 1, scale, 0.5], np.float32)}
        [found] = session.run(None, inputs)
        mine = nearest_pixels(size, outputs, float(scale), coordinates, rounding)
        assert found[0, 0, :, 0].astype(int).tolist() == mine, (size, scale)


def test_exact_positions_would_differ() -> None:
    """Those of 36 rows as 12 are whole numbers."""
    rows = nearest_pixels(
        36, 12, float(np.float32(12) / np.float32(36)), "half_pixel_symmetric", "floor"
    )
    assert rows != list(range(1, 36, 3))
    assert rows[:4] == [0, 3, 7, 10]
