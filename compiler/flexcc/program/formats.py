# SPDX-License-Identifier: Apache-2.0
"""The program format, defined once: records of 64-bit words for the engines.

A program is a sequence of records. A record is a header word, a fixed payload of the record's
format and, for some formats, a list of `tail` words. Fields are packed from bit 0 upwards and never
straddle a word. The SystemVerilog package and the documentation table are generated from this file.
"""

from dataclasses import dataclass
from enum import IntEnum

__all__ = [
    "ALL_FORMATS",
    "ARRAY_BEND",
    "ARRAY_LISTS",
    "ARRAY_PASSES",
    "ARRAY_SUM",
    "ARRAY_TABLE",
    "ARRAY_TILE",
    "ARRAY_WIDE",
    "CONTROL_END",
    "HEADER",
    "LIST_ENTRY",
    "LOAD_TILE",
    "LOAD_WAIT",
    "MAX_CORES",
    "MAX_PHASES",
    "PARAMETER",
    "PASS",
    "PLANE",
    "SKIP_TILE",
    "SKIP_WAIT",
    "SLOPE",
    "STORE_TILE",
    "TABLE_WORD",
    "TABLE_WORDS",
    "WEIGHTS_FETCH",
    "WEIGHT_IMAGE",
    "WINDOW",
    "WINDOW_WEIGHTS",
    "WINDOW_WORD",
    "WORD_BITS",
    "Engine",
    "Field",
    "Format",
]

WORD_BITS = 64
MAX_PHASES = 4
MAX_CORES = 4
TABLE_WORDS = 32
"""Words of a table of 256 entries."""


class Engine(IntEnum):
    """The receiver of a record."""

    CONTROL = 0
    LOAD = 1
    WEIGHTS = 2
    ARRAY = 3
    STORE = 4
    SKIP = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """`count` neighbouring bit fields of `width` bits; signed ones are two's complement."""

    name: str
    width: int
    doc: str
    signed: bool = False
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A fixed layout of whole 64-bit words.

    `engine` and `kind` are None for what is no record of its own.
    """

    name: str
    doc: str
    words: tuple[tuple[Field, ...], ...]
    engine: Engine | None = None
    kind: int | None = None
    tail: str | None = None

    def __post_init__(self) -> None:
        for word in self.words:
            used = sum(field.width * field.count for field in word)
            if used > WORD_BITS:
                raise ValueError(f"{self.name}: a word holds {used} bits, more than {WORD_BITS}")
        names = [field.name for word in self.words for field in word]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.name}: a field name occurs twice")


HEADER = Format(
    name="header",
    doc="First word of every record.",
    words=(
        (
            Field(name="words", width=16, doc="64-bit words that follow in this record"),
            Field(name="kind", width=8, doc="which record of the engine"),
            Field(name="engine", width=8, doc="receiver"),
        ),
    ),
)

CONTROL_END = Format(
    name="control_end",
    doc="Last record: the run is done when `tiles` tiles are stored and acknowledged.",
    engine=Engine.CONTROL,
    kind=0,
    words=((Field(name="tiles", width=32, doc="STORE tiles in the whole program"),),),
)

LOAD_TILE = Format(
    name="load_tile",
    doc="Fills one half of the activation buffer with the input window of a tile.",
    engine=Engine.LOAD,
    kind=0,
    tail="plane",
    words=(
        (
            Field(name="wait_tiles", width=32, doc="read memory once this many tiles are stored"),
            Field(name="planes", width=16, doc="channel groups, one `plane` word each"),
            Field(name="row_beats", width=16, doc="memory beats read for each row"),
        ),
        (
            Field(name="row_pitch", width=32, doc="bytes between consecutive rows in memory"),
            Field(name="mem_rows", width=16, doc="rows read from memory"),
            Field(name="pad_top", width=16, doc="padding rows before them"),
        ),
        (
            Field(name="pad_bottom", width=16, doc="padding rows after them"),
            Field(name="pad_left", width=16, doc="padding columns before the pixels of a row"),
            Field(name="mem_cols", width=16, doc="pixels kept of each row read"),
            Field(name="pad_right", width=16, doc="padding columns after them"),
        ),
        (
            Field(name="row_words", width=16, doc="buffer words per row"),
            Field(name="plane_words", width=16, doc="buffer words per plane"),
            Field(
                name="pad_value", width=8, doc="padding byte: the input's zero point", signed=True
            ),
            Field(name="first_pixel", width=8, doc="pixels to skip in the first beat of a row"),
            Field(name="phases", width=4, doc="column stride s: columns split by c mod s"),
            Field(name="contiguous", width=1, doc="rows follow each other without gaps"),
            Field(
                name="wide",
                width=1,
                doc="16 bits: planes of upper bytes, then as many of lower ones",
            ),
            Field(
                name="pad_lower", width=8, doc="padding byte of the latter, if wide", signed=True
            ),
        ),
        (
            Field(
                name="phase_base",
                width=16,
                count=MAX_PHASES,
                doc="first word of each column phase within a buffer row",
            ),
        ),
        (
            Field(
                name="phase_rot",
                width=8,
                count=MAX_PHASES,
                doc="bank of each column phase's first pixel",
            ),
            Field(
                name="window",
                width=1,
                doc="the window engine makes the pixels kept; else the rest of this word is 0",
            ),
            Field(name="extra_rows", width=2, doc="rows of padding behind the rows read"),
            Field(name="extra_beats", width=2, doc="beats of padding behind those of a row"),
            Field(name="first_row", width=2, doc="row read in which the first window ends"),
            Field(name="drop_beats", width=2, doc="beats of results to drop before the first kept"),
            Field(name="tail_lanes", width=5, doc="pixels of a row's last beat that are padding"),
            Field(name="odd", width=1, doc="parity of the column in which the first window ends"),
            Field(name="step_rows", width=1, doc="windows are two rows apart"),
            Field(name="step_cols", width=1, doc="windows are two columns apart"),
        ),
    ),
)

PLANE = Format(
    name="plane",
    doc="Where one channel group of the input window starts.",
    words=((Field(name="address", width=40, doc="byte offset, beat aligned"),),),
)

WINDOW = Format(
    name="window",
    doc=(
        "Layer of the window engine for the tiles that follow. For each of its channels come "
        "`parameter`, `slope` in accelerators with slopes, and `window_weights`."
    ),
    engine=Engine.LOAD,
    kind=2,
    tail="window_word",
    words=(
        (
            Field(name="channels", width=16, doc="channels that follow, a multiple of N"),
            Field(name="pad_value", width=8, doc="what pixels outside the image are", signed=True),
            Field(name="zero_point", width=8, doc="output zero point", signed=True),
            Field(name="low", width=8, doc="lower clamp", signed=True),
            Field(name="high", width=8, doc="upper clamp", signed=True),
        ),
    ),
)

WINDOW_WORD = Format(
    name="window_word",
    doc="A word of the channels of a window layer.",
    words=((Field(name="word", width=64, doc="of `parameter`, `slope` or `window_weights`"),),),
)

WINDOW_WEIGHTS = Format(
    name="window_weights",
    doc="Weights of one channel of a window layer: 3x3 taps, row by row.",
    words=(
        (
            Field(
                name="weights",
                width=8,
                count=8,
                doc="the first eight; smaller kernels stand in the last rows and columns",
                signed=True,
            ),
        ),
        (Field(name="last_weight", width=8, doc="the ninth", signed=True),),
    ),
)

LOAD_WAIT = Format(
    name="load_wait",
    doc=(
        "Holds up the records of its engine behind it until every core has stored as many tiles; "
        "counts are modulo 2^16."
    ),
    engine=Engine.LOAD,
    kind=1,
    words=(
        (
            Field(
                name="core_tiles", width=16, count=MAX_CORES, doc="tiles stored by each core, or 0"
            ),
        ),
    ),
)

SKIP_TILE = Format(
    name="skip_tile",
    doc=(
        "Fills one half of the skip buffer as `load_tile` fills one of the activation buffer: "
        "with the second tensor of a sum, word for word where the output buffer has the first."
    ),
    engine=Engine.SKIP,
    kind=0,
    tail="plane",
    words=LOAD_TILE.words,
)

SKIP_WAIT = Format(
    name="skip_wait",
    doc="For the records of second tensors what `load_wait` is for those of windows.",
    engine=Engine.SKIP,
    kind=1,
    words=LOAD_WAIT.words,
)

WEIGHTS_FETCH = Format(
    name="weights_fetch",
    doc="Streams pass images into the parameter and weight rings.",
    engine=Engine.WEIGHTS,
    kind=0,
    words=(
        (
            Field(
                name="address", width=40, doc="byte offset of the first pass image, beat aligned"
            ),
            Field(name="beats", width=24, doc="memory beats of all pass images together"),
        ),
        (Field(name="repeats", width=16, doc="how often the same beats are streamed, at least 1"),),
    ),
)

WEIGHT_IMAGE = Format(
    name="weight_image",
    doc=(
        "First 64 bits of a pass image's header beat; "
        "parameters, then weights follow in whole beats."
    ),
    words=(
        (
            Field(name="weight_words", width=32, doc="weight words (M*N bytes) that follow"),
            Field(name="has_params", width=1, doc="M parameter records precede the weights"),
        ),
    ),
)

PARAMETER = Format(
    name="parameter",
    doc=(
        "Requantisation of one output channel: "
        "clamp(round_half_even((acc*mult + bias) / 2^shift) + zp)."
    ),
    words=(
        (
            Field(name="mult", width=24, doc="multiplier M, unsigned"),
            Field(name="shift", width=6, doc="shift S"),
        ),
        (
            Field(
                name="bias",
                width=60,
                doc="B; 48 bits where input and output have 8",
                signed=True,
            ),
        ),
    ),
)

SLOPE = Format(
    name="slope",
    doc=(
        "Follows `parameter` in accelerators with slopes: "
        "what replaces it for accumulators up to `last`."
    ),
    words=(
        (
            Field(name="mult", width=25, doc="multiplier M, its magnitude below 2^24", signed=True),
            Field(name="shift", width=6, doc="shift S"),
            Field(name="last", width=27, doc="largest accumulator, once clamped", signed=True),
        ),
        (Field(name="bias", width=48, doc="B", signed=True),),
    ),
)

ARRAY_LISTS = Format(
    name="array_lists",
    doc=(
        "Replaces the reduction lists: "
        "`list_entry` words, stored from entry 0 of the other list half."
    ),
    engine=Engine.ARRAY,
    kind=0,
    tail="list_entry",
    words=(),
)

LIST_ENTRY = Format(
    name="list_entry",
    doc="One run of reduction steps: one tap, `run` consecutive channel blocks.",
    words=(
        (
            Field(name="base", width=16, doc="buffer word of the tap at output pixel group 0"),
            Field(name="rotation", width=8, doc="bank that feeds column 0, 0..P-1"),
            Field(name="run", width=16, doc="channel blocks, at least 1; each plane_words further"),
            Field(
                name="shift",
                width=1,
                doc="what the list has summed so far, upper bytes, counts 256 times",
            ),
        ),
    ),
)

ARRAY_TILE = Format(
    name="array_tile",
    doc="Geometry of a tile; its passes follow in `array_passes` records.",
    engine=Engine.ARRAY,
    kind=1,
    words=(
        (
            Field(name="rows", width=16, doc="output rows of the tile"),
            Field(name="groups", width=16, doc="groups of P output pixels per row"),
            Field(name="row_step", width=16, doc="buffer words between output rows"),
            Field(name="plane_words", width=16, doc="buffer words per input plane"),
        ),
        (
            Field(name="out_plane_words", width=16, doc="words from one channel group to the next"),
            Field(name="zero_point", width=8, doc="output zero point", signed=True),
            Field(name="low", width=8, doc="lower clamp", signed=True),
            Field(name="high", width=8, doc="upper clamp", signed=True),
            Field(name="keep", width=1, doc="weights and parameters stay for the next tile"),
            Field(name="stream", width=1, doc="weights are used once and released word by word"),
            Field(
                name="word_channels",
                width=3,
                doc="log2 of the channels in an output word, Q..N; its bytes repeat them",
            ),
            Field(name="lookup", width=1, doc="outputs are looked up in the latest table"),
            Field(name="summed", width=1, doc="the last `array_sum` record counts"),
            Field(
                name="wide",
                width=1,
                doc="16 bits on either side: the last `array_wide` record counts",
            ),
            Field(name="bent", width=1, doc="the last `array_bend` record counts; only with a sum"),
        ),
    ),
)

ARRAY_SUM = Format(
    name="array_sum",
    doc=(
        "Sum of the outputs and a second tensor: clamp(round_half_even((output*mult + "
        "second*skip_mult + bias) / 2^shift) + zp), for the tiles that follow and say `summed`."
    ),
    engine=Engine.ARRAY,
    kind=3,
    words=(
        (
            Field(name="mult", width=25, doc="multiplier of the output", signed=True),
            Field(name="skip_mult", width=25, doc="multiplier of the second tensor", signed=True),
            Field(name="shift", width=6, doc="shift S"),
            Field(name="zero_point", width=8, doc="zero point of the sum", signed=True),
        ),
        (
            Field(name="bias", width=34, doc="B, which holds both zero points", signed=True),
            Field(name="low", width=8, doc="lower clamp", signed=True),
            Field(name="high", width=8, doc="upper clamp", signed=True),
        ),
    ),
)

ARRAY_WIDE = Format(
    name="array_wide",
    doc=(
        "What counts for tiles that follow and say `wide` in place of their own: accumulators are "
        "not clamped, outputs have 16 bits until a byte of them is put out."
    ),
    engine=Engine.ARRAY,
    kind=5,
    words=(
        (
            Field(name="zero_point", width=16, doc="output zero point", signed=True),
            Field(name="low", width=16, doc="lower clamp", signed=True),
            Field(name="high", width=16, doc="upper clamp", signed=True),
        ),
    ),
)

ARRAY_BEND = Format(
    name="array_bend",
    doc=(
        "Requantisation of sums, for the tiles that follow and say `bent`: clamp(round_half_even("
        "(sum*mult + bias) / 2^shift) + zp); sums up to `last` take the channel's `slope` instead."
    ),
    engine=Engine.ARRAY,
    kind=6,
    words=(
        (
            Field(name="mult", width=24, doc="multiplier M of all channels, unsigned"),
            Field(name="shift", width=6, doc="shift S"),
            Field(name="zero_point", width=8, doc="output zero point", signed=True),
            Field(name="low", width=8, doc="lower clamp", signed=True),
            Field(name="high", width=8, doc="upper clamp", signed=True),
        ),
        (Field(name="bias", width=48, doc="B", signed=True),),
    ),
)

ARRAY_TABLE = Format(
    name="array_table",
    doc="A table of 256 entries in 32 `table_word` words, for the tiles that follow.",
    engine=Engine.ARRAY,
    kind=4,
    tail="table_word",
    words=(),
)

TABLE_WORD = Format(
    name="table_word",
    doc="Eight entries of a table, the first table word from the entry of -128 on.",
    words=((Field(name="entry", width=8, count=8, doc="what a byte becomes", signed=True),),),
)

ARRAY_PASSES = Format(
    name="array_passes",
    doc="Passes of the current tile, in order; several records may share a tile.",
    engine=Engine.ARRAY,
    kind=2,
    tail="pass",
    words=(),
)

PASS = Format(
    name="pass",
    doc="One output block over all pixel groups of the tile.",
    words=(
        (
            Field(name="list_start", width=12, doc="first entry of the reduction list"),
            Field(name="list_entries", width=12, doc="entries of the list, at least 1"),
            Field(name="out_base", width=16, doc="output buffer word of pixel group 0"),
            Field(name="out_byte", width=8, doc="first channel byte within the output word"),
            Field(name="take", width=1, doc="takes a free half of the output buffer"),
            Field(name="hand_over", width=1, doc="hands the half to the store engine when written"),
            Field(name="tile_last", width=1, doc="last pass of the tile"),
            Field(
                name="plane",
                width=2,
                doc="what is put out: 0 the output, of 16 bits 1 the upper byte, "
                "2 the lower one less 128",
            ),
        ),
    ),
)

STORE_TILE = Format(
    name="store_tile",
    doc=(
        "Writes a tile or a part of it to memory, max-pooled or as it is; counts as a stored tile "
        "unless `part`."
    ),
    engine=Engine.STORE,
    kind=0,
    words=(
        (
            Field(
                name="address", width=40, doc="byte offset of the first stored pixel, beat aligned"
            ),
            Field(name="planes", width=16, doc="output planes (N channels each)"),
            Field(name="pool", width=1, doc="reduce windows with max"),
            Field(name="keep", width=1, doc="the last half stays for the next record"),
            Field(name="part", width=1, doc="a later record completes the tile"),
        ),
        (
            Field(name="plane_pitch", width=32, doc="bytes between planes in memory"),
            Field(name="row_pitch", width=32, doc="bytes between rows in memory"),
        ),
        (
            Field(name="rows", width=16, doc="rows written"),
            Field(name="cols", width=16, doc="pixels written per row"),
            Field(name="row_words", width=16, doc="output buffer words per row"),
            Field(name="plane_words", width=16, doc="output buffer words per plane"),
        ),
        (
            Field(name="kernel_h", width=8, doc="window rows"),
            Field(name="kernel_w", width=8, doc="window columns"),
            Field(name="stride_h", width=8, doc="window step down"),
            Field(name="stride_w", width=8, doc="window step right"),
            Field(name="phases_y", width=8, doc="row phases: row y lies in y mod phases_y"),
            Field(name="phases_x", width=8, doc="column phases, as above"),
            Field(name="phase_words", width=16, doc="output buffer words per phase of a plane"),
        ),
        (
            Field(
                name="origin_y", width=16, doc="buffer row of the first window's top", signed=True
            ),
            Field(name="origin_x", width=16, doc="buffer column of its left edge", signed=True),
            Field(name="valid_rows", width=16, doc="rows of the buffer that hold pixels"),
            Field(name="valid_cols", width=16, doc="columns of the buffer that hold pixels"),
        ),
    ),
)

ALL_FORMATS = (
    HEADER,
    CONTROL_END,
    LOAD_TILE,
    LOAD_WAIT,
    PLANE,
    SKIP_TILE,
    SKIP_WAIT,
    WINDOW,
    WINDOW_WORD,
    WINDOW_WEIGHTS,
    WEIGHTS_FETCH,
    WEIGHT_IMAGE,
    PARAMETER,
    SLOPE,
    ARRAY_LISTS,
    LIST_ENTRY,
    ARRAY_TILE,
    ARRAY_SUM,
    ARRAY_WIDE,
    ARRAY_BEND,
    ARRAY_TABLE,
    TABLE_WORD,
    ARRAY_PASSES,
    PASS,
    STORE_TILE,
)
