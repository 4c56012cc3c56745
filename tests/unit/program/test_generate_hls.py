# SPDX-License-Identifier: Apache-2.0
"""The HLS header of the program format is current, and names every field of every format."""

from flexcc.program.formats import ALL_FORMATS
from flexcc.program.generate_hls import hls_header
from flexcc.resources import TEMPLATES


def test_header_is_current() -> None:
    path = TEMPLATES / "hls" / "lib" / "flex" / "flex_program.hpp"
    assert path.read_text() == hls_header(), "stale: run `make generate`"


def test_header_decodes_every_field() -> None:
    text = hls_header()
    for format_ in ALL_FORMATS:
        assert not format_.words or f"{format_.name}_t decode_{format_.name}(" in text
        for word in format_.words:
            for field in word:
                assert text.count(f"  result.{field.name}[") + text.count(
                    f"  result.{field.name} ="
                ) >= (field.count)
