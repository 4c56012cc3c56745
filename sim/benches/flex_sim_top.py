# SPDX-License-Identifier: Apache-2.0
"""Runs the programs of a job on the accelerator; `sim.run_program` starts it.

Python runs only between programs: the clock is driven from C++, and the bench sleeps until the
interrupt.
"""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
import numpy.typing as npt
from cocotb.triggers import RisingEdge, SimTimeoutError, Timer, with_timeout

from flexcc.program.registers import Control, IrqEnable, IrqStatus, Register, Status
from sim.bus.axi_lite import AxiLiteMaster
from sim.bus.clock import CLOCK_PERIOD_NS, reset, start_clock
from sim.harness.job import (
    IMAGE,
    JOB_FOLDER_VARIABLE,
    ON_CHIP,
    PATCHES,
    PORTS,
    Ending,
    Job,
    MemoryBehaviour,
    Outcome,
    Trace,
    memory_file,
)
from sim.harness.registers import COUNTERS, ENGINES
from sim.memory.model import Memory, Pause, Port
from sim.start.trace import close_trace, open_trace

# Register accesses end after this many cycles, or the control port hangs.
_ACCESS_CYCLES = 1000
_REORDER_PERCENT = 25


@cocotb.test()
async def runs_the_job(dut: Any) -> None:
    folder = Path(os.environ[JOB_FOLDER_VARIABLE])
    job = Job.read(folder)
    memory = Memory()
    contents = map_image(memory, job.base, folder / IMAGE)
    ports = job.cores * len(PORTS)
    seed = int(os.environ["COCOTB_RANDOM_SEED"])
    set_behaviour(memory, job.base, job.memory, ports, seed=seed)

    start_clock(dut)
    host = Host(dut)
    await reset(dut)
    await host.write64(Register.BASE_LOW, job.base)
    await host.write64(Register.PROGRAM_LOW, job.program_offset)
    await host.write(Register.PROGRAM_BEATS, job.program_beats)
    await host.write(Register.IRQ_ENABLE, IrqEnable.DONE)

    patches = (folder / PATCHES).read_bytes()
    for number, run in enumerate(job.runs):
        for patch in run:
            piece = patches[patch.source : patch.source + patch.size]
            contents[patch.offset : patch.offset + patch.size] = np.frombuffer(piece, np.uint8)
        ended = await host.run(job.watchdog_cycles, job.trace if number == 0 else None)
        outcome = await host.outcome(memory, job, ended=ended)
        outcome.write(folder, number)
        contents.tofile(memory_file(folder, number))
        if outcome.ending is not Ending.DONE:
            break


class Host:
    """The software side of the accelerator: its registers and its interrupt."""

    def __init__(self, dut: Any) -> None:
        self._interrupt = dut.interrupt_o
        self._registers = AxiLiteMaster(dut, "s_axi_ctrl")

    async def write(self, register: int, value: int) -> None:
        """Writes a 32-bit register."""
        await with_timeout(
            self._registers.write(register, value), _ACCESS_CYCLES * CLOCK_PERIOD_NS, "ns"
        )

    async def write64(self, register: int, value: int) -> None:
        """Writes the two halves of a 64-bit register, the low one first."""
        await self.write(register, value & 0xFFFFFFFF)
        await self.write(register + 4, value >> 32)

    async def read(self, register: int) -> int:
        """Reads a 32-bit register."""
        value: int = await with_timeout(
            self._registers.read(register), _ACCESS_CYCLES * CLOCK_PERIOD_NS, "ns"
        )
        return value

    async def run(self, watchdog_cycles: int, trace: Trace | None) -> bool:
        """Runs the program; returns whether it ended within `watchdog_cycles`."""
        assert self._interrupt.value == 0, "the interrupt is up before the start"
        traced = None if trace is None else cocotb.start_soon(_write_waves(trace))
        await self.write(Register.CONTROL, Control.START)
        ended = bool(self._interrupt.value == 1)
        if not ended:
            try:
                duration_ns = watchdog_cycles * CLOCK_PERIOD_NS
                await with_timeout(RisingEdge(self._interrupt), duration_ns, "ns")
                ended = True
            except SimTimeoutError:
                pass
        if traced is not None:
            traced.cancel()
            close_trace()
        if ended:
            await self.write(Register.IRQ_STATUS, IrqStatus.DONE)
        return ended

    async def outcome(self, memory: Memory, job: Job, *, ended: bool) -> Outcome:
        """The state of all counters; a port's are those of all cores together."""
        status = Status(await self.read(Register.STATUS))
        assert ended == (Status.BUSY not in status), f"ended {ended}, but STATUS is {status!r}"
        ending = Ending.ERROR if Status.ERROR in status else Ending.DONE
        low, high = await self.read(Register.CYCLES_LOW), await self.read(Register.CYCLES_HIGH)
        engines = {
            engine: {
                counter: await self.read(Register[f"ENGINE{e}_{counter.upper()}"])
                for counter in COUNTERS
            }
            for e, engine in enumerate(ENGINES)
        }
        ports = {name: statistics(memory, port, job.cores) for port, name in enumerate(PORTS)}
        if job.on_chip:
            ports[ON_CHIP] = asdict(memory.statistics(job.cores * len(PORTS)))
        return Outcome(
            ending=ending if ended else Ending.TIMEOUT,
            error=await self.read(Register.ERROR),
            tiles_done=await self.read(Register.TILES_DONE),
            cycles=high << 32 | low,
            engines=engines,
            ports=ports,
        )


async def _write_waves(trace: Trace) -> None:
    """Writes waveforms from the cycle `trace.first` on; the host writes CONTROL in cycle 0."""
    if trace.first:
        await Timer(trace.first * CLOCK_PERIOD_NS, "ns")
    open_trace(trace.file)
    await Timer((trace.last - trace.first) * CLOCK_PERIOD_NS, "ns")
    close_trace()


def map_image(memory: Memory, base: int, path: Path) -> npt.NDArray[np.uint8]:
    """Maps the file's bytes at address `base`; returns them as the array that is the memory."""
    size = path.stat().st_size
    contents = memory.map(base, size)
    with path.open("rb") as file:
        read = file.readinto(contents.data)
    assert read == size, f"{path}: read {read} of {size} bytes"
    return contents


def statistics(memory: Memory, port: int, cores: int) -> dict[str, int]:
    """What has passed through port number `port` of every core."""
    every = [asdict(memory.statistics(core * len(PORTS) + port)) for core in range(cores)]
    return {name: sum(one[name] for one in every) for name in every[0]}


def set_behaviour(
    memory: Memory, base: int, behaviour: MemoryBehaviour, ports: int, *, seed: int
) -> None:
    """Makes the first `ports` ports of `memory` behave as told."""
    stalls = behaviour.stall_seed is not None
    pause = (
        Pause(percent=behaviour.stall_percent, longest=behaviour.stall_longest)
        if stalls
        else Pause()
    )
    port = Port(
        seed=seed if behaviour.stall_seed is None else behaviour.stall_seed,
        read_latency=behaviour.latency_cycles,
        write_latency=behaviour.latency_cycles,
        latency_spread=(behaviour.latency_most or behaviour.latency_cycles)
        - behaviour.latency_cycles,
        reorder_percent=_REORDER_PERCENT if stalls else 0,
        channel=None if behaviour.beats_per_1000_cycles is None else 0,
        channels=behaviour.channels,
        ar=pause,
        r=pause,
        aw=pause,
        w=pause,
        b=pause,
    )
    for number in range(ports):
        memory.configure(number, port)
    if behaviour.beats_per_1000_cycles is not None:
        for channel in range(behaviour.channels):
            memory.limit(channel, behaviour.beats_per_1000_cycles)
    memory.clear_failures()
    for failure in behaviour.failures:
        memory.fail(
            base + failure.first,
            base + failure.last,
            failure.response,
            reads=failure.reads,
            writes=failure.writes,
        )
