# SPDX-License-Identifier: Apache-2.0
"""The runner finds every kind of failure, repeats runs by their seed, and builds once."""

import re
from pathlib import Path

import pytest

from sim.runner import simulate
from sim.verilator import BuildError, Design, build
from tests.sim.runner_probe_bench import EXPECTED_TESTS

PROBE = Path(__file__).with_name("runner_probe.sv")
BENCH = "tests.sim.runner_probe_bench"

pytestmark = pytest.mark.rtl


def run(folder: Path, parameters: dict[str, int | str] | None = None, **options: object) -> int:
    arguments = {"bench": BENCH, "extra_sources": [PROBE]} | options
    return simulate("runner_probe", folder, parameters or {}, **arguments)  # type: ignore[arg-type]


def first_words(folder: Path) -> list[str]:
    return re.findall(r"first word: (\w+)", (folder / "sim.log").read_text())


@pytest.mark.parametrize("width", [1, 8, 512])
def test_counts_the_passed_tests(width: int, tmp_path: Path) -> None:
    assert run(tmp_path, {"Width": width}) == EXPECTED_TESTS


def test_same_seed_same_run_and_another_seed_another(tmp_path: Path) -> None:
    words = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        run(tmp_path / name, {"Width": 512}, seed=seed)
        words.append(first_words(tmp_path / name))
    assert len(words[0]) == EXPECTED_TESTS
    assert words[0] == words[1]
    assert words[0] != words[2]


def test_passes_strings_and_wide_parameters(tmp_path: Path) -> None:
    run(tmp_path, {"Greeting": "good day", "Marker": 0xFEDCBA9876543210})
    assert "greeting: good day fedcba9876543210" in (tmp_path / "sim.log").read_text()


def test_unstable_data_is_found_and_the_failure_is_repeatable(tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as failure:
        run(tmp_path, {"Unstable": 1}, seed=77)
    text = str(failure.value)
    assert "failed: passes_words_in_order" in text
    assert "before it was taken" in text
    assert "FLEXCC_SEED=77 pytest" in text
    assert "tests/sim/test_runner.py::test_unstable_data" in text


def test_failing_assertion_in_the_design_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"assertion failed: .*NoOnes"):
        run(tmp_path, {"FailsOnOnes": 1})


def test_clock_and_reset_start_low_under_every_seed(tmp_path: Path) -> None:
    for seed in range(8):
        assert run(tmp_path, {"Width": 8}, seed=seed) == EXPECTED_TESTS


def test_missing_reset_is_found_by_random_initial_values(tmp_path: Path) -> None:
    def fails(seed: int) -> bool:
        try:
            run(tmp_path, {"NoReset": 1, "Width": 8}, seed=seed)
        except AssertionError:
            return True
        return False

    assert any(fails(seed) for seed in range(8))


def test_hanging_simulation_is_ended(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"no end after 3\.0 s"):
        run(tmp_path, {}, env={"PROBE_HANGS": "1"}, timeout_s=3.0)


def test_bench_that_cannot_be_imported_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="No module named 'no_such_bench'"):
        run(tmp_path, {}, bench="no_such_bench")


def test_parameter_check_stops_the_build(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="parameter check failed: WidthInRange"):
        run(tmp_path, {"Width": 4096})


def test_unknown_parameter_stops_the_build(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="NoSuchParameter"):
        run(tmp_path, {"NoSuchParameter": 1})


def test_unknown_module_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no source file no_such_module\.sv"):
        simulate("no_such_module", tmp_path, {})


def test_builds_once(monkeypatch: pytest.MonkeyPatch) -> None:
    design = Design(top="runner_probe", parameters={"Width": 8}, extra_sources=(PROBE,))
    executable = build(design)
    monkeypatch.setattr("sim.verilator._compile", None)
    assert build(design) == executable


def test_changed_source_builds_anew(tmp_path: Path) -> None:
    changed = tmp_path / PROBE.name
    designs = []
    for text in ("", "// another\n"):
        changed.write_text(PROBE.read_text() + text)
        designs.append(build(Design(top="runner_probe", parameters={}, extra_sources=(changed,))))
    assert designs[0] != designs[1]
