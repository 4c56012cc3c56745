# SPDX-License-Identifier: Apache-2.0
"""flex_axi_write_mux: one, two and three masters."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(("ports", "data_bytes"), [(2, 8), (3, 16), (1, 8)])
def test_flex_axi_write_mux(tmp_path: Path, ports: int, data_bytes: int) -> None:
    parameters = {"Ports": ports, "DataBytes": data_bytes}
    env = {"PORTS": str(ports), "DATA_BYTES": str(data_bytes)}
    assert simulate("flex_axi_write_mux", tmp_path, parameters, env=env) == 4
