# SPDX-License-Identifier: Apache-2.0
"""Random pass images and fetch records, and what the weight engine must make of them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from flexcc.program.encode import encode, record, to_bytes
from flexcc.program.formats import WEIGHT_IMAGE, WEIGHTS_FETCH
from sim.bus.read_engine import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightShape:
    """Parameters of the weight engine."""

    rows: int
    lanes: int
    chains: int
    beat_bytes: int
    weight_words: int
    param_passes: int
    record_bytes: int

    @property
    def word_bytes(self) -> int:
        """Bytes of a word of the weight ring."""
        return self.rows * self.lanes

    @property
    def param_bytes(self) -> int:
        """Bytes of a word of the parameter ring."""
        return self.chains * self.record_bytes

    @property
    def param_words(self) -> int:
        """Words of the parameters of a pass."""
        return self.rows // self.chains


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A pass image: the words of both rings as integers, byte 0 lowest."""

    weights: tuple[int, ...]
    params: tuple[int, ...]

    def to_bytes(self, shape: WeightShape) -> bytes:
        """The image in memory; whatever does not belong to it is random."""
        header = encode(
            WEIGHT_IMAGE, weight_words=len(self.weights), has_params=int(bool(self.params))
        )
        params = b"".join(word.to_bytes(shape.param_bytes, "little") for word in self.params)
        weights = b"".join(word.to_bytes(shape.word_bytes, "little") for word in self.weights)
        return b"".join(_whole_beats(part, shape) for part in (to_bytes(header), params, weights))

    def cycles(self, shape: WeightShape) -> int:
        """Cycles without stalls: one for the header, else a beat or a ring word, the longer."""
        params = len(self.params) * max(1, shape.param_bytes // shape.beat_bytes)
        return 1 + params + len(self.weights) * max(1, shape.word_bytes // shape.beat_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """A record: consecutive images, streamed `repeats` times, and where they lie."""

    address: int
    beats: int
    repeats: int
    images: tuple[Image, ...]

    def words(self) -> list[int]:
        """The record as 64-bit words, header first."""
        return record(WEIGHTS_FETCH, address=self.address, beats=self.beats, repeats=self.repeats)

    def requests(self) -> list[Request]:
        """What the record asks of memory."""
        return [Request(address=self.address, beats=self.beats)] * self.repeats

    def streamed(self) -> list[Image]:
        """The images in the order in which they come."""
        return list(self.images) * self.repeats


def random_image(shape: WeightShape, weights: int, has_params: bool) -> Image:
    """An image of `weights` random words, and random parameters if it has any."""
    return Image(
        weights=tuple(random.getrandbits(shape.word_bytes * 8) for _ in range(weights)),
        params=tuple(
            random.getrandbits(shape.param_bytes * 8)
            for _ in range(shape.param_words if has_params else 0)
        ),
    )


def random_images(shape: WeightShape, count: int) -> list[Image]:
    """Images with and without parameters, with and without weights."""
    lengths = [0, 1, 2, shape.weight_words, *range(3, 20)]
    return [
        random_image(shape, random.choice(lengths), random.random() < 0.6) for _ in range(count)
    ]


def place(
    shape: WeightShape, groups: Sequence[tuple[Sequence[Image], int]]
) -> tuple[bytes, list[Fetch]]:
    """The memory that holds groups of images, and a record for each with its repeats."""
    memory = random.randbytes(3 * shape.beat_bytes)
    fetches = []
    for images, repeats in groups:
        content = b"".join(image.to_bytes(shape) for image in images)
        fetches.append(
            Fetch(
                address=len(memory),
                beats=len(content) // shape.beat_bytes,
                repeats=repeats,
                images=tuple(images),
            )
        )
        memory += content + random.randbytes(random.randint(0, 2) * shape.beat_bytes)
    return memory, fetches


def _whole_beats(part: bytes, shape: WeightShape) -> bytes:
    return part + random.randbytes(-len(part) % shape.beat_bytes)
