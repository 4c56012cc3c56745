# SPDX-License-Identifier: Apache-2.0
"""Trains a narrow E-Net on synthetic shapes: writes trained.onnx, shapes.npz and calibration.npz.

PyTorch is no dependency of the project; any environment with onnx, numpy and torch will do:

    python -m venv venv && venv/bin/pip install torch==2.13.0 numpy onnx
    venv/bin/python -m designs.enet.train

The structure is the builder's own: its ONNX graph is executed node by node in PyTorch, its
weights are the parameters, and the result is that graph with trained weights. One thread and
fixed seeds: the same versions on the same processor give the same bytes.
"""

import argparse
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as torch_functions
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from designs.enet.network import build
from designs.enet.shapes import CLASSES, draw

SIZE, WIDTH = 160, 32
TRAINING_SEED, HELD_OUT_SEED, CALIBRATION_SEED = 1, 2, 3
HELD_OUT, CALIBRATION = 12, 6
_BATCH, _LEARNING_RATE, _WEIGHT_DECAY = 4, 4e-3, 1e-4
# Rare classes count more: the background covers most of a picture.
_CLASS_WEIGHTS = (0.5, 1.0, 1.0, 1.0)
_LABEL_SMOOTHING = 0.02
_BATCH_NORM_MOMENTUM = 0.05

logger = logging.getLogger(__name__)

Values = dict[str, Any]
"""Tensors by ONNX name."""


def train(model: onnx.ModelProto, steps: int) -> None:
    """Trains the weights of `model` in place for `steps` batches of new pictures."""
    torch.manual_seed(TRAINING_SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    rng = np.random.default_rng(TRAINING_SEED)
    values = _initial(model)
    learnt = [value for value in values.values() if value.requires_grad]
    optimiser = torch.optim.AdamW(learnt, lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _LEARNING_RATE, total_steps=steps)
    loss_of = torch.nn.CrossEntropyLoss(
        torch.tensor(_CLASS_WEIGHTS), label_smoothing=_LABEL_SMOOTHING
    )
    mean = 0.0
    for step in range(1, steps + 1):
        pictures, masks = _pictures(rng, _BATCH)
        scores = _run(model, values, torch.from_numpy(pictures.astype(np.float32)))
        loss = loss_of(scores, torch.from_numpy(masks.astype(np.int64)))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learnt, 1.0)
        optimiser.step()
        schedule.step()
        mean += (float(loss.detach()) - mean) / min(step, 50)
        if step % 50 == 0 or step == steps:
            logger.info("step %d of %d, loss %.4f", step, steps, mean)
    for tensor in model.graph.initializer:
        trained = values[tensor.name].detach().numpy()
        tensor.CopyFrom(numpy_helper.from_array(trained, tensor.name))
    onnx.checker.check_model(model)


def _pictures(
    rng: np.random.Generator, count: int
) -> tuple[NDArray[np.float16], NDArray[np.uint8]]:
    """Pictures [count, 3, SIZE, SIZE] and their masks."""
    drawn = [draw(rng, SIZE) for _ in range(count)]
    return np.stack([picture for picture, _ in drawn]), np.stack([mask for _, mask in drawn])


def _initial(model: onnx.ModelProto) -> Values:
    """Weights as the builder makes them, but for the statistics and neutral normalisations."""
    values: Values = {}
    for tensor in model.graph.initializer:
        value = torch.from_numpy(numpy_helper.to_array(tensor).copy())
        part = tensor.name.rpartition(".")[2]
        if part in ("scale", "variance"):
            value.fill_(1)
        elif part in ("offset", "mean", "bias"):
            value.fill_(0)
        elif part == "slope":
            value.fill_(0.25)
        learns = value.is_floating_point() and part not in ("mean", "variance", "scales")
        values[tensor.name] = value.requires_grad_(learns)
    return values


def _run(model: onnx.ModelProto, parameters: Values, pictures: Any) -> Any:
    """The output of the model in training; the statistics in `parameters` follow the batch."""
    values = {**parameters, model.graph.input[0].name: pictures}
    for node in model.graph.node:
        inputs = [values[name] if name else None for name in node.input]
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        values[node.output[0]] = _OPERATORS[node.op_type](attributes, *inputs)
    return values[model.graph.output[0].name]


def _conv(attributes: Mapping[str, Any], x: Any, weight: Any, bias: Any = None) -> Any:
    top, left, bottom, right = attributes["pads"]
    return torch_functions.conv2d(
        torch_functions.pad(x, (left, right, top, bottom)),
        weight,
        bias,
        stride=attributes["strides"],
        dilation=attributes["dilations"],
    )


def _conv_transpose(attributes: Mapping[str, Any], x: Any, weight: Any, bias: Any) -> Any:
    top, left, bottom, right = attributes["pads"]
    full = torch_functions.conv_transpose2d(x, weight, bias, stride=attributes["strides"])
    return full[:, :, top : full.shape[2] - bottom, left : full.shape[3] - right]


def _batch_norm(attributes: Mapping[str, Any], x: Any, *parameters: Any) -> Any:
    scale, offset, mean, variance = parameters
    return torch_functions.batch_norm(
        x,
        mean,
        variance,
        scale,
        offset,
        training=True,
        momentum=_BATCH_NORM_MOMENTUM,
        eps=attributes["epsilon"],
    )


def _max_pool(attributes: Mapping[str, Any], x: Any) -> Any:
    return torch_functions.max_pool2d(x, attributes["kernel_shape"], attributes["strides"])


def _pad(_: Mapping[str, Any], x: Any, pads: Any) -> Any:
    return torch_functions.pad(x, (0, 0, 0, 0, 0, int(pads[5])))


def _resize(_: Mapping[str, Any], x: Any, _region: Any, scales: Any) -> Any:
    return torch_functions.interpolate(x, scale_factor=tuple(scales[2:].tolist()), mode="nearest")


_OPERATORS: Mapping[str, Callable[..., Any]] = {
    "Add": lambda _, first, second: first + second,
    "BatchNormalization": _batch_norm,
    "Concat": lambda _, *parts: torch.cat(parts, dim=1),
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MaxPool": _max_pool,
    "PRelu": lambda _, x, slope: torch_functions.prelu(x, slope.reshape(-1)),
    "Pad": _pad,
    "Relu": lambda _, x: torch_functions.relu(x),
    "Resize": _resize,
}


def write(folder: Path, steps: int) -> None:
    """Trains, and writes the model, the held-out pictures `x` with masks `y`, and calibration."""
    model = build(SIZE, classes=len(CLASSES), width=WIDTH)
    train(model, steps)
    (folder / "trained.onnx").write_bytes(model.SerializeToString(deterministic=True))
    pictures, masks = _pictures(np.random.default_rng(HELD_OUT_SEED), HELD_OUT)
    np.savez_compressed(folder / "shapes.npz", x=pictures, y=masks)
    pictures, _ = _pictures(np.random.default_rng(CALIBRATION_SEED), CALIBRATION)
    np.savez_compressed(folder / "calibration.npz", x=pictures)


def main() -> None:
    """Trains as the arguments say."""
    parser = argparse.ArgumentParser(description="Trains a narrow E-Net on synthetic shapes.")
    here = Path(__file__).resolve().parent
    parser.add_argument("--folder", type=Path, default=here, help="where the files go")
    parser.add_argument("--steps", type=int, default=1800, help="batches of new pictures")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    write(arguments.folder, arguments.steps)


if __name__ == "__main__":
    main()
