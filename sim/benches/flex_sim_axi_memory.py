# SPDX-License-Identifier: Apache-2.0
"""Bench of the AXI memory model, with cocotbext-axi as independent master.

The parameters of the module come in the environment: DATA_BYTES, HAS_READ, HAS_WRITE.
"""

import itertools
import os
import random
from collections.abc import Iterator
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, Combine, RisingEdge
from cocotbext.axi import AxiBus, AxiMaster, AxiResp

from sim.bus.axi import Unsuffixed
from sim.bus.clock import reset, start_clock
from sim.bus.stream import StreamMonitor, StreamSink, StreamSource, Word, bursty
from sim.memory.model import SLVERR, Memory, Pause, Port, Sampling

DATA_BYTES = int(os.environ["DATA_BYTES"])
READ_WRITE = os.environ["HAS_READ"] == "1" and os.environ["HAS_WRITE"] == "1"
# Breaks a rule of the protocol on purpose; the test then has to fail.
VIOLATION = os.environ.get("VIOLATION", "")
BASE, SIZE = 0x12_3456_0000, 1 << 16
PAGE = 4096
FULL_SIZE = DATA_BYTES.bit_length() - 1
ADDRESS_FIELDS = ("id", "addr", "len", "size", "burst")

PLAIN = Port(seed=1)
SLOW = Port(
    seed=2,
    read_latency=20,
    write_latency=30,
    latency_spread=50,
    reads=4,
    writes=3,
    reorder_percent=30,
    ar=Pause(percent=30, longest=4),
    r=Pause(percent=30, longest=4),
    aw=Pause(percent=30, longest=4),
    w=Pause(percent=30, longest=4),
    b=Pause(percent=30, longest=4),
)
SHARED = Port(seed=3, channel=0, reorder_percent=20, w=Pause(percent=10), r=Pause(percent=10))

both_halves = cocotb.test(timeout_time=1, timeout_unit="ms", skip=not READ_WRITE or bool(VIOLATION))


async def start(dut: Any, port: Port, *, mapped: int = SIZE) -> tuple[Memory, Any]:
    """Clock, idle inputs, a mapped memory and a reset; returns the memory and its contents."""
    start_clock(dut)
    for name in ("arvalid", "awvalid", "wvalid", "rready", "bready"):
        getattr(dut, f"s_axi_{name}_i").value = 0
    memory = Memory()
    memory.clear_failures()
    contents = memory.map(BASE, mapped)
    contents[:] = np.random.default_rng(random.getrandbits(32)).integers(
        0, 256, mapped, dtype=np.uint8
    )
    memory.configure(0, port)
    await reset(dut)
    return memory, contents


def master(dut: Any, *, paused: bool) -> AxiMaster:
    axi = AxiMaster(AxiBus.from_prefix(Unsuffixed(dut), "s_axi"), dut.clk_i)
    if paused:
        sources = (axi.read_if.ar_channel, axi.write_if.aw_channel, axi.write_if.w_channel)
        for channel in (*sources, axi.read_if.r_channel, axi.write_if.b_channel):
            channel.set_pause_generator(bursty())
    return axi


def burst(address: int, beats: int, identifier: int = 0) -> dict[str, int]:
    """An address word of an incrementing burst of full-width beats."""
    return {
        "id": identifier,
        "addr": address,
        "len": beats - 1,
        "size": FULL_SIZE,
        "burst": 1,
    }


def address_source(dut: Any, channel: str) -> StreamSource:
    return StreamSource(dut, f"s_axi_{channel}", fields=ADDRESS_FIELDS, separator="")


def read_sink(dut: Any) -> StreamSink:
    fields = ("id", "data", "resp", "last")
    return StreamSink(dut, "s_axi_r", fields=fields, separator="")


def write_source(dut: Any) -> StreamSource:
    return StreamSource(dut, "s_axi_w", fields=("data", "strb", "last"), separator="")


def write_sink(dut: Any) -> StreamSink:
    return StreamSink(dut, "s_axi_b", fields=("id", "resp"), separator="")


def beats_of(data: bytes) -> list[Word]:
    """Write beats that carry `data`, a whole number of beats, as one burst."""
    chunks = [data[i : i + DATA_BYTES] for i in range(0, len(data), DATA_BYTES)]
    return [
        {
            "data": int.from_bytes(chunk, "little"),
            "strb": 2**DATA_BYTES - 1,
            "last": int(number == len(chunks) - 1),
        }
        for number, chunk in enumerate(chunks)
    ]


@both_halves
@cocotb.parametrize(port=[PLAIN, SLOW, SHARED], paused=[False, True])
async def random_accesses_agree_with_a_byte_array(dut: Any, port: Port, paused: bool) -> None:
    memory, contents = await start(dut, port)
    memory.limit(0, 700)
    axi = master(dut, paused=paused)
    region_size = SIZE // 8

    async def accesses(region: int) -> None:
        first = region * region_size
        shadow = bytearray(contents[first : first + region_size])
        for _ in range(12):
            offset = random.randrange(region_size)
            length = random.randint(1, min(1500, region_size - offset))
            if random.random() < 0.5:
                data = random.randbytes(length)
                shadow[offset : offset + length] = data
                done = await axi.write(BASE + first + offset, data)
                assert done.resp == AxiResp.OKAY
            else:
                got = await axi.read(BASE + first + offset, length)
                assert got.resp == AxiResp.OKAY
                assert got.data == bytes(shadow[offset : offset + length])
        assert bytes(contents[first : first + region_size]) == bytes(shadow)

    await Combine(*(cocotb.start_soon(accesses(region)) for region in range(4)))


@both_halves
async def errors_are_answered_and_harmless(dut: Any) -> None:
    memory, contents = await start(dut, SLOW)
    axi = master(dut, paused=False)
    before = contents.copy()
    memory.fail(BASE + 4096, BASE + 4096 + 15, SLVERR, reads=False)
    memory.fail(BASE + 8192, BASE + 8192, SLVERR, writes=False)
    data = bytes(DATA_BYTES)

    async def responses(address: int) -> tuple[AxiResp, AxiResp]:
        return (await axi.write(address, data)).resp, (await axi.read(address, DATA_BYTES)).resp

    assert await responses(BASE + 4096) == (AxiResp.SLVERR, AxiResp.OKAY)
    assert (contents[4096 : 4096 + DATA_BYTES] == before[4096 : 4096 + DATA_BYTES]).all()
    assert await responses(BASE + 8192) == (AxiResp.OKAY, AxiResp.SLVERR)
    assert not contents[8192 : 8192 + DATA_BYTES].any()
    for outside in (BASE - DATA_BYTES, BASE + SIZE, 0, 2**64 - DATA_BYTES):
        assert await responses(outside) == (AxiResp.DECERR, AxiResp.DECERR)
    memory.clear_failures()
    assert await responses(BASE + 4096) == (AxiResp.OKAY, AxiResp.OKAY)
    untouched = np.ones(SIZE, dtype=bool)
    untouched[4096 : 4096 + DATA_BYTES] = untouched[8192 : 8192 + DATA_BYTES] = False
    assert (contents[untouched] == before[untouched]).all()


@both_halves
@cocotb.parametrize(latency=[1, 2, 37])
async def reads_stream_at_full_rate_after_the_latency(dut: Any, latency: int) -> None:
    memory, contents = await start(dut, Port(read_latency=latency))
    monitor_fields = ("id", "data", "resp", "last")
    addresses = StreamMonitor(dut, "s_axi_ar", fields=ADDRESS_FIELDS, separator="")
    beats = StreamMonitor(dut, "s_axi_r", fields=monitor_fields, separator="")
    lengths = [1, 2, 16, 3, 1, 1, 1, 8, PAGE // DATA_BYTES if DATA_BYTES > 16 else 16] * 4
    requests = [burst(BASE + PAGE * (i % 16), n, i % 2) for i, n in enumerate(lengths)]
    cocotb.start_soon(address_source(dut, "ar").send(requests))

    received = await read_sink(dut).receive(sum(lengths))

    expected = []
    for request, length in zip(requests, lengths, strict=True):
        offset = request["addr"] - BASE
        for beat in range(length):
            data = contents[offset + beat * DATA_BYTES :][:DATA_BYTES].tobytes()
            expected.append(
                {
                    "id": request["id"],
                    "data": int.from_bytes(data, "little"),
                    "resp": 0,
                    "last": int(beat == length - 1),
                }
            )
    assert received == expected
    assert await beats.wait_for(sum(lengths)) == expected
    assert beats.cycles[0] - addresses.cycles[0] == latency
    assert beats.cycles[-1] - beats.cycles[0] == sum(lengths) - 1
    # The edge that takes the last beat is counted once it has passed.
    await RisingEdge(dut.clk_i)
    statistics = memory.statistics(0)
    assert statistics.read_bursts == len(lengths)
    assert statistics.read_beats == sum(lengths)


@both_halves
async def every_burst_has_a_latency_of_its_own(dut: Any) -> None:
    await start(dut, Port(seed=4, read_latency=3, write_latency=5, latency_spread=20))
    addresses = StreamMonitor(dut, "s_axi_ar", fields=ADDRESS_FIELDS, separator="")
    beats = StreamMonitor(dut, "s_axi_r", fields=("id",), separator="")
    data = StreamMonitor(dut, "s_axi_w", fields=("last",), separator="")
    answers = StreamMonitor(dut, "s_axi_b", fields=("id",), separator="")
    ar, aw, w = address_source(dut, "ar"), address_source(dut, "aw"), write_source(dut)
    reads, writes = read_sink(dut), write_sink(dut)
    for _ in range(40):
        await ar.send([burst(BASE, 1)])
        await reads.receive(1)
        await aw.send([burst(BASE, 1)])
        await w.send(beats_of(random.randbytes(DATA_BYTES)))
        await writes.receive(1)
    for sent, answered, least in ((addresses, beats, 3), (data, answers, 5)):
        await answered.wait_for(40)
        took = [b - a for a, b in zip(sent.cycles, answered.cycles, strict=True)]
        assert least <= min(took) < max(took) <= least + 20
        assert len(set(took)) > 5


@both_halves
async def writes_stream_at_full_rate(dut: Any) -> None:
    memory, contents = await start(dut, Port(write_latency=5))
    beats = StreamMonitor(dut, "s_axi_w", fields=("data", "strb", "last"), separator="")
    answers = StreamMonitor(dut, "s_axi_b", fields=("id", "resp"), separator="")
    data = [random.randbytes(n * DATA_BYTES) for n in (1, 4, 16, 2, 1, 8)]
    words = [word for piece in data for word in beats_of(piece)]
    requests = [
        burst(BASE + PAGE * number, len(piece) // DATA_BYTES) for number, piece in enumerate(data)
    ]
    cocotb.start_soon(address_source(dut, "aw").send(requests))
    cocotb.start_soon(write_source(dut).send(words))

    assert await write_sink(dut).receive(len(data)) == [{"id": 0, "resp": 0}] * len(data)

    await answers.wait_for(len(data))
    for number, piece in enumerate(data):
        assert contents[PAGE * number :][: len(piece)].tobytes() == piece
    assert beats.cycles[-1] - beats.cycles[0] == len(words) - 1
    assert answers.cycles[-1] - beats.cycles[-1] == 5
    assert memory.statistics(0).write_beats == len(words)
    assert memory.statistics(0).write_bursts == len(data)


@both_halves
async def a_write_shows_with_its_response_and_not_before(dut: Any) -> None:
    _, contents = await start(dut, Port(write_latency=40, sampling=Sampling.AT_BEAT))
    old, new = contents[:DATA_BYTES].tobytes(), random.randbytes(DATA_BYTES)
    read_addresses, reads = address_source(dut, "ar"), read_sink(dut)
    write_addresses, writes = address_source(dut, "aw"), write_source(dut)

    async def read() -> bytes:
        await read_addresses.send([burst(BASE, 1)])
        [beat] = await reads.receive(1)
        return int(beat["data"]).to_bytes(DATA_BYTES, "little")

    cocotb.start_soon(write_addresses.send([burst(BASE, 1)]))
    await writes.send(beats_of(new))
    for _ in range(5):
        assert await read() == old
    await write_sink(dut).receive(1)
    assert await read() == new


@both_halves
@cocotb.parametrize(sampling=[Sampling.AT_ADDRESS, Sampling.AT_BEAT])
async def a_read_looks_when_it_is_told_to(dut: Any, sampling: Sampling) -> None:
    _, contents = await start(dut, Port(read_latency=50, sampling=sampling))
    old, new = contents[:DATA_BYTES].tobytes(), random.randbytes(DATA_BYTES)
    await address_source(dut, "ar").send([burst(BASE, 1)])
    await ClockCycles(dut.clk_i, 5)
    contents[:DATA_BYTES] = np.frombuffer(new, dtype=np.uint8)
    [beat] = await read_sink(dut).receive(1)
    seen = int(beat["data"]).to_bytes(DATA_BYTES, "little")
    assert seen == (old if sampling is Sampling.AT_ADDRESS else new)


@both_halves
async def bursts_of_different_ids_overtake_and_interleave(dut: Any) -> None:
    await start(dut, Port(seed=random.getrandbits(32), reorder_percent=50))
    requests = [burst(BASE + PAGE * i, 8, i % 2) for i in range(8)]
    cocotb.start_soon(address_source(dut, "ar").send(requests))
    received = await read_sink(dut).receive(64)

    identifiers = [beat["id"] for beat in received]
    assert sorted(identifiers) == [0] * 32 + [1] * 32
    runs = sum(a != b for a, b in itertools.pairwise(identifiers))
    assert runs > 8, "the beats of the two IDs never interleaved"
    for identifier in (0, 1):
        own = [beat for beat in received if beat["id"] == identifier]
        assert [beat["last"] for beat in own] == ([0] * 7 + [1]) * 4


@both_halves
@cocotb.parametrize(rate=[250, 500, 850])
async def reads_and_writes_share_the_bandwidth_of_a_channel(dut: Any, rate: int) -> None:
    memory, _ = await start(dut, Port(channel=7))
    memory.limit(7, rate)
    fields = ("id", "data", "resp", "last")
    read_monitor = StreamMonitor(dut, "s_axi_r", fields=fields, separator="")
    write_monitor = StreamMonitor(dut, "s_axi_w", fields=("data", "strb", "last"), separator="")
    requests = [burst(BASE + PAGE * i, 16) for i in range(12)]
    words = [word for _ in requests for word in beats_of(bytes(16 * DATA_BYTES))]
    cocotb.start_soon(address_source(dut, "ar").send(requests))
    cocotb.start_soon(address_source(dut, "aw").send(requests))
    cocotb.start_soon(write_source(dut).send(words))
    cocotb.start_soon(write_sink(dut).receive(len(requests)))
    await read_sink(dut).receive(len(words))
    await read_monitor.wait_for(len(words))
    await write_monitor.wait_for(len(words))

    first = max(read_monitor.cycles[0], write_monitor.cycles[0])
    last = min(read_monitor.cycles[-1], write_monitor.cycles[-1])
    read_beats = sum(first < cycle <= last for cycle in read_monitor.cycles)
    write_beats = sum(first < cycle <= last for cycle in write_monitor.cycles)
    measured = (read_beats + write_beats) / (last - first)
    assert abs(measured - rate / 1000) < 0.02, measured
    assert abs(read_beats - write_beats) <= 2


@both_halves
@cocotb.parametrize(channels=[1, 2, 3])
async def pages_lie_in_channels_in_turn(dut: Any, channels: int) -> None:
    rate, size = 200, 16
    memory, _ = await start(dut, Port(channel=7, channels=channels))
    for channel in range(channels):
        memory.limit(7 + channel, rate)
    fields = ("id", "data", "resp", "last")
    read_monitor = StreamMonitor(dut, "s_axi_r", fields=fields, separator="")
    write_monitor = StreamMonitor(dut, "s_axi_w", fields=("data", "strb", "last"), separator="")
    # Reads stay in the first channel, writes in the next one, if there is another.
    reads = [burst(BASE + PAGE * channels * (i % 4), size) for i in range(12)]
    writes = [burst(BASE + PAGE * (channels * (i % 3) + 1), size) for i in range(12)]
    words = [word for _ in writes for word in beats_of(bytes(size * DATA_BYTES))]
    cocotb.start_soon(address_source(dut, "ar").send(reads))
    cocotb.start_soon(address_source(dut, "aw").send(writes))
    cocotb.start_soon(write_source(dut).send(words))
    cocotb.start_soon(write_sink(dut).receive(len(writes)))
    await read_sink(dut).receive(len(words))
    await read_monitor.wait_for(len(words))
    await write_monitor.wait_for(len(words))

    share = rate / 1000 / (2 if channels == 1 else 1)
    for monitor in (read_monitor, write_monitor):
        measured = (len(words) - 1) / (monitor.cycles[-1] - monitor.cycles[0])
        assert abs(measured - share) < 0.02, measured


@both_halves
async def outstanding_reads_are_bounded(dut: Any) -> None:
    await start(dut, Port(read_latency=200, reads=3))
    addresses = StreamMonitor(dut, "s_axi_ar", fields=ADDRESS_FIELDS, separator="")
    cocotb.start_soon(address_source(dut, "ar").send([burst(BASE, 1)] * 6))
    await ClockCycles(dut.clk_i, 100)
    assert len(addresses.words) == 3
    await read_sink(dut).receive(6)
    assert len(addresses.words) == 6


@both_halves
async def pauses_take_their_share(dut: Any) -> None:
    await start(dut, Port(seed=random.getrandbits(32), r=Pause(percent=25)))
    fields = ("id", "data", "resp", "last")
    monitor = StreamMonitor(dut, "s_axi_r", fields=fields, separator="")
    requests = [burst(BASE + PAGE * (i % 8), 16) for i in range(40)]
    cocotb.start_soon(address_source(dut, "ar").send(requests))
    await read_sink(dut).receive(640)
    await monitor.wait_for(640)
    share = 639 / (monitor.cycles[-1] - monitor.cycles[0])
    assert 0.68 < share < 0.82, share


@both_halves
async def reset_forgets_what_was_under_way(dut: Any) -> None:
    memory, contents = await start(dut, Port(read_latency=30, write_latency=30))
    before = contents.copy()
    await address_source(dut, "ar").send([burst(BASE, 4)])
    await address_source(dut, "aw").send([burst(BASE, 1)])
    await write_source(dut).send(beats_of(bytes(DATA_BYTES)))
    await reset(dut)
    dut.s_axi_rready_i.value = 1
    dut.s_axi_bready_i.value = 1
    for _ in range(60):
        await RisingEdge(dut.clk_i)
        assert dut.s_axi_rvalid_o.value == 0
        assert dut.s_axi_bvalid_o.value == 0
    assert (contents == before).all()
    assert memory.statistics(0).read_beats == 0


@cocotb.test(timeout_time=1, timeout_unit="ms", skip=READ_WRITE or bool(VIOLATION))
async def one_half_works_alone(dut: Any) -> None:
    _, contents = await start(dut, PLAIN)
    if os.environ["HAS_READ"] == "1":
        await address_source(dut, "ar").send([burst(BASE, 1)])
        [beat] = await read_sink(dut).receive(1)
        assert int(beat["data"]).to_bytes(DATA_BYTES, "little") == contents[:DATA_BYTES].tobytes()
        return
    await address_source(dut, "aw").send([burst(BASE, 1)])
    await write_source(dut).send(beats_of(bytes(DATA_BYTES)))
    assert await write_sink(dut).receive(1) == [{"id": 0, "resp": 0}]
    assert not contents[:DATA_BYTES].any()


def offers(dut: Any, channel: str, word: dict[str, int]) -> None:
    for field, value in word.items():
        getattr(dut, f"s_axi_{channel}{field}_i").value = value
    getattr(dut, f"s_axi_{channel}valid_i").value = 1


def violations() -> Iterator[tuple[str, str, list[dict[str, int]]]]:
    """Name of a rule, a channel, and what is offered there in consecutive cycles."""
    good = burst(BASE, 2)
    for channel, name in (("ar", "Ar"), ("aw", "Aw")):
        yield f"{name}Stable", channel, [good, good | {"addr": BASE + PAGE}]
        yield f"{name}Burst", channel, [good | {"burst": 2}]
        yield f"{name}Size", channel, [good | {"size": FULL_SIZE - 1}]
        yield f"{name}InPage", channel, [burst(BASE + PAGE - DATA_BYTES, 2)]
    beat = {"data": 1, "strb": 1, "last": 0}
    yield "WStable", "w", [beat, beat | {"data": 2}]
    yield "WLastAtEnd", "w", [beat | {"last": 1}]


@cocotb.test(timeout_time=100, timeout_unit="us", skip=not VIOLATION)
async def violates(dut: Any) -> None:
    [(_, channel, offered)] = [rule for rule in violations() if rule[0] == VIOLATION]
    paused = Pause(percent=99, longest=100)
    stalls = Port(ar=paused, aw=paused, w=paused) if VIOLATION.endswith("Stable") else PLAIN
    await start(dut, stalls)
    if VIOLATION == "WLastAtEnd":
        await address_source(dut, "aw").send([burst(BASE, 2)])
    for word in offered:
        offers(dut, channel, word)
        await RisingEdge(dut.clk_i)
    await ClockCycles(dut.clk_i, 10)
