# SPDX-License-Identifier: Apache-2.0
"""Writes docs/results.md from the stored figures, after measuring again those that are named.

`make results` measures everything; the diff of what it writes is the change in performance.
`python -m designs.results NAME...` measures what is named and `python -m designs.results` nothing;
both write the page. `python -m designs.results --list` tells the names.
"""

import sys
from collections.abc import Callable, Sequence

from rich.console import Console

from designs.agreement.figures import measure as measure_agreement
from designs.agreement.figures import stored as agreement_figures
from designs.agreement.table import section as agreement_section
from designs.design import FOLDER
from designs.enet import accuracy as enet_accuracy
from designs.enet.table import section as enet_section
from designs.mnist_conv_u250 import figures as digits
from designs.regression.table import section as guarded_section
from designs.trained import figures as trained
from designs.trained.table import section as trained_section
from designs.trained.whole import RUNS, at_hand
from designs.trained.whole import main as measure_trained
from designs.trained.whole_table import section as trained_whole_section
from designs.versatility import area
from designs.versatility import figures as versatility
from designs.versatility.reshapes import measure_reshapes
from designs.versatility.tables import sections
from designs.versatility.zeros import measure_zeros
from designs.whole import chance, exploration
from designs.whole.ablation import ABLATED
from designs.whole.ablation import main as measure_ablation
from designs.whole.ablation import section as ablation_section
from designs.whole.board import BOARDS
from designs.whole.board import main as measure_boards
from designs.whole.board import section as boards_section
from designs.whole.cores import main as measure_cores
from designs.whole.cores import section as cores_section
from designs.whole.estimator import write_page as write_estimator_page
from designs.whole.hls import NAMES as ON_HLS
from designs.whole.hls import main as measure_hls
from designs.whole.hls import section as hls_section
from designs.whole.networks import WHOLE
from designs.whole.networks import main as measure_networks
from designs.whole.on_chip import main as measure_on_chip
from designs.whole.on_chip import section as on_chip_section
from designs.whole.simulation import LIMITS
from designs.whole.simulation import main as measure_simulation
from designs.whole.simulation import section as simulation_section
from designs.whole.tables import section as whole_section
from flexcc.console import progress
from flexcc.errors import InputError
from flexcc.progress import Progress

__all__ = ["MEASUREMENTS", "page"]

PAGE = FOLDER.parent / "docs" / "results.md"


def _versatility(reports: Progress) -> None:
    found = versatility.Figures(zeros=measure_zeros(reports), reshapes=measure_reshapes(reports))
    versatility.STORED.write_text(versatility.to_json(found))


def _segmentation(_: Progress) -> None:
    found = enet_accuracy.accuracy(enet_accuracy.segment())
    enet_accuracy.STORED.write_text(enet_accuracy.to_json(found))


def _alone(measure: Callable[[tuple[str, ...]], None], name: str) -> Callable[[Progress], None]:
    """Measures one of those that `measure` can."""
    return lambda _: measure((name,))


MEASUREMENTS: dict[str, Callable[[Progress], object]] = {
    "mnist_conv_u250": digits.measure,
    **{name: _alone(measure_networks, name) for name in WHOLE},
    **{f"trained/{name}": _alone(measure_trained, name) for name in RUNS},
    **{f"hls/{name}": _alone(measure_hls, name) for name in ON_HLS},
    **{f"{name}/simulation": _alone(measure_simulation, name) for name in LIMITS},
    "cores": lambda _: measure_cores(),
    **{f"{name}/board": _alone(measure_boards, name) for name in BOARDS},
    "on_chip": lambda _: measure_on_chip(),
    "exploration": exploration.main,
    "chance": chance.main,
    **{f"{name}/ablation": _alone(measure_ablation, name) for name in ABLATED},
    "enet/accuracy": _segmentation,
    "trained/accuracy": lambda _: trained.STORED.write_text(trained.to_json(trained.measure())),
    "agreement": lambda _: measure_agreement(()),
    "versatility": _versatility,
    "area": lambda _: area.measure(),
}
"""What is measured, by name: each writes the JSON that holds its figures."""


def page() -> str:
    """The text of docs/results.md."""
    return f"""\
# Results

<!-- Written by `make results`. Do not edit. -->

Every figure here is measured by `make results`, which also writes the `report.json` of each
design and the JSON of accuracies and single layers; tests fail when the sources give other cycles,
another accuracy or another number of multipliers. `python -m designs.results NAME` measures one of
them again, `--list` tells the names. Cycles are those of the RTL in Verilator, from start to done,
with a memory that answers after 100 cycles and moves one beat per cycle and port. No tool has timed
the design yet, so every figure in ms names its clock as assumed.

{digits.section()}
{whole_section()}
{trained_whole_section()}
{simulation_section()}
{hls_section()}
{cores_section()}
{boards_section()}
{on_chip_section()}
{exploration.section()}
{chance.section()}
{ablation_section()}
{enet_section(enet_accuracy.stored())}
{trained_section(trained.stored())}
{agreement_section(agreement_figures())}
{sections(versatility.stored())}
{area.section()}
{guarded_section()}"""


def everything() -> tuple[str, ...]:
    """The names of all that can be measured with the models that are here."""
    missing = {
        f"{where}trained/{name}" for name in RUNS if not at_hand(name) for where in ("", "hls/")
    }
    if not trained.at_hand():
        missing |= {"trained/accuracy", "agreement"}
    return tuple(name for name in MEASUREMENTS if name not in missing)


def main(words: Sequence[str]) -> None:
    """Measures and writes.

    Raises:
        InputError: a name that is none.
    """
    if list(words) == ["--list"]:
        sys.stdout.write("\n".join(MEASUREMENTS) + "\n")
        return
    names = everything() if list(words) == ["--all"] else words
    for name in names:
        if name not in MEASUREMENTS:
            raise InputError(f"{name}: no such measurement; known are {', '.join(MEASUREMENTS)}")
    for name in names:
        with progress(Console(stderr=True), wanted=True) as reports:
            reports.step(f"measuring {name}")
            MEASUREMENTS[name](reports)
    PAGE.write_text(page())
    write_estimator_page()


if __name__ == "__main__":
    main(sys.argv[1:])
