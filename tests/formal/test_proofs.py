# SPDX-License-Identifier: Apache-2.0
"""FIFOs, arbiters and handshakes, proved for all inputs; and that a fault breaks each proof."""

from pathlib import Path

import pytest

from sim.formal import SOURCES
from sim.formal.prove import ProofError, prove
from sim.sources import RTL

# Module, parameters, cycles of the induction.
PROOFS = [
    ("flex_stream_register", {}, 3),
    ("flex_stream_fifo", {"Depth": 1}, 3),
    ("flex_stream_fifo", {"Depth": 2}, 3),
    ("flex_stream_fifo", {"Depth": 5}, 3),
    ("flex_gearbox", {"InBytes": 4, "OutBytes": 1}, 3),
    ("flex_gearbox", {"InBytes": 4, "OutBytes": 2}, 3),
    ("flex_gearbox", {"InBytes": 2, "OutBytes": 4}, 3),
    ("flex_gearbox", {"InBytes": 1, "OutBytes": 4}, 3),
    ("flex_axi_read_mux", {"Ports": 2}, 3),
    ("flex_axi_read_mux", {"Ports": 3}, 3),
    ("flex_axi_read", {"MaxBurst": 2, "FifoBeats": 4}, 3),
]
# A block RAM behind which words are read ahead: half a minute.
SLOW_PROOF = ("flex_stream_fifo", {"Depth": 65, "Width": 1}, 5)

# A fault of one expression in each module, and the parameters of a proof that must see it.
FAULTS = [
    ("common/flex_stream_register", "(ready_q && !in_valid_i)", "ready_q", {}),
    ("common/flex_stream_register", "ready_q ? in_data_i : skid_q", "in_data_i", {}),
    ("common/flex_stream_fifo", "LevelWidth'(Depth - 1)", "LevelWidth'(Depth)", {"Depth": 5}),
    ("common/flex_stream_fifo", "(out_rd_addr_q == OutLast) ? '0 :", "", {"Depth": 5}),
    ("common/flex_gearbox", "word_q >> (OutBytes * 8)", "word_q", {"InBytes": 4, "OutBytes": 2}),
    ("common/flex_gearbox", "(index_q == '0) ? '0 : word_q", "word_q", {"InBytes": 1}),
    ("memory/flex_axi_read_mux", "above_q <= above_d", "above_q <= '0", {"Ports": 3}),
    ("memory/flex_axi_read_mux", "addr = araddr[p]", "addr = araddr[0]", {"Ports": 2}),
    ("memory/flex_axi_read", "> 32'(burst_len)", ">= 32'(burst_len)", {}),
    ("memory/flex_axi_read", "free_q - reserve + FillWidth'(pop)", "free_q - reserve + 1'b1", {}),
]


def test_every_source_has_a_proof() -> None:
    proved = {module for module, *_ in PROOFS}
    assert {path.stem for path in SOURCES} == {f"{name}_proof" for name in proved}
    assert {Path(name).name for name, *_ in FAULTS} == proved


@pytest.mark.parametrize(("module", "parameters", "depth"), PROOFS)
def test_proof(module: str, parameters: dict[str, int], depth: int) -> None:
    prove(f"{module}_proof", parameters, depth=depth)


@pytest.mark.slow
def test_proof_of_a_deep_fifo() -> None:
    module, parameters, depth = SLOW_PROOF
    prove(f"{module}_proof", parameters, depth=depth)


@pytest.mark.parametrize(("module", "right", "wrong", "parameters"), FAULTS)
def test_a_fault_breaks_the_proof(
    module: str, right: str, wrong: str, parameters: dict[str, int], tmp_path: Path
) -> None:
    source = (RTL / f"{module}.sv").read_text()
    assert source.count(right) >= 1
    faulty = tmp_path / f"{Path(module).name}.sv"
    faulty.write_text(source.replace(right, wrong))
    with pytest.raises(ProofError, match="Checking assertions in step"):
        prove(f"{faulty.stem}_proof", parameters, depth=14, stand_ins=[faulty])
