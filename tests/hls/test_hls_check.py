# SPDX-License-Identifier: Apache-2.0
"""Every rule of the HLS checker finds the fault that it is for, and nothing in good code."""

import re
from pathlib import Path

import pytest

from sim.hls_check import check_folder, check_text
from sim.hls_check.source import preprocess, unexpanded_faults

GOOD = """
struct flex_config {
  static constexpr unsigned kN = 4;
  static constexpr bool kSums = false;
};
constexpr unsigned half(unsigned value) { return value < 2 ? 0 : half(value / 2); }
template <unsigned Bits>
unsigned lowest(unsigned bits) {
  unsigned found = 0;
Bits_:
  for (unsigned i = Bits; i-- > 0;) {
#pragma HLS UNROLL
    if (bits & (1u << i)) found = i;
  }
  return found;
}
template <typename Config, typename Memory>
void load(Memory& memory, hls::stream<bool>& progress, hls::stream<int>& out, unsigned count) {
Tiles:
  for (unsigned t = 0; t < count; ++t) {
#pragma HLS LOOP_TRIPCOUNT min = 1 max = 16
    progress.read();
  Words:
    for (unsigned i = 0; i < Config::kN; ++i) {
#pragma HLS PIPELINE II = 1
      out.write(lowest<8>(memory.read()));
    }
  }
}
void pass(hls::stream<int>& in, hls::stream_of_blocks<block_t>& out) {
Blocks:
  while (in.read() != 0) {
#pragma HLS LOOP_TRIPCOUNT min = 1 max = 16
    hls::write_lock<block_t> block(out);
  Fill:
    for (unsigned i = 0; i < half(8); ++i) {
#pragma HLS PIPELINE II = 1
      block[i] = in.read();
    }
  }
}
template <typename Config, typename Memory>
void store(Memory& memory, hls::stream_of_blocks<block_t>& in, hls::stream<bool>& progress,
           hls::stream<bool>& skip_progress) {
  hls::read_lock<block_t> block(in);
Words:
  for (unsigned i = 0; i < Config::kN; ++i) {
#pragma HLS PIPELINE II = 1
    memory.write(block[i]);
    progress.write(true);
    if (Config::kSums) skip_progress.write(true);
  }
}
template <typename Config, typename Act, typename Out>
void accelerator(Act& act, Out& out, unsigned count) {
#pragma HLS DATAFLOW
  constexpr bool kSkip = Config::kSums && Config::kN != 0;
  hls::stream<int> words;
  hls::stream<bool> progress, skip_progress;
  hls::stream_of_blocks<block_t> blocks;
#pragma HLS STREAM variable = words depth = 8
#pragma HLS STREAM variable = progress depth = 8
#pragma HLS STREAM variable = skip_progress depth = 8
  load<Config>(act, progress, words, count);
  if constexpr (kSkip) {
    load<Config>(act, skip_progress, words, count);
  }
  pass(words, blocks);
  store<Config>(out, blocks, progress, skip_progress);
}
extern "C" void flex_kernel(hls::burst_maxi<beat_t> act, hls::burst_maxi<beat_t> out, unsigned n) {
#pragma HLS INTERFACE mode=m_axi port=act bundle=act
#pragma HLS INTERFACE mode=s_axilite port=act
#pragma HLS INTERFACE mode=m_axi port=out bundle=out
#pragma HLS INTERFACE mode=s_axilite port=out
#pragma HLS INTERFACE mode=s_axilite port=n
#pragma HLS INTERFACE mode=s_axilite port=return
  accelerator<flex_config>(act, out, n);
}
"""

ACCELERATOR_END = "  store<Config>(out, blocks, progress, skip_progress);\n}"
PLANTED = [
    # One producer, one consumer.
    ("consumer", "progress.read();", "", "progress has 0 consumers: nobody"),
    ("producer", "    progress.write(true);\n", "", "progress has 0 producers: nobody"),
    ("producer", "kSums = false", "kSums = true", "words has 2 producers: load, load"),
    ("consumer", ACCELERATOR_END, "  pass(words, blocks);\n" + ACCELERATOR_END, "has 2 consumers"),
    ("consumer", "    if (Config::kSums) ", "    ", "skip_progress has 0 consumers: nobody"),
    ("feedback", "progress.read();", "progress.read(); progress.write(false);",
     "a process both writes and reads progress"),
    ("feedback", "  pass(words, blocks);\n" + ACCELERATOR_END,
     "  store<Config>(out, blocks, progress, skip_progress);\n  pass(words, blocks);\n}",
     "blocks goes backward and is no hls::stream"),
    ("shared variable", "  hls::stream<int> words;", "  hls::stream<int> words;\n  int mail[4];",
     "mail lies between processes"),
    ("port", "store<Config>(out, blocks", "store<Config>(act, blocks", "act is used by 2"),
    ("static", "kSums = false", "kSums = true", None),
    ("depth", "#pragma HLS STREAM variable = words depth = 8\n", "", "words has no STREAM"),
    ("unknown process", "  pass(words, blocks);", "  other(words, blocks);", "other has no"),
    ("dataflow", "#pragma HLS DATAFLOW\n", "", "there is no dataflow region"),
    ("global variable", "constexpr unsigned half", "int counter;\nconstexpr unsigned half",
     "int counter;"),
    # Loops.
    ("bound", "#pragma HLS LOOP_TRIPCOUNT min = 1 max = 16\n    progress", "    progress",
     "no constant bound"),
    ("bound", "i < Config::kN; ++i) {\n#pragma HLS PIPELINE II = 1\n      out",
     "i < count; ++i) {\n#pragma HLS PIPELINE II = 1\n      out", "no constant bound"),
    ("unroll", "unsigned i = Bits; i-- > 0;", "unsigned i = bits; i-- > 0;",
     "without a constant bound is unrolled"),
    ("interval", "#pragma HLS PIPELINE II = 1\n      out", "      out", "neither PIPELINE nor"),
    ("interval", "PIPELINE II = 1\n      out", "PIPELINE\n      out", "PIPELINE without II"),
    ("nested", "#pragma HLS LOOP_TRIPCOUNT min = 1 max = 16\n    progress",
     "#pragma HLS LOOP_TRIPCOUNT min = 1 max = 16\n#pragma HLS PIPELINE II = 1\n    progress",
     "takes several steps: a loop"),
    ("nested", "#pragma HLS UNROLL\n", "#pragma HLS PIPELINE II = 1\n", "several steps: lowest"),
    ("label", "Tiles:\n", "", "the loop has no label"),
    ("braces", "Fill:\n    for (unsigned i = 0; i < half(8); ++i) {",
     "Fill:\n    for (unsigned i = 0; i < half(8); ++i) in.read();\n    {", "no braces"),
    ("place", "#pragma HLS PIPELINE II = 1\n      out.write",
     "int x = 0;\n#pragma HLS PIPELINE II = 1\n      out.write",
     "PIPELINE stands behind statements"),
    # The language.
    ("recursion", "unsigned found = 0;", "unsigned found = lowest<Bits>(bits);", "lowest calls"),
    ("recursion", "  progress.read();\n", "  progress.read();\n    pass(out, out);\n", None),
    ("allocation", "unsigned found = 0;", "unsigned& found = *new unsigned;", "new unsigned"),
    ("allocation", "unsigned found = 0;", "unsigned found = 0; malloc(4);", "malloc"),
    ("allocation", "unsigned found = 0;", "unsigned found = 0; std::vector<int> v;", "std::vector"),
    ("virtual function", "struct flex_config {", "struct flex_config {\n  virtual void f();",
     "virtual"),
    ("function pointer", "unsigned found = 0;", "unsigned found = 0; int (*f)(int);", "(*f)(int)"),
    ("lambda", "unsigned found = 0;", "unsigned found = [] { return 0u; }();", "[] {"),
    ("exception", "unsigned found = 0;", "unsigned found = 0; throw 1;", "throw 1"),
    ("goto", "unsigned found = 0;", "unsigned found = 0; goto Bits_;", "goto Bits_"),
    ("range", "unsigned found = 0;", "unsigned found = 0; bits.range(3, 0) = 1;", "shifts and"),
    ("syntax", "unsigned found = 0;", "unsigned found = = 0;", None),
    # The interface.
    ("interface", "#pragma HLS INTERFACE mode=m_axi port=act bundle=act\n", "", "act has no m_axi"),
    ("interface", "#pragma HLS INTERFACE mode=s_axilite port=act\n", "", "act has no s_axilite"),
    ("interface", "#pragma HLS INTERFACE mode=s_axilite port=n\n", "", "n has no s_axilite"),
    ("interface", "#pragma HLS INTERFACE mode=s_axilite port=return\n", "", "return has no"),
    ("interface", "s_axilite port=n\n", "s_axilite port=m\n", "m is no port"),
    ("bundle", "bundle=out", "bundle=act", "out and act share the bundle act"),
    ("top", "void flex_kernel", "void kernel", "0 functions are called flex_kernel"),
]  # fmt: skip


def test_good_code_has_no_faults() -> None:
    assert check_text(GOOD) == []


@pytest.mark.parametrize("number", range(len(PLANTED)))
def test_a_planted_fault_is_found(number: int) -> None:
    rule, old, new, message = PLANTED[number]
    assert GOOD.count(old) >= 1
    text = GOOD.replace(old, new, 1)
    if rule == "static":
        text = text.replace("    progress.read();", "    static int state;\n    progress.read();")
        message = "load keeps state, and two processes are load"
    if rule == "recursion" and message is None:
        text = text.replace("Blocks:\n", "  load<flex_config>(in, in, in, 0);\nBlocks:\n")
        message = "calls itself"
    found = [fault.text for fault in check_text(text) if fault.rule == rule]
    assert found, [str(fault) for fault in check_text(text)]
    assert message is None or any(message in text for text in found), found


def write(folder: Path, kernel: str, library: str) -> None:
    (folder / "lib" / "flex").mkdir(parents=True)
    (folder / "lib" / "flex" / "part.hpp").write_text(library)
    (folder / "lib" / "flex" / "pragmas.hpp").write_text("#pragma HLS INLINE\n")
    (folder / "flex_kernel.cpp").write_text(kernel)


def test_macros_are_expanded_and_vendor_headers_left_out(tmp_path: Path) -> None:
    vendor = tmp_path / "csim"
    vendor.mkdir()
    (vendor / "hls_stream.h").write_text("int* leak = new int;\n")
    write(
        tmp_path,
        '#include "flex/part.hpp"\n#include "hls_stream.h"\nint x;\n',
        '#define LINE _Pragma("HLS UNROLL")\n\nvoid f() {\n  LINE\n}\n',
    )
    source = preprocess(tmp_path, vendor)
    assert "#pragma HLS UNROLL" in source.text
    assert "leak" not in source.text
    line = next(i for i, text in enumerate(source.text.splitlines()) if text == "int x;")
    assert source.origins[line] == ("flex_kernel.cpp", 3)
    line = next(i for i, text in enumerate(source.text.splitlines()) if "void f" in text)
    assert source.origins[line] == ("lib/flex/part.hpp", 3)


def test_directives_stand_in_one_header(tmp_path: Path) -> None:
    write(tmp_path, "", "void f() {\n#pragma HLS INLINE\n}\n")
    [fault] = unexpanded_faults(tmp_path)
    assert re.match(r"lib/flex/part.hpp:2: pragma: ", str(fault))


def test_a_kernel_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, '#include "missing.hpp"\n', "")
    with pytest.raises(RuntimeError, match=r"missing\.hpp"):
        check_folder(tmp_path)
