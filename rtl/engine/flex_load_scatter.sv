// SPDX-License-Identifier: Apache-2.0
//
// Scatters beats of adjacent pixels over the banks of the activation buffer.
//
// Lane i of a beat is column X + i of a buffer row, X given as stride * Q + phase. It belongs to
// column phase f = (X + i) mod stride and has position q = (X + i) div stride + rot[f]; it goes to
// bank q mod P, word `word + base[f] + q div P`, where beat_bank_i and beat_word_i bring Q as bank
// and word. Lanes that share a bank are written in successive cycles, the lowest first.
//
// Latency: 6 cycles from a beat to its first write, 2 from a memory beat to its first write.
// Throughput: a beat takes as many cycles as its fullest bank has masked lanes, one at the least.
// Limits: rotations below P; no write port back-pressure.

`include "flex_assert.svh"

module flex_load_scatter
  import flex_load_pkg::*;
#(
  // Banks, 1..16.
  parameter  int unsigned P            = 8,
  // Bytes of a pixel.
  parameter  int unsigned N            = 8,
  // Bytes of a beat: 1..32 pixels.
  parameter  int unsigned DataBytes    = 64,
  // Words per bank and half; a power of two, at most 65536.
  parameter  int unsigned ActWords     = 1024,
  // Column phases at most, 1..4.
  parameter  int unsigned ColumnPhases = 4,
  localparam int unsigned B            = DataBytes / N,
  localparam int unsigned AddrWidth    = $clog2(2 * ActWords)
) (
  input logic clk_i,
  input logic rst_ni,
  // Beats to write
  input logic [1:0] beat_stride_i,  // stride - 1
  input logic [1:0] beat_phase_i,  // X mod stride
  input logic [3:0] beat_bank_i,  // (X div stride) mod P
  input logic [15:0] beat_word_i,  // row's first word + (X div stride) div P
  input logic [3:0][3:0] beat_rot_i,
  input logic [3:0][15:0] beat_base_i,
  input logic [B-1:0] beat_mask_i,  // lanes to write
  input logic [B-1:0] beat_mem_mask_i,  // lanes that come from memory
  input logic beat_mem_i,  // takes a memory beat
  input logic [7:0] beat_pad_i,  // byte of the other lanes
  input logic beat_half_i,
  input logic beat_last_i,  // last beat of its half
  input logic beat_valid_i,
  output logic beat_ready_o,
  // Memory beats
  input logic [DataBytes*8-1:0] data_data_i,
  input logic data_valid_i,
  output logic data_ready_o,
  // Activation buffer
  output logic [P-1:0] wr_en_o,
  output logic [P-1:0][AddrWidth-1:0] wr_addr_o,
  output logic [P-1:0][N*8-1:0] wr_data_o,
  // Pulse: every write of a half is in the RAM
  output logic full_o,
  // Levels: beats are under way; the next one waits for memory
  output logic busy_o,
  output logic starved_o
);

  `FLEX_ASSERT_INIT(BanksInRange, P >= 1 && P <= 16)
  `FLEX_ASSERT_INIT(LanesInRange, B >= 1 && B <= 32 && B * N == DataBytes)
  `FLEX_ASSERT_INIT(HalfInRange, ActWords >= 2 && ActWords <= 65536)
  `FLEX_ASSERT_INIT(HalfPowerOfTwo, (1 << $clog2(ActWords)) == ActWords)

  // Bits of a position within the banks: below (P - 1) + (P - 1) + (B - 1) + 1 <= 62.
  localparam int unsigned SpanWidth = 6;

  // How far lane i lies behind the beat's first column, in positions, by {stride - 1, phase}.
  function automatic logic [B-1:0][15:0][4:0] lane_positions();
    for (int unsigned i = 0; i < B; i++) begin
      for (int unsigned k = 0; k < 16; k++) begin
        lane_positions[i][k] = 5'((k % 4 + i) / (k / 4 + 1));
      end
    end
  endfunction

  // The column phase of lane i, by {stride - 1, phase}.
  function automatic logic [B-1:0][15:0][1:0] lane_phases();
    for (int unsigned i = 0; i < B; i++) begin
      for (int unsigned k = 0; k < 16; k++) begin
        lane_phases[i][k] = 2'((k % 4 + i) % (k / 4 + 1));
      end
    end
  endfunction

  // Division of a span by P.
  function automatic logic [2**SpanWidth-1:0][SpanWidth-1:0] quotients();
    for (int unsigned t = 0; t < 2 ** SpanWidth; t++) quotients[t] = SpanWidth'(t / P);
  endfunction

  function automatic logic [2**SpanWidth-1:0][3:0] remainders();
    for (int unsigned t = 0; t < 2 ** SpanWidth; t++) remainders[t] = 4'(t % P);
  endfunction

  localparam logic [B-1:0][15:0][4:0] LanePosition = lane_positions();
  localparam logic [B-1:0][15:0][1:0] LanePhase = lane_phases();
  localparam logic [2**SpanWidth-1:0][SpanWidth-1:0] Quotient = quotients();
  localparam logic [2**SpanWidth-1:0][3:0] Remainder = remainders();

  // The bits of a phase; the others are told so that nothing is built for them.
  localparam logic [1:0] PhaseMask = phase_mask(ColumnPhases);

  // What travels unchanged from stage to stage.
  typedef struct packed {
    logic [B-1:0] mask;
    logic [B-1:0] mem_mask;
    logic         mem;
    logic [7:0]   pad;
    logic         half;
    logic         last;
  } beat_t;

  // What comes in.
  typedef struct packed {
    logic [1:0]       stride;
    logic [1:0]       phase;
    logic [3:0]       bank;
    logic [15:0]      word;
    logic [3:0][3:0]  rot;
    logic [3:0][15:0] base;
    beat_t            beat;
  } entry_t;

  // The first three stages move together.
  logic advance;

  ////////////////////////////////////////////////////////////////
  // Stage 0: cuts the path from memory to where the beats come from
  ////////////////////////////////////////////////////////////////

  entry_t entry_in, entry;
  logic entry_valid;

  assign entry_in = '{
          stride: beat_stride_i,
          phase: beat_phase_i,
          bank: beat_bank_i,
          word: beat_word_i,
          rot: beat_rot_i,
          base: beat_base_i,
          beat: '{
              mask: beat_mask_i,
              mem_mask: beat_mem_mask_i,
              mem: beat_mem_i,
              pad: beat_pad_i,
              half: beat_half_i,
              last: beat_last_i
          }
      };

  flex_stream_register #(
    .Width($bits(entry_t))
  ) u_entry (
    .clk_i,
    .rst_ni,
    .in_data_i  (entry_in),
    .in_valid_i (beat_valid_i),
    .in_ready_o (beat_ready_o),
    .out_data_o (entry),
    .out_valid_o(entry_valid),
    .out_ready_i(advance)
  );

  ////////////////////////////////////////////////////////////////
  // Stage 1: positions of the beat's phases
  ////////////////////////////////////////////////////////////////

  logic valid_1_q;
  beat_t beat_1_q;
  logic [3:0] lane_key_q;  // {stride - 1, phase}
  logic [3:0][4:0] phase_span_q;  // bank of the first column plus the phase's rotation
  logic [3:0][15:0] phase_word_1_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_1_q <= 1'b0;
    end else if (advance) begin
      valid_1_q <= entry_valid;
    end
  end

  always_ff @(posedge clk_i) begin
    if (advance) begin
      beat_1_q       <= entry.beat;
      lane_key_q     <= {entry.stride & PhaseMask, entry.phase & PhaseMask};
      phase_span_q   <= '0;
      phase_word_1_q <= '0;
      for (int unsigned f = 0; f < ColumnPhases; f++) begin
        phase_span_q[f]   <= 5'(entry.bank) + 5'(entry.rot[f]);
        phase_word_1_q[f] <= entry.word + entry.base[f];
      end
    end
  end

  ////////////////////////////////////////////////////////////////
  // Stage 2: the position of every lane
  ////////////////////////////////////////////////////////////////

  logic valid_2_q;
  beat_t beat_2_q;
  logic [B-1:0][1:0] phase_q;
  logic [B-1:0][SpanWidth-1:0] span_q;
  logic [3:0][15:0] phase_word_2_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_2_q <= 1'b0;
    end else if (advance) begin
      valid_2_q <= valid_1_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (advance && valid_1_q) begin
      beat_2_q       <= beat_1_q;
      phase_word_2_q <= phase_word_1_q;
      for (int unsigned i = 0; i < B; i++) begin
        phase_q[i] <= LanePhase[i][lane_key_q];
        span_q[i] <= SpanWidth'(LanePosition[i][lane_key_q]) +
            SpanWidth'(phase_span_q[LanePhase[i][lane_key_q]]);
      end
    end
  end

  ////////////////////////////////////////////////////////////////
  // Stage 3: bank and word of every lane
  ////////////////////////////////////////////////////////////////

  logic valid_3_q;
  beat_t beat_3_q;
  logic [P-1:0][B-1:0] member_q;  // lanes of each bank
  logic [B-1:0][15:0] word_3_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_3_q <= 1'b0;
    end else if (advance) begin
      valid_3_q <= valid_2_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (advance && valid_2_q) begin
      beat_3_q <= beat_2_q;
      for (int unsigned i = 0; i < B; i++) begin
        word_3_q[i] <= phase_word_2_q[phase_q[i]] + 16'(Quotient[span_q[i]]);
        for (int unsigned p = 0; p < P; p++) begin
          member_q[p][i] <= beat_2_q.mask[i] && 32'(Remainder[span_q[i]]) == p;
        end
      end
    end
  end

  ////////////////////////////////////////////////////////////////
  // Stage 4: each bank picks its lowest lane, until none is left
  ////////////////////////////////////////////////////////////////

  logic valid_4_d, valid_4_q;
  logic last_4_q, half_q;
  logic more_d, more_q;  // lanes are left for further cycles
  logic [P-1:0][B-1:0] left_d, left_q, pick_d, pick_q;
  logic [B-1:0][15:0] word_4_q;
  logic [B-1:0][N*8-1:0] data_q;
  logic load;

  assign data_ready_o = valid_3_q && beat_3_q.mem && !more_q;
  assign load         = valid_3_q && !more_q && (!beat_3_q.mem || data_valid_i);
  assign advance      = !valid_3_q || load;

  always_comb begin
    for (int unsigned p = 0; p < P; p++) begin
      logic [B-1:0] pending;
      pending   = more_q ? left_q[p] : member_q[p];
      left_d[p] = pending & (pending - B'(1));
      pick_d[p] = pending & ~left_d[p];
    end
    valid_4_d = more_q || load;
    more_d    = valid_4_d && |left_d;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_4_q <= 1'b0;
      more_q    <= 1'b0;
    end else begin
      valid_4_q <= valid_4_d;
      more_q    <= more_d;
    end
  end

  always_ff @(posedge clk_i) begin
    if (valid_4_d) begin
      left_q <= left_d;
      pick_q <= pick_d;
    end
    if (load) begin
      last_4_q <= beat_3_q.last;
      half_q   <= beat_3_q.half;
      word_4_q <= word_3_q;
      for (int unsigned i = 0; i < B; i++) begin
        data_q[i] <= beat_3_q.mem_mask[i] ? data_data_i[i*N*8+:N*8] : {N{beat_3_q.pad}};
      end
    end
  end

  ////////////////////////////////////////////////////////////////
  // Stage 5: the write, and the cycle after it
  ////////////////////////////////////////////////////////////////

  logic [P-1:0] wr_en_q;
  logic [P-1:0][AddrWidth-1:0] wr_addr_q;
  logic [P-1:0][N*8-1:0] wr_data_q;
  logic last_5_q, full_q;

  // The word and the pixel of the one lane of `pick`.
  function automatic logic [AddrWidth-2:0] picked_word(logic [B-1:0] pick);
    logic [AddrWidth-2:0] word;
    word = '0;
    for (int unsigned i = 0; i < B; i++) begin
      word |= {(AddrWidth - 1) {pick[i]}} & word_4_q[i][AddrWidth-2:0];
    end
    return word;
  endfunction

  function automatic logic [N*8-1:0] picked_pixel(logic [B-1:0] pick);
    logic [N*8-1:0] pixel;
    pixel = '0;
    for (int unsigned i = 0; i < B; i++) pixel |= {(N * 8) {pick[i]}} & data_q[i];
    return pixel;
  endfunction

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      wr_en_q  <= '0;
      last_5_q <= 1'b0;
      full_q   <= 1'b0;
    end else begin
      for (int unsigned p = 0; p < P; p++) wr_en_q[p] <= valid_4_q && |pick_q[p];
      last_5_q <= valid_4_q && last_4_q && !more_q;
      full_q   <= last_5_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (valid_4_q) begin
      for (int unsigned p = 0; p < P; p++) begin
        wr_addr_q[p] <= {half_q, picked_word(pick_q[p])};
        wr_data_q[p] <= picked_pixel(pick_q[p]);
      end
    end
  end

  assign wr_en_o = wr_en_q;
  assign wr_addr_o = wr_addr_q;
  assign wr_data_o = wr_data_q;
  assign full_o = full_q;
  assign busy_o    = entry_valid || valid_1_q || valid_2_q || valid_3_q || valid_4_q || last_5_q ||
      |wr_en_q;
  assign starved_o = valid_3_q && beat_3_q.mem && !more_q && !data_valid_i;

  // A beat offered stays put until it is taken.
  `FLEX_ASSERT(BeatStable, beat_valid_i && !beat_ready_o |=> beat_valid_i && $stable
                           ({beat_stride_i, beat_phase_i, beat_bank_i, beat_word_i, beat_mask_i}))
  `FLEX_ASSERT(DataStable, data_valid_i && !data_ready_o |=> data_valid_i && $stable(data_data_i))
  // A lane from memory is a lane to write, of a beat that takes memory.
  `FLEX_ASSERT(MemoryLanesMasked, beat_valid_i |-> (beat_mem_mask_i & ~beat_mask_i) == '0)
  `FLEX_ASSERT(MemoryLanesFed, beat_valid_i && beat_mem_mask_i != '0 |-> beat_mem_i)
  `FLEX_ASSERT(BankInRange, beat_valid_i |-> 32'(beat_bank_i) < P)
  `FLEX_ASSERT(PhaseInRange, beat_valid_i |-> beat_phase_i <= beat_stride_i)
  for (genvar f = 0; f < 4; f++) begin : gen_phase_asserts
    `FLEX_ASSERT(RotationInRange,
                 beat_valid_i && 32'(beat_stride_i) + 32'd1 > f |-> 32'(beat_rot_i[f]) < P)
  end
  // A bank writes one lane at a time, and nothing is written behind the end of the half.
  for (genvar p = 0; p < int'(P); p++) begin : gen_bank_asserts
    `FLEX_ASSERT(OneLanePerBank, valid_4_q |-> $onehot0(pick_q[p]))
  end
  for (genvar i = 0; i < int'(B); i++) begin : gen_lane_asserts
    `FLEX_ASSERT(WordInHalf, valid_3_q && beat_3_q.mask[i] |-> 32'(word_3_q[i]) < ActWords)
  end

endmodule
