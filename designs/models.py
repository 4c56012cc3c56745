# SPDX-License-Identifier: Apache-2.0
"""The networks of designs/ as ONNX models: `make models` writes them beside their builders."""

from collections.abc import Callable, Mapping
from pathlib import Path

import onnx

from designs.design import FOLDER
from designs.enet.network import build as build_enet
from designs.openpose.network import build as build_openpose
from designs.resnet50.network import build as build_resnet50
from designs.unet.network import build as build_unet
from designs.vgg16.network import build as build_vgg16

__all__ = ["NETWORKS", "write_models", "write_network"]

NETWORKS: Mapping[str, Callable[..., onnx.ModelProto]] = {
    "enet": build_enet,
    "openpose": build_openpose,
    "resnet50": build_resnet50,
    "unet": build_unet,
    "vgg16": build_vgg16,
}
"""Builders by folder; each takes the side of the image, by default that of the publication."""


def write_network(name: str, path: Path) -> None:
    """Writes the ONNX file of a network."""
    path.write_bytes(NETWORKS[name]().SerializeToString(deterministic=True))


def write_models(folder: Path = FOLDER) -> None:
    """Writes `<network>/model.onnx` for all networks below `folder`."""
    for name in NETWORKS:
        path = folder / name / "model.onnx"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_network(name, path)


if __name__ == "__main__":
    write_models()
