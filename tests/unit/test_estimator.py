# SPDX-License-Identifier: Apache-2.0
"""The estimator keeps close to what the simulated RTL took, run by run and layer by layer."""

from designs.whole.estimator import PAGE, Comparison, layers, page, runs
from designs.whole.networks import WHOLE


def test_an_error_is_a_share_of_what_was_measured() -> None:
    low = Comparison(network="n", name="l", estimated=90, measured=100)
    assert round(low.error, 6) == -0.1


def test_runs_are_estimated_within_two_percent() -> None:
    errors = [abs(run.error) for run in runs()]
    assert len({run.name for run in runs()}) >= 5, "arrays of five shapes"
    assert {run.network for run in runs()} == set(WHOLE)
    assert sum(errors) / len(errors) <= 0.02
    assert max(errors) <= 0.05


def test_layers_are_estimated_within_fifteen_percent() -> None:
    worst = {
        (layer.network, layer.name)
        for network in WHOLE
        for layer in layers(network)
        if abs(layer.error) > 0.15
    }
    assert worst == set()


def test_the_page_says_what_the_reports_say() -> None:
    assert PAGE.read_text() == page(), "run `make estimator-report`"
