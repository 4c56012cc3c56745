# SPDX-License-Identifier: Apache-2.0
"""Options and fixtures of all tests: the seed, golden files, markers by folder."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from sim.runner import default_seed

TESTS = Path(__file__).parent
GOLDEN = TESTS / "golden"
# Tests in these folders carry the marker without naming it.
MARKER_OF_FOLDER = {"rtl": "rtl", "sim": "rtl", "e2e": "e2e", "hls": "hls"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--seed",
        default=None,
        help="seed of all random data: an integer, or `random` to draw one",
    )
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the files under tests/golden instead of comparing with them",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Hands the seed to simulations and to parallel workers through the environment."""
    is_worker = hasattr(config, "workerinput")
    seed = config.getoption("--seed")
    if seed is None or is_worker:
        return
    drawn = random.SystemRandom().randrange(2**31) if seed == "random" else int(seed)
    os.environ["FLEXCC_SEED"] = str(drawn)


def pytest_report_header() -> str:
    return f"seed: {default_seed()} (repeat with --seed {default_seed()})"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if TESTS in item.path.parents:
            folder = item.path.relative_to(TESTS).parts[0]
            if folder in MARKER_OF_FOLDER:
                item.add_marker(MARKER_OF_FOLDER[folder])


@pytest.fixture
def seed() -> int:
    """The seed of this run; tests draw their random data from it."""
    return default_seed()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(name, text)` fails unless `text` equals the file `tests/golden/<name>`."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        expected = path.read_text() if path.is_file() else None
        assert text == expected, f"{path} differs; rerun with --update-golden to accept"

    return check
