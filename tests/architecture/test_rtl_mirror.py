# SPDX-License-Identifier: Apache-2.0
"""Every RTL module has a bench, a test, a line in rtl/README.md and a place in docs/rtl."""

import re
from pathlib import Path

import pytest

from sim.lint import is_module, unlisted_files
from sim.sources import FILE_LISTS, RTL, SIM, read_file_list

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "rtl"
TESTS = ROOT / "tests"

# Modules without a bench of their own, each with the module whose bench exercises it.
COVERED_BY = {
    "flex_csr_regs": "flex_csr",  # generated from the register map, only ever used inside flex_csr
    "flex_step_issue": "flex_sequencer",  # its outputs are the sequencer's
    # Parts of one pipeline with fixed latencies, whose every beat the bench of the whole compares.
    "flex_window_parameters": "flex_window",
    "flex_window_walk": "flex_window",
    "flex_window_lines": "flex_window",
    "flex_window_taps": "flex_window",
    "flex_window_pack": "flex_window",
    # Its ports and its banks.
    "flex_on_chip_read": "flex_on_chip_ram",
    "flex_on_chip_write": "flex_on_chip_ram",
    "flex_on_chip_bank": "flex_on_chip_ram",
    # Every byte of the line passes them.
    "flex_uart_rx": "flex_link",
    "flex_uart_tx": "flex_link",
    "flex_link_receive": "flex_link",
    "flex_link_send": "flex_link",
    # Whole programs run on them, with their memory around them.
    "flex_core": "flex_top",
    "flex_on_chip": "flex_top",
    "flex_top": "flex_sim_top",
}


def listed(number: int) -> list[Path]:
    return [path for path in read_file_list(FILE_LISTS[number]) if path.is_file()]


def modules(number: int) -> list[str]:
    return [path.stem for path in listed(number) if is_module(path)]


RTL_MODULES, SIM_MODULES = [*modules(0), *modules(2)], modules(1)


def test_every_listed_file_exists_and_every_file_is_listed() -> None:
    missing = [
        str(path.relative_to(ROOT))
        for file_list in FILE_LISTS
        for path in read_file_list(file_list)
        if not path.is_file()
    ]
    assert not missing
    assert not unlisted_files()


def test_files_are_listed_in_dependency_order() -> None:
    for file_list in FILE_LISTS:
        files = [path for path in read_file_list(file_list) if path.is_file()]
        later = {path.stem for path in files}
        for path in files:
            later.discard(path.stem)
            words = set(re.findall(r"^\s*(\w+)\s+(?:#\(|u_\w+|\w+\s*\()", path.read_text(), re.M))
            imported = set(re.findall(r"\b(\w+)::", path.read_text()))
            wrong = (words | imported) & later
            assert not wrong, f"{path.name} uses {sorted(wrong)}, listed after it"


EVERY = [*listed(0), *listed(1), *listed(2)]


@pytest.mark.parametrize("module", RTL_MODULES)
def test_file_holds_the_module_of_its_name(module: str) -> None:
    [path] = [path for path in [*listed(0), *listed(2)] if path.stem == module]
    assert re.findall(r"^module\s+(\w+)", path.read_text(), re.M) == [module]


@pytest.mark.parametrize("module", RTL_MODULES)
def test_rtl_module_has_a_bench_and_a_test(module: str) -> None:
    benched = module
    while benched in COVERED_BY:
        user = next(path for path in EVERY if path.stem == COVERED_BY[benched])
        assert re.search(rf"\b{benched}\b", user.read_text()), f"{user.stem} does not use {benched}"
        benched = user.stem
    assert (SIM / "benches" / f"{benched}.py").is_file()
    if benched in SIM_MODULES:
        assert (TESTS / "sim" / f"test_{benched}.py").is_file()
        return
    test = TESTS / "rtl" / f"test_{benched}.py"
    assert test.is_file()
    assert f'"{benched}"' in test.read_text(), f"{test.name} never simulates {benched}"


@pytest.mark.parametrize("module", SIM_MODULES)
def test_simulation_module_has_a_bench_and_a_test(module: str) -> None:
    assert (SIM / "benches" / f"{module}.py").is_file()
    assert (TESTS / "sim" / f"test_{module}.py").is_file()


@pytest.mark.parametrize("module", RTL_MODULES)
def test_rtl_module_is_documented(module: str) -> None:
    table = (RTL / "README.md").read_text()
    assert re.search(rf"^\| `{module}` \|", table, re.M), f"rtl/README.md has no line for {module}"
    pages = "".join(page.read_text() for page in DOCS.glob("*.md"))
    assert re.search(rf"\b{module}\b", pages), f"docs/rtl never mentions {module}"


def test_benches_belong_to_modules() -> None:
    known = {*RTL_MODULES, *SIM_MODULES, "__init__"}
    stray = [path.stem for path in (SIM / "benches").glob("flex_*.py") if path.stem not in known]
    assert not stray


def test_the_board_hands_on_every_parameter_of_the_core() -> None:
    """A build names them all; the board has one core."""
    wanted, offered = (
        set(re.findall(r"^ +parameter +\S.*?(\w+) += ", (RTL / name).read_text(), re.M))
        for name in ("flex_top.sv", "board/flex_board.sv")
    )
    assert "ActWords" in wanted
    # Of no use to one core, and to one whose memory is on the chip as a whole.
    assert wanted - offered == {"Cores", "OnChipBytes", "OnChipPages"}
