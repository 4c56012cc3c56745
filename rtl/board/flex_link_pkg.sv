// SPDX-License-Identifier: Apache-2.0
//
// Frames between a host and a board: docs/rtl/board.md. `flexcc.host.link` is the host's side.

package flex_link_pkg;

  // First bytes of requests and of replies.
  parameter logic [7:0] RequestSync = 8'ha5;
  parameter logic [7:0] ReplySync = 8'h5a;

  // Bytes of a beat, beats of the longest frame.
  parameter int unsigned BeatBytes = 8;
  parameter int unsigned MaxBeats = 64;

  typedef enum logic [7:0] {
    Hello         = 8'd0,
    ReadMemory    = 8'd1,
    WriteMemory   = 8'd2,
    ReadRegister  = 8'd3,
    WriteRegister = 8'd4
  } command_e;

  typedef enum logic [7:0] {
    Okay     = 8'd0,
    Refused  = 8'd1,  // unknown command, beats or address that it cannot have
    BusError = 8'd2   // memory or registers answered with an error
  } status_e;

  // A request as its header has it, first byte lowest.
  typedef struct packed {
    logic [31:0] addr;
    logic [7:0]  beats;
    logic [7:0]  sequence_number;
    logic [7:0]  command;
  } request_t;

  // Bytes of a header.
  parameter int unsigned HeaderBytes = $bits(request_t) / 8;

  // What a frame's CRC begins with: CRC-16 with x^16 + x^12 + x^5 + 1, high bits first.
  parameter logic [15:0] CrcStart = 16'hffff;

  // The CRC after one more byte. That of a frame with its own CRC behind it, high byte first, is 0.
  function automatic logic [15:0] crc_next(logic [15:0] crc, logic [7:0] data);
    logic [15:0] value;
    value = crc ^ {data, 8'h00};
    for (int unsigned i = 0; i < 8; i++) begin
      value = {value[14:0], 1'b0} ^ (value[15] ? 16'h1021 : 16'h0000);
    end
    return value;
  endfunction

  // Whether a command brings beats.
  function automatic logic has_payload(logic [7:0] command);
    return command == WriteMemory || command == WriteRegister;
  endfunction

endpackage
