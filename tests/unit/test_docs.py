# SPDX-License-Identifier: Apache-2.0
"""The pages say what is so: figures as measured, links that lead somewhere."""

import json
import re
from pathlib import Path

import pytest

from designs.design import FOLDER
from designs.regression.figures import read_figures
from designs.results import everything, main, page
from designs.trained.models import VARIABLE
from designs.whole.board import BOARDS, load_board
from designs.whole.board import stored as stored_board
from designs.whole.networks import WHOLE, stored_report
from flexcc.errors import InputError
from flexcc.targets import load_device

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("designs/**/*.md"))
)


def test_readme_and_results_state_the_measured_figures() -> None:
    report = json.loads((ROOT / "designs" / "mnist_conv_u250" / "report.json").read_text())
    measured, estimated = report["cycles"]["measured"], report["cycles"]["estimated"]
    figures = [
        f"{measured:,}",
        f"{estimated:,}",
        str(report["resources"]["dsp"]["used"]),
        f"{report['verify']['rtl']['compared_bytes']:,} bytes",
        f"{report['mac_efficiency']['measured'] * 100:.1f}",
        "{m} x {p} x {n}".format(**report["array"]),
    ]
    for name in ("README.md", "docs/results.md"):
        text = (ROOT / name).read_text()
        missing = [figure for figure in figures if figure not in text]
        assert not missing, f"{name} lacks {missing}; `make results` measured them"


@pytest.mark.parametrize("name", WHOLE)
def test_readme_states_whole_networks(name: str) -> None:
    report = stored_report(name)
    efficiency = f"{report['mac_efficiency']['measured'] * 100:.1f} %"
    cycles = f"| {report['cycles']['measured']:,} | {efficiency} |"
    assert cycles in (ROOT / "README.md").read_text(), f"{name} takes {cycles}"


@pytest.mark.parametrize("name", BOARDS)
def test_readme_states_whole_boards(name: str) -> None:
    board, figures = load_board(name), stored_board(name)
    shape = " x ".join(map(str, board.array))
    share = figures.dsp / load_device(board.target).dsp
    row = f"| {board.cores} of {shape} | {share:.0%} | {figures.cycles:,} "
    row = f"{row.replace('%', ' %')}| {figures.cycles / 300e3:.2f} |"
    assert row in (ROOT / "README.md").read_text(), row


def test_readme_states_the_bitstream() -> None:
    guard = read_figures(FOLDER / "mnist_conv_ulx3s" / "guard.json")
    figures = f"{guard.fmax_mhz:.1f} MHz, {guard.lut:,} LUT"
    assert figures in (ROOT / "README.md").read_text(), figures


def test_the_page_of_results_is_that_of_the_stored_figures() -> None:
    stored = (ROOT / "docs" / "results.md").read_text()
    assert stored == page(), "run `python -m designs.results`"


def test_a_measurement_that_is_none() -> None:
    with pytest.raises(InputError, match="enett: no such measurement; known are mnist_conv_u250"):
        main(["enett"])


def test_everything_that_needs_no_file_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    names = everything()
    assert {"mnist_conv_u250", "enet", "unet", "openpose", "cores", "area"} <= set(names)
    assert not {"trained/centerface_512", "trained/accuracy", "agreement"} & set(names)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text())
    local = [target for target in targets if "://" not in target]
    broken = [target for target in local if not (path.parent / target).exists()]
    assert not broken
