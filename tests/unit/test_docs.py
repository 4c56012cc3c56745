# SPDX-License-Identifier: Apache-2.0
"""The pages say what is so: figures as measured, links that lead somewhere."""

import json
import re
from pathlib import Path

import pytest

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
    for page in ("README.md", "docs/results.md"):
        text = (ROOT / page).read_text()
        missing = [figure for figure in figures if figure not in text]
        assert not missing, f"{page} lacks {missing}; `make results` measured them"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    local = [target for target in targets if "://" not in target]
    broken = [target for target in local if not (page.parent / target).exists()]
    assert not broken
