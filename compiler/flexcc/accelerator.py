# SPDX-License-Identifier: Apache-2.0
"""Accelerator: the parameters of the hardware, as the RTL names and limits them."""

from dataclasses import dataclass

from flexcc.program.formats import MAX_CORES

__all__ = ["ON_CHIP_STEP", "Accelerator"]

ON_CHIP_STEP = 4096
"""On-chip memory is a multiple of this: whole words in each of its banks."""
_WINDOW_BITS = 31


def _power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """Array shape and buffer depths; `docs/rtl/microarchitecture.md` explains each.

    `m` rows, `p` columns, `n` lanes, `q` drain chains per column; `packed` when two columns share a
    multiplier; `split_products` when multipliers take 18x18 bits, so that longer products are two.
    `beat_bytes` is the width of the memory ports. `act_words` and `out_words` count words per bank
    and half, `weight_words` and `param_passes` the rings, `list_entries` one half.
    With `slopes` a channel has a second set of parameters, for outputs below zero; with `tables`
    outputs can be looked up on their way into the output buffer.
    With `sums` there is the engine that adds a second tensor to outputs; with `bends`, which needs
    slopes, sums are requantised with two slopes. With `wide` activations may have 16 bits, as two
    planes of bytes.
    `window_taps` are those of the window engine, 0 without one; its rows have up to `window_beats`
    memory beats where the taps are 9, its layers up to `window_channels` channels.
    All `cores` are alike. RAM of `on_chip_bytes` holds tensors; it appears `on_chip_pages` times in
    the addresses, from 0 on.

    Raises:
        ValueError: a combination that the RTL cannot be built with.
    """

    m: int
    p: int
    n: int
    q: int
    packed: bool
    beat_bytes: int
    act_words: int
    weight_words: int
    param_passes: int
    out_words: int
    list_entries: int
    slopes: bool = False
    window_taps: int = 0
    window_beats: int = 512
    window_channels: int = 1024
    cores: int = 1
    tables: bool = False
    sums: bool = False
    wide: bool = False
    bends: bool = False
    on_chip_bytes: int = 0
    on_chip_pages: int = 1
    split_products: bool = False

    def __post_init__(self) -> None:
        rules = (
            (_power_of_two(self.m) and self.m <= 256, "m is a power of two up to 256"),
            (1 <= self.p <= 16, "p lies in 1..16"),
            (_power_of_two(self.n) and 4 <= self.n <= 32, "n is a power of two, 4..32"),
            (_power_of_two(self.q) and self.q <= min(self.m, self.n), "q divides m and n"),
            (not self.packed or self.n >= 8, "packed needs n >= 8"),
            (1 <= self.cores <= MAX_CORES, f"cores lies in 1..{MAX_CORES}"),
            (
                _power_of_two(self.beat_bytes) and max(8, self.n) <= self.beat_bytes <= 128,
                "beat_bytes is a power of two, 8..128 and at least n",
            ),
            *(
                (
                    _power_of_two(depth) and 2 <= depth <= most,
                    f"{name} is a power of two, 2..{most}",
                )
                for name, depth, most in (
                    ("act_words", self.act_words, 65536),
                    ("out_words", self.out_words, 65536),
                    ("weight_words", self.weight_words, 16384),
                    ("param_passes", self.param_passes, 16384),
                    ("list_entries", self.list_entries, 4096),
                    ("window_beats", self.window_beats, 16384),
                )
            ),
            (not self.bends or (self.sums and self.slopes), "bends needs sums and slopes"),
            (self.window_taps in (0, 1, 9), "window_taps is 0, 1 or 9"),
            (
                _power_of_two(self.window_channels) and self.n <= self.window_channels <= 8192,
                "window_channels is a power of two, n..8192",
            ),
            (
                self.on_chip_bytes >= 0 and self.on_chip_bytes % ON_CHIP_STEP == 0,
                f"on_chip_bytes is a multiple of {ON_CHIP_STEP}",
            ),
            (
                _power_of_two(self.on_chip_pages) and self.on_chip_window <= 1 << _WINDOW_BITS,
                f"on_chip_pages is a power of two, of {1 << _WINDOW_BITS} bytes together at most",
            ),
            (
                self.on_chip_bytes > 0 or self.on_chip_pages == 1,
                "on_chip_pages needs on_chip_bytes",
            ),
        )
        broken = [rule for holds, rule in rules if not holds]
        if broken:
            raise ValueError(f"{self}: {'; '.join(broken)}")

    @property
    def on_chip_step(self) -> int:
        """Distance of the pages of on-chip memory in the addresses: its size, a power of two."""
        return 1 << (self.on_chip_bytes - 1).bit_length() if self.on_chip_bytes else 0

    @property
    def on_chip_window(self) -> int:
        """The addresses below this are those of on-chip memory."""
        return self.on_chip_step * self.on_chip_pages

    @property
    def macs_per_cycle(self) -> int:
        """Products per cycle of all cores."""
        return self.m * self.p * self.n * self.cores

    @property
    def drain_cycles(self) -> int:
        """L: length of a drain chain, the least distance of two blocks in cycles."""
        return self.m // self.q

    @property
    def acc_bits(self) -> int:
        """Bits of an accumulator."""
        return 40 if self.wide else 32

    @property
    def record_bytes(self) -> int:
        """Bytes of a channel's parameters in a pass image."""
        return 32 if self.slopes else 16

    @property
    def beat_pixels(self) -> int:
        """B: pixels of one channel group in a memory beat."""
        return self.beat_bytes // self.n

    @property
    def planes_per_half(self) -> int:
        """Output planes (of N channels) that one half of the output buffer holds."""
        return max(1, self.m // self.n)

    @property
    def passes_per_plane(self) -> int:
        """Passes that gather one output plane when M < N, else 1."""
        return max(1, self.n // self.m)
