# SPDX-License-Identifier: Apache-2.0
"""Whole networks in the simulated RTL: every byte, and the cycles that are stored."""

import pytest

from designs.whole.cores import SHARED, measure_shared, stored_shared
from designs.whole.networks import WHOLE, load_whole, measure, stored_report
from flexcc.progress import Progress


@pytest.mark.slow
@pytest.mark.rtl
@pytest.mark.parametrize("name", WHOLE)
def test_whole_network(name: str) -> None:
    report, guard = measure(load_whole(name), Progress()), stored_report(name)
    remedy = "run `python -m designs.whole.networks`, `make results` and review what changes"
    assert report.verify.rtl is not None
    assert report.verify.rtl.compared_bytes == guard["verify"]["rtl"]["compared_bytes"]
    measured = report.cycles.measured
    assert measured == pytest.approx(guard["cycles"]["measured"], rel=0.002), remedy


@pytest.mark.slow
@pytest.mark.rtl
@pytest.mark.parametrize("name", SHARED)
def test_cores_share_an_image(name: str) -> None:
    assert measure_shared(load_whole(name), Progress()) == stored_shared(name)
