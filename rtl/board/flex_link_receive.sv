// SPDX-License-Identifier: Apache-2.0
//
// Bytes from the line to requests: finds frames, checks them, collects their beats.
//
// A request is offered the cycle after its last byte, its beats then stand in the buffer; until it is taken, bytes
// are ignored: the host waits for replies. What is no frame, or breaks off for GapCycles, is dropped without a word.

`include "flex_assert.svh"

module flex_link_receive
  import flex_link_pkg::*;
#(
  // Cycles between two bytes after which a frame is given up.
  parameter  int unsigned GapCycles  = 4096,
  // Derived
  localparam int unsigned IndexWidth = $clog2(MaxBeats)
) (
  input  logic                       clk_i,
  input  logic                       rst_ni,
  // Bytes
  input  logic     [            7:0] byte_data_i,
  input  logic                       byte_valid_i,
  // Beats into the buffer
  output logic                       wr_en_o,
  output logic     [ IndexWidth-1:0] wr_addr_o,
  output logic     [BeatBytes*8-1:0] wr_data_o,
  // Requests
  output request_t                   request_data_o,
  output logic                       request_valid_o,
  input  logic                       request_ready_i
);

  `FLEX_ASSERT_INIT(GapNonZero, GapCycles > 1)

  typedef enum logic [2:0] {
    Search,
    Header,
    Payload,
    Check,
    Held
  } state_e;

  localparam int unsigned GapWidth = $clog2(GapCycles);

  state_e state_d, state_q;
  request_t header_d, header_q;
  // Bytes of the header, or of a beat, or of the CRC that have come; beats that have come.
  logic [2:0] byte_d, byte_q;
  logic [7:0] beat_d, beat_q;
  logic [15:0] crc_d, crc_q;
  logic [BeatBytes*8-1:0] beat_data;
  logic [BeatBytes*8-9:0] beat_data_q;
  logic [GapWidth-1:0] gap_q;
  logic gone;

  assign header_d        = request_t'({byte_data_i, header_q[$bits(request_t)-1:8]});
  assign beat_data       = {byte_data_i, beat_data_q};
  assign gone            = gap_q == GapWidth'(GapCycles - 1);
  assign wr_en_o         = state_q == Payload && byte_valid_i && byte_q == 3'(BeatBytes - 1);
  assign wr_addr_o       = beat_q[IndexWidth-1:0];
  assign wr_data_o       = beat_data;
  assign request_data_o  = header_q;
  assign request_valid_o = state_q == Held;

  // States

  always_comb begin
    state_d = state_q;
    byte_d  = byte_q + 1'b1;
    beat_d  = beat_q;
    crc_d   = crc_next(crc_q, byte_data_i);
    unique case (state_q)
      Search: begin
        crc_d  = CrcStart;
        byte_d = '0;
        beat_d = '0;
        if (byte_data_i == RequestSync) state_d = Header;
      end
      Header:
      if (byte_q == 3'(HeaderBytes - 1)) begin
        byte_d = '0;
        if (!has_payload(header_d.command)) state_d = Check;
        else if (header_d.beats == '0 || header_d.beats > 8'(MaxBeats)) state_d = Search;
        else state_d = Payload;
      end
      Payload:
      if (byte_q == 3'(BeatBytes - 1)) begin
        beat_d = beat_q + 1'b1;
        byte_d = '0;
        if (beat_d == header_q.beats) state_d = Check;
      end
      Check:
      if (byte_q == 3'd1) begin
        state_d = crc_d == '0 ? Held : Search;
      end
      default: ;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) state_q <= Search;
    else if (state_q == Held) state_q <= request_ready_i ? Search : Held;
    else if (byte_valid_i) state_q <= state_d;
    else if (gone) state_q <= Search;
  end

  always_ff @(posedge clk_i) begin
    if (byte_valid_i || state_q == Search) gap_q <= '0;
    else if (!gone) gap_q <= gap_q + 1'b1;
  end

  always_ff @(posedge clk_i) begin
    if (byte_valid_i && state_q != Held) begin
      byte_q <= byte_d;
      beat_q <= beat_d;
      crc_q  <= crc_d;
      if (state_q == Header) header_q <= header_d;
      if (state_q == Payload) beat_data_q <= beat_data[BeatBytes*8-1:8];
    end
  end

  // A beat lies in the buffer.
  `FLEX_ASSERT(BeatInBuffer, wr_en_o |-> 32'(beat_q) < MaxBeats)
  // A request stays until it is taken.
  `FLEX_ASSERT(RequestStable, request_valid_o && !request_ready_i |=> request_valid_o && $stable
                              (request_data_o))

endmodule
