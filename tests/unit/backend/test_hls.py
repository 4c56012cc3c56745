# SPDX-License-Identifier: Apache-2.0
"""The HLS folder of a build: every parameter of an accelerator reaches the configuration."""

import re

import pytest

from flexcc.accelerator import Accelerator
from flexcc.backend.hls import hls_files, hls_view
from tests.networks import ACCELERATORS


@pytest.mark.parametrize("number", range(len(ACCELERATORS)))
def test_configuration_names_every_parameter(number: int) -> None:
    accelerator: Accelerator = ACCELERATORS[number]
    files = hls_files(hls_view(accelerator, version="1", model="net.onnx", target="u250"))
    text = files["flex_config.hpp"].decode()
    values = dict(re.findall(r"constexpr \w+ k(\w+) = (\w+);", text))
    renamed = {"beat_bytes": "DataBytes"}
    for name in Accelerator.__dataclass_fields__:
        # All memory of the kernel is behind its ports; its multipliers are the synthesis tool's.
        if name.startswith("on_chip") or name == "split_products":
            continue
        parameter = renamed.get(name) or "".join(part.title() for part in name.split("_"))
        value = getattr(accelerator, name)
        expected = str(value).lower() if isinstance(value, bool) else str(value)
        assert values.pop(parameter) == expected
    assert not values


def test_second_tensors_have_a_port_only_where_there_are_sums() -> None:
    for accelerator in ACCELERATORS:
        files = hls_files(hls_view(accelerator, version="1", model="net.onnx", target="u250"))
        kernel = files["flex_kernel.cpp"].decode()
        assert ("port=skip" in kernel) is accelerator.sums
