# SPDX-License-Identifier: Apache-2.0
"""A design: a mapped network, how often it stands on the device, and its figures."""

from dataclasses import dataclass

from flexcc.dse.bound import Bound, lower_bound
from flexcc.dse.memory import beats_per_cycle
from flexcc.dse.objective import Objective
from flexcc.dse.resources import multipliers, ram_blocks, resources
from flexcc.dse.solution import Estimate, Solution, board_cycles, estimate
from flexcc.targets.device import Device

__all__ = ["Design", "channels_within", "design_of"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Design:
    """A solution with `copies` on the device, each with images of its own.

    `cycles` are those of an image when all cores and copies share the memory channels;
    `estimate.cycles` when each port has a channel of its own, as it is simulated. `interval` is the
    mean distance of images in cycles. `dsp`, `bram36`, `lut` and `ff` are those of all cores and
    copies, the last two estimates or None, as of `Resources`. `efficiency` is useful MAC by those
    the arrays could make.
    """

    solution: Solution
    estimate: Estimate
    bound: Bound
    copies: int
    clock_mhz: float
    cycles: int
    interval: float
    dsp: int
    bram36: int
    lut: int | None
    ff: int | None
    dsp_share: float
    bram36_share: float
    traffic: int
    efficiency: float

    @property
    def cores(self) -> int:
        """Cores that share an image."""
        return self.solution.accelerator.cores

    @property
    def milliseconds(self) -> float:
        """Time of an image."""
        return self.cycles / (self.clock_mhz * 1e3)

    @property
    def images_per_second(self) -> float:
        """Images that all copies finish in a second."""
        return self.clock_mhz * 1e6 / self.interval

    @property
    def area(self) -> float:
        """The largest share that the design takes of a resource."""
        return max(self.dsp_share, self.bram36_share)

    @property
    def gap(self) -> float:
        """How much more than its bound an image takes, as a share of it."""
        return self.cycles / self.bound.cycles - 1

    def key(self, objective: Objective) -> float:
        """What `objective` minimises."""
        return {
            Objective.LATENCY: float(self.cycles),
            Objective.THROUGHPUT: self.interval,
            Objective.AREA: self.area,
            Objective.EFFICIENCY: -self.efficiency,
        }[objective]


def channels_within(device: Device, clock_mhz: float, carried: float) -> int:
    """The memory channels that carry so many bytes a cycle."""
    return round(carried / (beats_per_cycle(device, clock_mhz) * device.memory_bytes))


def design_of(
    solution: Solution, device: Device, *, macs: int, clock_mhz: float, copies: int = 1
) -> Design:
    """The figures of `copies` of a solution whose network has `macs` useful MAC.

    Copies are at different layers of their images, so that together they take as long as one of
    them or as all their bytes.
    """
    a = solution.accelerator
    found = estimate(solution)
    traffic = sum(stage.traffic.total for stage in found.stages)
    channels = channels_within(device, clock_mhz, solution.carried)
    alone = board_cycles(solution, found.stages, channels)
    interval = max(alone, copies * traffic / solution.carried) / copies
    dsp = copies * multipliers(a, device.family)
    bram36 = copies * a.cores * ram_blocks(a)
    used = resources(a, device)
    return Design(
        solution=solution,
        estimate=found,
        bound=lower_bound(solution.candidates, a.cores, solution.carried),
        copies=copies,
        clock_mhz=clock_mhz,
        cycles=round(max(alone, interval * copies)),
        interval=interval,
        dsp=dsp,
        bram36=bram36,
        lut=None if used.lut is None else copies * used.lut,
        ff=None if used.ff is None else copies * used.ff,
        dsp_share=dsp / device.dsp,
        bram36_share=bram36 / device.bram36,
        traffic=traffic,
        efficiency=macs / (interval * copies * a.macs_per_cycle),
    )
