// SPDX-License-Identifier: Apache-2.0
//
// Assertion macros. Synthesis tools define SYNTHESIS and see neither.

`ifndef FLEX_ASSERT_SVH
`define FLEX_ASSERT_SVH

`ifdef SYNTHESIS

`define FLEX_ASSERT_INIT(Name, Prop)
`define FLEX_ASSERT(Name, Prop)

`else

// Elaboration-time check of a parameter.
`define FLEX_ASSERT_INIT(Name, Prop)                                          \
    if (!(Prop)) begin : gen_``Name``Failed                                   \
      $fatal(1, "parameter check failed: %s", `"Name`");                      \
    end

// Concurrent check of a property, sampled on clk_i, ignored in reset.
`define FLEX_ASSERT(Name, Prop)                                               \
    Name :                                                                    \
    assert property (@(posedge clk_i) disable iff (!rst_ni) Prop)             \
    else $error("%m: assertion failed: %s", `"Name`");

`endif  // SYNTHESIS

`endif  // FLEX_ASSERT_SVH
