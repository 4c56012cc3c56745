// SPDX-License-Identifier: Apache-2.0
//
// Cuts requests of any number of beats into AXI bursts: at most MaxBurst beats, never across a
// 4 KB boundary.
//
// One burst per cycle, also from one request to the next; latency 3 cycles. No combinational path
// from one side to the other. Base and offsets are multiples of DataBytes, requests are not empty.

`include "flex_assert.svh"

module flex_axi_burst
  import flex_pkg::*;
#(
  // Bytes of a beat; a power of two.
  parameter int unsigned DataBytes = 64,
  // Beats of the longest burst.
  parameter int unsigned MaxBurst  = 64
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  // Added to the byte offsets of requests
  input  logic [           63:0] base_i,
  // Requests
  input  logic [OffsetWidth-1:0] req_addr_i,
  input  logic [ BeatsWidth-1:0] req_beats_i,
  input  logic                   req_valid_i,
  output logic                   req_ready_o,
  // Bursts: address, beats - 1, and whether the request ends with it
  output logic [           63:0] burst_addr_o,
  output logic [            7:0] burst_len_o,
  output logic                   burst_last_o,
  output logic                   burst_valid_o,
  input  logic                   burst_ready_i
);

  localparam int unsigned PageBytes = 4096;
  localparam int unsigned PageBeats = PageBytes / DataBytes;
  // AXI allows 256 beats; a burst of more than a page would cross a boundary.
  localparam int unsigned Limit = (MaxBurst < PageBeats) ? MaxBurst : PageBeats;

  localparam int unsigned BeatBits = $clog2(DataBytes);
  localparam int unsigned LeftWidth = $clog2(PageBeats + 1);

  `FLEX_ASSERT_INIT(DataBytesPowerOfTwo, (DataBytes & (DataBytes - 1)) == 0)
  `FLEX_ASSERT_INIT(DataBytesInRange, DataBytes >= 8 && DataBytes <= 128)
  `FLEX_ASSERT_INIT(MaxBurstInRange, MaxBurst >= 1 && MaxBurst <= 256)

  // What remains of a request; `left` counts the beats up to the end of the page, at least one.
  typedef struct packed {
    logic [63:0]           addr;
    logic [BeatsWidth-1:0] beats;
    logic [LeftWidth-1:0]  left;
  } rest_t;

  //////////////////////
  // Request register //
  //////////////////////

  logic [63:0] req_addr;
  rest_t req, next;
  logic next_valid, next_ready;

  assign req_addr = base_i + 64'(req_addr_i);
  assign req = '{
          addr: req_addr,
          beats: req_beats_i,
          left: LeftWidth'(PageBeats) - LeftWidth'(req_addr[11:BeatBits])
      };

  flex_stream_register #(
    .Width($bits(rest_t))
  ) u_request (
    .clk_i,
    .rst_ni,
    .in_data_i  (req),
    .in_valid_i (req_valid_i),
    .in_ready_o (req_ready_o),
    .out_data_o (next),
    .out_valid_o(next_valid),
    .out_ready_i(next_ready)
  );

  /////////////////////
  // Request in work //
  /////////////////////

  rest_t rest_q, after;
  logic valid_q;
  logic [LeftWidth-1:0] room_q;
  logic [7:0] len;
  logic last, emit, emit_ready;

  // The longest burst possible with that many beats up to the end of the page.
  function automatic logic [LeftWidth-1:0] longest(input logic [LeftWidth-1:0] left);
    return (left > LeftWidth'(Limit)) ? LeftWidth'(Limit) : left;
  endfunction

  assign last = rest_q.beats <= BeatsWidth'(room_q);
  assign len = last ? 8'(rest_q.beats - 1'b1) : 8'(room_q - 1'b1);

  // What remains after a burst that is not the last one.
  assign after.addr = rest_q.addr + (64'(room_q) << BeatBits);
  assign after.beats = rest_q.beats - BeatsWidth'(room_q);
  assign after.left  = (rest_q.left > LeftWidth'(Limit)) ? rest_q.left - LeftWidth'(Limit) :
                                                           LeftWidth'(PageBeats);

  assign emit = valid_q && emit_ready;
  assign next_ready = !valid_q || (emit && last);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) valid_q <= 1'b0;
    else if (next_ready) valid_q <= next_valid;
  end

  always_ff @(posedge clk_i) begin
    if (next_ready) begin
      rest_q <= next;
      room_q <= longest(next.left);
    end else if (emit) begin
      rest_q <= after;
      room_q <= longest(after.left);
    end
  end

  flex_stream_register #(
    .Width(64 + 8 + 1)
  ) u_burst (
    .clk_i,
    .rst_ni,
    .in_data_i  ({rest_q.addr, len, last}),
    .in_valid_i (valid_q),
    .in_ready_o (emit_ready),
    .out_data_o ({burst_addr_o, burst_len_o, burst_last_o}),
    .out_valid_o(burst_valid_o),
    .out_ready_i(burst_ready_i)
  );

  // Requests are aligned and not empty.
  `FLEX_ASSERT(RequestAligned, req_valid_i |-> req_addr[BeatBits-1:0] == '0)
  `FLEX_ASSERT(RequestNotEmpty, req_valid_i |-> req_beats_i != '0)
  // No burst is longer than allowed or leaves its page.
  `FLEX_ASSERT(BurstShort, burst_valid_o |-> 32'(burst_len_o) < MaxBurst)
  `FLEX_ASSERT(BurstInPage,
               burst_valid_o |-> 32'(burst_addr_o[11:BeatBits]) + 32'(burst_len_o) < PageBeats)

endmodule
