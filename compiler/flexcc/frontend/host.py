# SPDX-License-Identifier: Apache-2.0
"""Parts of a model that run on the host, in ONNX Runtime."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray

from flexcc.errors import InputError
from flexcc.ir.graph import Signature

__all__ = ["Host", "HostPart"]

_LOG_ERRORS_ONLY = 3


@dataclass(frozen=True, eq=False)
class HostPart:
    """An ONNX model as bytes, and its execution without optimisations that change numbers."""

    content: bytes

    @cached_property
    def input_names(self) -> tuple[str, ...]:
        """The values that it reads."""
        return tuple(value.name for value in self._session.get_inputs())

    @cached_property
    def output_names(self) -> tuple[str, ...]:
        """The values that it makes."""
        return tuple(value.name for value in self._session.get_outputs())

    def run(self, values: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The outputs for one image; `values` holds at least what it reads.

        Raises:
            InputError: ONNX Runtime fails on these values.
        """
        feed = {name: values[name] for name in self.input_names}
        try:
            results = self._session.run(list(self.output_names), feed)
        except Exception as error:  # ONNX Runtime has a class of its own for each code
            raise InputError(
                f"the host part of the model fails: {_first_line(error)}; check that the whole "
                "model runs in ONNX Runtime"
            ) from error
        return {
            name: np.asarray(array) for name, array in zip(self.output_names, results, strict=True)
        }

    def check(self) -> None:
        """Loads the model.

        Raises:
            InputError: ONNX Runtime cannot run it.
        """
        assert self._session is not None

    @cached_property
    def _session(self) -> Any:
        options = onnxruntime.SessionOptions()
        level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.graph_optimization_level = level
        options.intra_op_num_threads = 1
        options.log_severity_level = _LOG_ERRORS_ONLY
        try:
            return onnxruntime.InferenceSession(
                self.content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # as above
            raise InputError(
                f"ONNX Runtime cannot run the host part of the model: {_first_line(error)}"
            ) from error


@dataclass(frozen=True, kw_only=True, eq=False)
class Host:
    """What the host does around the accelerator, and the arrays of the whole model."""

    head: HostPart | None
    tail: HostPart | None
    inputs: tuple[Signature, ...]
    outputs: tuple[Signature, ...]

    def before(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All that is known of one image in front of the accelerator, by name."""
        made = {} if self.head is None else self.head.run(inputs)
        return {**inputs, **made}

    def after(self, values: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The outputs of the whole model, of what is known in front of and behind the body."""
        made = {} if self.tail is None else self.tail.run(values)
        known = {**values, **made}
        return {output.name: known[output.name] for output in self.outputs}


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [repr(error)])[0]
