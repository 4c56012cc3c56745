// SPDX-License-Identifier: Apache-2.0
//
// Replies to bytes for the line: sync, status, sequence number, beats of the buffer, CRC.
//
// The first byte is offered the cycle after the reply is taken, bytes of a beat one a cycle; three cycles between beats.

`include "flex_assert.svh"

module flex_link_send
  import flex_link_pkg::*;
#(
  // Derived
  localparam int unsigned IndexWidth = $clog2(MaxBeats)
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  // Replies
  input  logic [            7:0] reply_status_i,
  input  logic [            7:0] reply_sequence_i,
  input  logic [            7:0] reply_beats_i,
  input  logic                   reply_valid_i,
  output logic                   reply_ready_o,
  // Beats out of the buffer, two cycles after a read
  output logic                   rd_en_o,
  output logic [ IndexWidth-1:0] rd_addr_o,
  input  logic [BeatBytes*8-1:0] rd_data_i,
  // Bytes
  output logic [            7:0] byte_data_o,
  output logic                   byte_valid_o,
  input  logic                   byte_ready_i
);

  typedef enum logic [2:0] {
    Idle,
    Head,
    Fetch,
    Beat,
    Crc
  } state_e;

  state_e state_d, state_q;
  logic [2:0] byte_d, byte_q;
  logic [7:0] beat_d, beat_q, beats_q;
  logic [15:0] crc_q;
  logic [BeatBytes*8-1:0] bytes_q;
  logic step, take;

  assign take          = reply_valid_i && reply_ready_o;
  assign reply_ready_o = state_q == Idle;
  assign byte_valid_o  = state_q == Head || state_q == Beat || state_q == Crc;
  assign byte_data_o   = state_q == Crc ? crc_q[15:8] : bytes_q[7:0];
  assign rd_addr_o     = beat_q[IndexWidth-1:0];
  // A byte goes, or a cycle of waiting for the buffer.
  assign step          = (byte_valid_o && byte_ready_i) || state_q == Fetch;
  assign rd_en_o       = state_q == Fetch && byte_q == '0;

  always_comb begin
    state_d = state_q;
    byte_d  = byte_q + 1'b1;
    beat_d  = beat_q;
    unique case (state_q)
      Head:
      if (byte_q == 3'd2) begin
        byte_d  = '0;
        state_d = beats_q == '0 ? Crc : Fetch;
      end
      Fetch:
      if (byte_q == 3'd2) begin
        byte_d  = '0;
        state_d = Beat;
      end
      Beat:
      if (byte_q == 3'(BeatBytes - 1)) begin
        byte_d  = '0;
        beat_d  = beat_q + 1'b1;
        state_d = beat_d == beats_q ? Crc : Fetch;
      end
      Crc: if (byte_q == 3'd1) state_d = Idle;
      default: ;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) state_q <= Idle;
    else if (take) state_q <= Head;
    else if (step) state_q <= state_d;
  end

  always_ff @(posedge clk_i) begin
    if (take) begin
      byte_q  <= '0;
      beat_q  <= '0;
      beats_q <= reply_beats_i;
      bytes_q <= (BeatBytes * 8)'({reply_sequence_i, reply_status_i, ReplySync});
    end else if (step) begin
      byte_q <= byte_d;
      beat_q <= beat_d;
      // The buffer's word comes in the last cycle of waiting.
      if (state_q == Fetch) bytes_q <= rd_data_i;
      else bytes_q <= {8'h00, bytes_q[BeatBytes*8-1:8]};
    end
  end

  always_ff @(posedge clk_i) begin
    if (byte_valid_o && byte_ready_i) begin
      if (state_q == Crc) crc_q <= {crc_q[7:0], 8'h00};
      else if (state_q == Head && byte_q == '0) crc_q <= CrcStart;
      else crc_q <= crc_next(crc_q, byte_data_o);
    end
  end

  // Replies fit the buffer.
  `FLEX_ASSERT(BeatsInBuffer, reply_valid_i |-> 32'(reply_beats_i) <= MaxBeats)
  // A byte offered stays put until it is taken.
  `FLEX_ASSERT(ByteStable, byte_valid_o && !byte_ready_i |=> byte_valid_o && $stable(byte_data_o))

endmodule
