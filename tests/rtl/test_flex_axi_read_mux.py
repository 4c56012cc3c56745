# SPDX-License-Identifier: Apache-2.0
"""flex_axi_read_mux: one, two and three masters."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(("data_bytes", "ports"), [(64, 2), (16, 3), (32, 1)])
def test_flex_axi_read_mux(tmp_path: Path, data_bytes: int, ports: int) -> None:
    parameters = {"DataBytes": data_bytes, "Ports": ports}
    env = {"DATA_BYTES": str(data_bytes), "PORTS": str(ports)}
    assert simulate("flex_axi_read_mux", tmp_path, parameters, env=env) == 12
