# SPDX-License-Identifier: Apache-2.0
"""flex_axi_read_mux: one, two, three and five masters, straight and behind registers."""

from pathlib import Path

import pytest

from sim.runner import simulate

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    ("data_bytes", "ports", "registered"), [(64, 2, 0), (16, 3, 0), (32, 1, 0), (8, 5, 1)]
)
def test_flex_axi_read_mux(tmp_path: Path, data_bytes: int, ports: int, registered: int) -> None:
    parameters = {"DataBytes": data_bytes, "Ports": ports, "Registered": registered}
    env = {"DATA_BYTES": str(data_bytes), "PORTS": str(ports)}
    assert simulate("flex_axi_read_mux", tmp_path, parameters, env=env) == 12
