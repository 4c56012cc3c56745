# SPDX-License-Identifier: Apache-2.0
"""Reads an ONNX file with all its external data."""

from pathlib import Path

import onnx
from onnx.external_data_helper import (
    ExternalDataInfo,
    load_external_data_for_model,
    uses_external_data,
)

from flexcc.errors import InputError

__all__ = ["load_model"]


def load_model(path: str | Path) -> onnx.ModelProto:
    """The model in the file, its weights in memory.

    Raises:
        InputError: the file is missing, is no ONNX model or a truncated one, or external data are
            missing or too short.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot read the model: {error.strerror}") from error
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # DecodeError, of which protobuf publishes no type
        raise InputError(
            f"{path}: this is no ONNX model, or it is truncated ({len(content)} bytes); export or "
            "copy it again"
        ) from error
    if not model.graph.node or not model.opset_import:
        what = "has no nodes" if not model.graph.node else "names no operator set"
        raise InputError(
            f"{path}: this is no complete ONNX model, for it {what} ({len(content)} bytes); export "
            "or copy it again"
        )
    _load_external_data(path, model)
    return model


def _load_external_data(path: Path, model: onnx.ModelProto) -> None:
    external = [tensor for tensor in model.graph.initializer if uses_external_data(tensor)]
    for tensor in external:
        location = ExternalDataInfo(tensor).location
        if not (path.parent / location).is_file():
            raise InputError(
                f"{path}: the external data '{location}' of '{tensor.name}' are missing; put the "
                "file beside the model"
            )
    try:
        load_external_data_for_model(model, str(path.parent))
    except Exception as error:  # the library raises several kinds, by version
        reason = str(error).strip().splitlines() or [repr(error)]
        raise InputError(f"{path}: its external data cannot be read: {reason[0]}") from error
