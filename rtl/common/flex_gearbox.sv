// SPDX-License-Identifier: Apache-2.0
//
// Ready/valid width converter by a power of two, low bytes first. Every path between the two sides
// is cut by registers.
//
// Narrowing (InBytes > OutBytes): a word is put out as InBytes/OutBytes words; latency 2 cycles,
// one word out per cycle. Widening: OutBytes/InBytes words are put out as one; `in_last_i` completes
// a word early, the bytes that are missing are zero; latency 1 cycle after its last part, one word in
// per cycle. Equal widths: a register, latency 1. `in_last_i` matters only in widening.

`include "flex_assert.svh"

module flex_gearbox #(
  // Bytes of a word that enters; a power of two.
  parameter int unsigned InBytes  = 8,
  // Bytes of a word that leaves; a power of two.
  parameter int unsigned OutBytes = 4
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  // Upstream
  input  logic [ InBytes*8-1:0] in_data_i,
  input  logic                  in_last_i,
  input  logic                  in_valid_i,
  output logic                  in_ready_o,
  // Downstream
  output logic [OutBytes*8-1:0] out_data_o,
  output logic                  out_valid_o,
  input  logic                  out_ready_i
);

  `FLEX_ASSERT_INIT(InPowerOfTwo, InBytes > 0 && (InBytes & (InBytes - 1)) == 0)
  `FLEX_ASSERT_INIT(OutPowerOfTwo, OutBytes > 0 && (OutBytes & (OutBytes - 1)) == 0)

  if (InBytes > OutBytes) begin : gen_narrow

    localparam int unsigned Ratio = InBytes / OutBytes;
    localparam int unsigned IndexWidth = $clog2(Ratio);

    logic [InBytes*8-1:0] next_data, word_q;
    logic next_valid, next_ready;
    logic [IndexWidth-1:0] index_q;
    logic valid_q, take;

    flex_stream_register #(
      .Width(InBytes * 8)
    ) u_in (
      .clk_i,
      .rst_ni,
      .in_data_i,
      .in_valid_i,
      .in_ready_o,
      .out_data_o (next_data),
      .out_valid_o(next_valid),
      .out_ready_i(next_ready)
    );

    // The word in work moves down as its parts leave; the next one follows its last part.
    assign take        = valid_q && out_ready_i;
    assign next_ready  = !valid_q || (take && index_q == '1);
    assign out_valid_o = valid_q;
    assign out_data_o  = word_q[OutBytes*8-1:0];

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        valid_q <= 1'b0;
        index_q <= '0;
      end else begin
        if (next_ready) valid_q <= next_valid;
        if (take) index_q <= index_q + 1'b1;
      end
    end

    always_ff @(posedge clk_i) begin
      if (next_ready) word_q <= next_data;
      else if (take) word_q <= word_q >> (OutBytes * 8);
    end

    logic unused_last;
    assign unused_last = in_last_i;

  end else if (InBytes < OutBytes) begin : gen_widen

    localparam int unsigned Ratio = OutBytes / InBytes;
    localparam int unsigned IndexWidth = $clog2(Ratio);

    logic [OutBytes*8-1:0] word_d, word_q;
    logic [IndexWidth-1:0] index_q;
    logic complete;

    // Parts above the newest are zero.
    always_comb begin
      word_d                               = (index_q == '0) ? '0 : word_q;
      word_d[index_q*InBytes*8+:InBytes*8] = in_data_i;
    end

    assign complete = in_last_i || index_q == '1;

    always_ff @(posedge clk_i) begin
      if (!rst_ni) index_q <= '0;
      else if (in_valid_i && in_ready_o) index_q <= complete ? '0 : index_q + 1'b1;
    end

    always_ff @(posedge clk_i) begin
      if (in_valid_i && in_ready_o) word_q <= word_d;
    end

    flex_stream_register #(
      .Width(OutBytes * 8)
    ) u_out (
      .clk_i,
      .rst_ni,
      .in_data_i (word_d),
      .in_valid_i(in_valid_i && complete),
      .in_ready_o,
      .out_data_o,
      .out_valid_o,
      .out_ready_i
    );

  end else begin : gen_equal

    flex_stream_register #(
      .Width(InBytes * 8)
    ) u_register (
      .clk_i,
      .rst_ni,
      .in_data_i,
      .in_valid_i,
      .in_ready_o,
      .out_data_o,
      .out_valid_o,
      .out_ready_i
    );

    logic unused_last;
    assign unused_last = in_last_i;

  end

  // A word offered downstream stays put until it is taken.
  `FLEX_ASSERT(OutputStable, out_valid_o && !out_ready_i |=> out_valid_o && $stable(out_data_o))
  // A word offered upstream stays put until it is taken.
  `FLEX_ASSERT(InputStable, in_valid_i && !in_ready_o |=> in_valid_i && $stable
                            ({in_data_i, in_last_i}))

endmodule
