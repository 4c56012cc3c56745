# SPDX-License-Identifier: Apache-2.0
"""Every target loads, and a wrong device file is told by file and key."""

import re

import pytest

from flexcc.errors import InputError
from flexcc.targets import Family, HostCpu, available_targets, load_device, parse_device

GOOD = """
title = "T"
part = "P"
family = "xcup"
regions = 1
clock_mhz = 300
dsp = 10
bram36 = 20
uram = 0
lut = 30
ff = 40
memory = "DDR"
memory_channels = 1
memory_bytes = 64
[sources]
clock_mhz = "a"
dsp = "b"
bram36 = "c"
uram = "d"
lut = "e"
ff = "f"
memory = "g"
"""


def test_all_targets_load() -> None:
    boards = {"u50", "u200", "u250", "u280", "zcu102", "zcu104", "kv260", "pynq-z2", "ulx3s-85f"}
    assert set(available_targets()) >= boards
    for name in available_targets():
        assert load_device(name).name == name


def test_figures_and_family() -> None:
    u250 = load_device("u250")
    assert (u250.dsp, u250.bram36, u250.memory_bytes, u250.clock_mhz) == (12288, 2688, 64, 300.0)
    assert u250.family.packs
    assert not load_device("ulx3s-85f").family.packs


def test_unknown_target_names_the_choices() -> None:
    with pytest.raises(InputError, match=r"'u25' is unknown; choose one of kv260, pynq-z2, u200,"):
        load_device("u25")


def test_a_good_file() -> None:
    device = parse_device("t", GOOD, "t.toml")
    assert (device.family, device.clock_mhz, device.uram) == (Family.XCUP, 300.0, 0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\ndsp = 10", "\ndsp = 0", "t.toml: dsp: an integer of at least 1 is expected, not 0"),
        ("dsp = 10", "dsp = 1.5", "t.toml: dsp: an integer of at least 1 is expected, not 1.5"),
        ("lut = 30", "lut = true", "lut: an integer of at least 1 is expected, not True"),
        ("uram = 0", "", "t.toml: uram: an integer of at least 0 is expected, not None"),
        ("memory_bytes = 64", "memory_bytes = 48", "memory_bytes: a power of two from 8 to 128"),
        ("memory_bytes = 64", "memory_bytes = 256", "memory_bytes: a power of two from 8 to 128"),
        ('"xcup"', '"virtex"', "family: one of ['xcup', 'xc7', 'ecp5'] is expected, not 'virtex'"),
        ("clock_mhz = 300", "clock_mhz = -1", "clock_mhz: a positive number is expected, not -1"),
        ("clock_mhz = 300", "clock_mhz = inf", "clock_mhz: a positive number is expected, not inf"),
        ('title = "T"', 'title = ""', "t.toml: title: a text is expected, not ''"),
        ('dsp = "b"', "", "t.toml: sources.dsp: the source of the figure is missing"),
        ('dsp = "b"', 'dsp = "b"\ndps = "b"', "t.toml: sources.dps: no such figure"),
        (
            "regions = 1",
            "regions = 1\nslr = 4",
            "slr: no such key; known are board, bram36",
        ),
        ("[sources]", "[source]", "t.toml: sources: a table is expected"),
        ("dsp = 10", "dsp 10", "t.toml: no TOML document"),
    ],
)
def test_wrong_files(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(InputError, match=re.escape(message)):
        parse_device("t", GOOD.replace(old, new, 1), "t.toml")


VITIS = """
[vitis]
platform = "p"
activations = "DDR[0]"
weights = "DDR[1]"
host = "x86_64"
source = "s"
"""


def test_boards_that_vitis_knows() -> None:
    named = {name: load_device(name).vitis for name in available_targets()}
    assert {name for name, vitis in named.items() if vitis is None} == {"pynq-z2", "ulx3s-85f"}
    on_arm = {name for name, vitis in named.items() if vitis and vitis.host is HostCpu.ARM}
    assert on_arm == {"zcu102", "zcu104", "kv260"}
    for name, vitis in named.items():
        assert vitis is None or (vitis.slr is None) == (load_device(name).regions == 1)


def test_good_names_for_vitis() -> None:
    vitis = parse_device("t", GOOD + VITIS, "t.toml").vitis
    assert vitis is not None
    assert (vitis.platform, vitis.weights, vitis.slr) == ("p", "DDR[1]", None)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('platform = "p"', "", "t.toml: vitis.platform: a text is expected, not None"),
        ('weights = "DDR[1]"', "weights = 1", "vitis.weights: a text is expected, not 1"),
        ("x86_64", "mips", "vitis.host: one of ['x86_64', 'aarch64'] is expected, not 'mips'"),
        ('source = "s"', 'source = "s"\nbank = 1', "vitis.bank: no such key"),
        ('source = "s"', 'source = "s"\nslr = "SLR0"', "vitis.slr: a device of one die has none"),
        ("regions = 1", "regions = 2", "vitis.slr: one of ['SLR0', 'SLR1'] is expected, not None"),
    ],
)
def test_wrong_names_for_vitis(old: str, new: str, message: str) -> None:
    assert old in GOOD + VITIS
    with pytest.raises(InputError, match=re.escape(message)):
        parse_device("t", (GOOD + VITIS).replace(old, new, 1), "t.toml")


def test_vitis_names_are_a_table() -> None:
    with pytest.raises(InputError, match=re.escape("t.toml: vitis: a table is expected, not 'u'")):
        parse_device("t", 'vitis = "u"\n' + GOOD, "t.toml")


def test_all_problems_come_at_once() -> None:
    with pytest.raises(InputError) as caught:
        parse_device("t", "dsp = 0\n", "t.toml")
    assert len(str(caught.value).splitlines()) == 14
