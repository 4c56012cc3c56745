// SPDX-License-Identifier: Apache-2.0
//
// Requantiser: accumulators of the array to bytes in the output buffer.
//
// Holds the parameter ring. P*Q lanes; a block of M channels and P pixels comes in L = M/Q cycles,
// channel i*Q + q in cycle i, and leaves 14 cycles later (15 with slopes) as one write to all banks
// per cycle. With `Wide` that takes a cycle more, for a block of 16 bits puts out one byte of them.
// Free running: nothing stalls, blocks may follow each other without a gap. A block's data sheet
// (block_t) must come 5 cycles or more before its first accumulators.
// A word's bytes repeat its 2^word_channels channels, as many as Q at least and N at most.
// Limits: an output word is N bytes, Q divides M and N; out_byte is a multiple of Q below the
// channels of a word.

`include "flex_assert.svh"

module flex_requantize
  import flex_pkg::*;
  import flex_program_pkg::*;
#(
  // Output channels of a block; a power of two.
  parameter  int unsigned M              = 8,
  // Pixels of a block.
  parameter  int unsigned P              = 4,
  // Bytes of an output word; a power of two.
  parameter  int unsigned N              = 8,
  // Channels per cycle; a power of two that divides M and N.
  parameter  int unsigned Q              = 2,
  // Accumulator bits, 27 or more.
  parameter  int unsigned AccWidth       = 32,
  // Passes of the parameter ring; a power of two.
  parameter  int unsigned ParamPasses    = 8,
  // Address bits of the output buffer; the highest one is the half.
  parameter  int unsigned OutAddrWidth   = 10,
  // Words may hold less than N channels; a block's word_channels is log2(N) otherwise, and ignored.
  parameter  bit          OutputPhases   = 1'b1,
  // A channel has a second record, for outputs below zero.
  parameter  bit          Slopes         = 1'b0,
  // Blocks may have 16 bits on either side.
  parameter  bit          Wide           = 1'b0,
  // flex_bend reads second records, too, after this many cycles more; 0 without it.
  parameter  int unsigned BendCycles     = 0,
  // Multipliers of the part take 18x18 bits, see flex_product.
  parameter  bit          SplitProducts  = 1'b0,
  // Derived
  localparam int unsigned L              = M / Q,
  localparam int unsigned ParamDepth     = ParamPasses * L,
  localparam int unsigned ParamAddrWidth = (ParamDepth > 1) ? $clog2(ParamDepth) : 1,
  localparam int unsigned RecordBits     = Slopes ? 256 : 128,
  localparam int unsigned Lanes          = N / Q
) (
  input  logic                                                      clk_i,
  input  logic                                                      rst_ni,
  // Accumulators, signed
  input  logic                                                      acc_valid_i,
  input  logic   [             P-1:0][         Q-1:0][AccWidth-1:0] acc_i,
  // What the next blocks are; never refused
  input  block_t                                                    block_data_i,
  input  logic                                                      block_valid_i,
  // Parameter ring: Q records per word, word i of a pass at pass * L + i
  input  logic                                                      param_wr_en_i,
  input  logic   [ParamAddrWidth-1:0]                               param_wr_addr_i,
  input  logic   [             Q-1:0][RecordBits-1:0]               param_wr_data_i,
  output logic   [    CountWidth-1:0]                               params_released_o,
  // Output buffer, all banks alike
  output logic   [         Lanes-1:0]                               wr_en_o,
  output logic   [  OutAddrWidth-1:0]                               wr_addr_o,
  output logic   [             P-1:0][       Q*8-1:0]               wr_data_o,
  output table_t                                                    wr_table_o,
  // The sum that the bytes go into
  output sum_t                                                      wr_sum_o,
  // Where the records of these channels are
  output logic   [ParamAddrWidth-1:0]                               wr_param_o,
  // The last write of a half is in the buffer
  output logic                                                      group_full_o
);

  `FLEX_ASSERT_INIT(PowersOfTwo, (M & (M - 1)) == 0 && (N & (N - 1)) == 0 && (Q & (Q - 1)) == 0)
  `FLEX_ASSERT_INIT(ChainsDivide, Q >= 1 && M % Q == 0 && N % Q == 0)
  `FLEX_ASSERT_INIT(PassesPowerOfTwo, (ParamPasses & (ParamPasses - 1)) == 0 && ParamPasses > 0)
  `FLEX_ASSERT_INIT(AccHoldsClamp, AccWidth >= (Wide ? 38 : 27))
  `FLEX_ASSERT_INIT(AddressWidth, OutAddrWidth >= 2 && OutAddrWidth <= 17)

  // Bits of an accumulator that count; larger ones are clamped, those of 16 bits fit a lane.
  localparam int unsigned ClampWidth = 27;
  localparam int unsigned LaneAccWidth = Wide ? 38 : ClampWidth;
  localparam int unsigned DataWidth = Wide ? 16 : 8;
  localparam int unsigned BiasWidth = Wide ? 60 : 48;
  localparam int unsigned RamLatency = 2;
  localparam int unsigned LaneLatency = (Slopes ? 11 : 10) + (Wide ? 1 : 0);

  // Blocks whose accumulators may be on their way when a data sheet comes: they are L cycles or
  // more apart, and from the last step to its first accumulator an array takes fewer cycles than:
  localparam int unsigned ArrayLatency = ColumnReadLatency + 2 * M + P + 2 * N + 16;
  localparam int unsigned FifoDepth = ArrayLatency / L + 2;

  // A write address is known one cycle after stage 0, needed in the cycle before the lanes put out
  // their bytes.
  localparam int unsigned AddrDelay = RamLatency + LaneLatency - 2;

  localparam int unsigned IndexWidth = (L > 1) ? $clog2(L) : 1;
  localparam int unsigned LaneWidth = (Lanes > 1) ? $clog2(Lanes) : 1;

  //////////////////////////////
  // Stage 0: block and clamp //
  //////////////////////////////

  block_t block_next, block0_q;
  logic block_ready, block_next_valid;
  logic [$clog2(FifoDepth+1)-1:0] unused_level;
  logic [IndexWidth-1:0] index_q, index0_q;
  logic first, last;
  logic valid0_q;
  logic wide_block;
  logic [P-1:0][Q-1:0][LaneAccWidth-1:0] acc0_q;

  assign first      = acc_valid_i && index_q == '0;
  assign last       = index_q == IndexWidth'(L - 1);
  // The accumulators that come are those of such a block.
  assign wide_block = Wide && (first ? block_next.wide.enable : block0_q.wide.enable);

  flex_stream_fifo #(
    .Width($bits(block_t)),
    .Depth(FifoDepth)
  ) u_blocks (
    .clk_i,
    .rst_ni,
    .in_data_i  (block_data_i),
    .in_valid_i (block_valid_i),
    .in_ready_o (block_ready),
    .out_data_o (block_next),
    .out_valid_o(block_next_valid),
    .out_ready_i(first),
    .level_o    (unused_level)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      index_q  <= '0;
      valid0_q <= 1'b0;
    end else begin
      if (acc_valid_i) index_q <= last ? '0 : index_q + 1'b1;
      valid0_q <= acc_valid_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (acc_valid_i) index0_q <= index_q;
    if (first) block0_q <= block_next;
  end

  for (genvar p = 0; p < P; p++) begin : gen_clamp_pixel
    for (genvar q = 0; q < Q; q++) begin : gen_clamp
      logic [AccWidth-1:0] acc;
      logic over;
      assign acc  = acc_i[p][q];
      assign over = |acc[AccWidth-1:ClampWidth-1] && !(&acc[AccWidth-1:ClampWidth-1]);
      always_ff @(posedge clk_i) begin
        if (acc_valid_i) begin
          if (over && !wide_block) begin
            acc0_q[p][q] <= LaneAccWidth'(signed'({
              acc[AccWidth-1], {(ClampWidth - 1) {!acc[AccWidth-1]}}
            }));
          end else begin
            acc0_q[p][q] <= acc[LaneAccWidth-1:0];
          end
        end
      end
      if (Wide) begin : gen_check_fits
        // The compiler proves that a lane takes what a block of 16 bits sums.
        `FLEX_ASSERT(AccFits,
                     acc_valid_i && wide_block |-> &acc[AccWidth-1:LaneAccWidth-1] ||
            !(|acc[AccWidth-1:LaneAccWidth-1]))
      end
    end
  end

  ////////////////////
  // Parameter ring //
  ////////////////////

  // The bits of a record that have a meaning.
  localparam int unsigned RecordWidth = 24 + 6 + BiasWidth;
  localparam int unsigned SlopeWidth = Slopes ? 25 + 6 + 27 + 48 : 0;
  localparam int unsigned StoredWidth = RecordWidth + SlopeWidth;

  logic [Q-1:0][StoredWidth-1:0] param_wr_data, param_rd_data;
  logic [ParamAddrWidth-1:0] param_rd_addr;
  logic valid2;
  logic [P-1:0][Q-1:0][LaneAccWidth-1:0] acc2;
  logic wide2, bent0, bent2;
  logic signed [DataWidth-1:0] zero_point0, low0, high0, zero_point2, low2, high2;

  if (Wide) begin : gen_wide_limits
    assign zero_point0 = block0_q.wide.enable ? block0_q.wide.zero_point :
        DataWidth'(block0_q.zero_point);
    assign low0 = block0_q.wide.enable ? block0_q.wide.low : DataWidth'(block0_q.low);
    assign high0 = block0_q.wide.enable ? block0_q.wide.high : DataWidth'(block0_q.high);
  end else begin : gen_limits
    assign zero_point0 = block0_q.zero_point;
    assign low0        = block0_q.low;
    assign high0       = block0_q.high;
    logic unused_wide;
    assign unused_wide = ^{block0_q.wide, block0_q.plane};
  end

  assign bent0 = BendCycles > 0 && block0_q.add.bend.enable;

  if (L > 1) begin : gen_param_addr
    assign param_rd_addr = ParamAddrWidth'({block0_q.param_pass, index0_q});
  end else begin : gen_param_addr_pass
    assign param_rd_addr = (ParamPasses > 1) ? ParamAddrWidth'(block0_q.param_pass) : '0;
    logic unused_index;
    assign unused_index = index0_q;
  end

  flex_ram_sdp #(
    .Width(Q * StoredWidth),
    .Depth(ParamDepth)
  ) u_parameters (
    .clk_i,
    .wr_en_i  (param_wr_en_i),
    .wr_addr_i(param_wr_addr_i),
    .wr_data_i(param_wr_data),
    .rd_en_i  (valid0_q),
    .rd_addr_i(param_rd_addr),
    .rd_data_o(param_rd_data)
  );

  // A pass's parameters have been read for the last time.
  logic released;

  flex_delay #(
    .Width (1),
    .Cycles((BendCycles > 0) ? AddrDelay + 2 + BendCycles : 0),
    .Reset (1'b1)
  ) u_released (
    .clk_i,
    .rst_ni,
    .data_i(valid0_q && index0_q == IndexWidth'(L - 1) && block0_q.release_params),
    .data_o(released)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) params_released_o <= '0;
    else if (released) params_released_o <= params_released_o + 1'b1;
  end

  flex_delay #(
    .Width (1),
    .Cycles(RamLatency),
    .Reset (1'b1)
  ) u_valid2 (
    .clk_i,
    .rst_ni,
    .data_i(valid0_q),
    .data_o(valid2)
  );

  flex_delay #(
    .Width (P * Q * LaneAccWidth + 3 * DataWidth + 2),
    .Cycles(RamLatency)
  ) u_acc2 (
    .clk_i,
    .rst_ni,
    .data_i({acc0_q, bent0, zero_point0, low0, high0, Wide && block0_q.wide.enable}),
    .data_o({acc2, bent2, zero_point2, low2, high2, wide2})
  );

  if (!Slopes) begin : gen_unused_wide
    logic unused_wide;
    assign unused_wide = wide2;
  end

  ///////////
  // Lanes //
  ///////////

  logic [Q-1:0] lane_valid;
  plane_e plane_last;  // of what the lanes put out

  for (genvar q = 0; q < Q; q++) begin : gen_lane

    parameter_t record;
    logic [23:0] mult;
    logic [5:0] shift;
    logic signed [BiasWidth-1:0] bias;
    logic signed [LaneAccWidth-1:0] below_last;
    logic signed [24:0] below_mult;
    logic [5:0] below_shift;
    logic signed [BiasWidth-1:0] below_bias;
    logic [P-1:0][LaneAccWidth-1:0] acc;
    logic [P-1:0][DataWidth-1:0] data;
    logic valid;

    assign record = param_wr_data_i[q][127:0];
    assign param_wr_data[q][RecordWidth-1:0] = {
      record.mult, record.shift, record.bias[BiasWidth-1:0]
    };
    assign {mult, shift, bias} = param_rd_data[q][RecordWidth-1:0];

    logic unused_record;
    assign unused_record = ^{record.unused_0, record.unused_1, record.bias};

    if (Slopes) begin : gen_slope
      slope_t slope;
      logic signed [24:0] mult_below;
      logic [5:0] shift_below;
      logic signed [26:0] last_below;
      logic signed [47:0] bias_below;
      assign slope = param_wr_data_i[q][255:128];
      assign param_wr_data[q][StoredWidth-1:RecordWidth] = {
        slope.mult, slope.shift, slope.last, slope.bias
      };
      assign {mult_below, shift_below, last_below, bias_below} =
          param_rd_data[q][StoredWidth-1:RecordWidth];
      // Blocks of 16 bits do not bend, and the second record of a channel whose sums bend is
      // flex_bend's: both sets of parameters are the first one.
      assign below_mult = (wide2 || bent2) ? {1'b0, mult} : mult_below;
      assign below_shift = (wide2 || bent2) ? shift : shift_below;
      assign below_bias = (wide2 || bent2) ? bias : BiasWidth'(bias_below);
      assign below_last = LaneAccWidth'(last_below);
      logic unused_slope;
      assign unused_slope = ^{slope.unused_0, slope.unused_1};
    end else begin : gen_no_slope
      assign {below_mult, below_shift, below_last, below_bias} = '0;
      logic unused_bent;
      assign unused_bent = bent2;
    end

    for (genvar p = 0; p < P; p++) begin : gen_pixel
      assign acc[p] = acc2[p][q];

      if (Wide) begin : gen_byte
        logic [7:0] data_q;
        assign wr_data_o[p][q*8+:8] = data_q;
        always_ff @(posedge clk_i) begin
          unique case (plane_last)
            PlaneUpper: data_q <= data[p][15:8];
            PlaneLower: data_q <= {!data[p][7], data[p][6:0]};
            default:    data_q <= data[p][7:0];
          endcase
        end
      end else begin : gen_whole
        assign wr_data_o[p][q*8+:8] = data[p];
      end
    end

    if (Wide) begin : gen_valid
      always_ff @(posedge clk_i) begin
        if (!rst_ni) lane_valid[q] <= 1'b0;
        else lane_valid[q] <= valid;
      end
    end else begin : gen_same_valid
      assign lane_valid[q] = valid;
    end

    flex_requantize_lane #(
      .Pixels       (P),
      .Slopes       (Slopes),
      .Wide         (Wide),
      .SplitProducts(SplitProducts)
    ) u_lane (
      .clk_i,
      .rst_ni,
      .valid_i      (valid2),
      .acc_i        (acc),
      .mult_i       (mult),
      .shift_i      (shift),
      .bias_i       (bias),
      .below_last_i (below_last),
      .below_mult_i (below_mult),
      .below_shift_i(below_shift),
      .below_bias_i (below_bias),
      .zero_point_i (zero_point2),
      .low_i        (low2),
      .high_i       (high2),
      .valid_o      (valid),
      .data_o       (data)
    );

  end

  ///////////////////
  // Write address //
  ///////////////////

  logic [OutAddrWidth-1:0] addr1_q, addr_last, addr_out_q;
  logic [LaneWidth-1:0] lane1_q, lane_mask1_q, lane_last, lane_mask_last;
  logic valid1_q, full1_q, valid_last, full_last;
  table_t table1_q;
  plane_e plane1_q;
  logic [Lanes-1:0] wr_en_d, wr_en_q;
  logic full_q, group_full_q;

  assign wr_en_o      = wr_en_q;
  assign wr_addr_o    = addr_out_q;
  assign group_full_o = group_full_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid1_q <= 1'b0;
      full1_q  <= 1'b0;
    end else begin
      valid1_q <= valid0_q;
      full1_q  <= valid0_q && index0_q == IndexWidth'(L - 1) && block0_q.hand_over;
    end
  end

  // The bits of a lane's number that tell the lanes of a word's channels apart.
  function automatic logic [LaneWidth-1:0] lane_mask(logic [2:0] word_channels);
    logic [LaneWidth-1:0] mask;
    for (int unsigned b = 0; b < LaneWidth; b++) begin
      mask[b] = (Lanes > 1) && (!OutputPhases || 32'(word_channels) > $clog2(Q) + b);
    end
    return mask;
  endfunction

  always_ff @(posedge clk_i) begin
    if (valid0_q) begin
      table1_q <= '{
          enable: block0_q.lookup.enable,
          half: block0_q.lookup.half,
          last: block0_q.lookup.last && index0_q == IndexWidth'(L - 1)
      };
      plane1_q <= block0_q.plane;
      if (index0_q == '0) begin
        addr1_q      <= {block0_q.out_half, block0_q.out_addr[OutAddrWidth-2:0]};
        lane1_q      <= (Lanes > 1) ? LaneWidth'(block0_q.out_byte / 8'(Q)) : '0;
        lane_mask1_q <= lane_mask(block0_q.word_channels);
      end else if (lane1_q == lane_mask1_q) begin
        addr1_q <= addr1_q + OutAddrWidth'(block0_q.out_plane_words);
        lane1_q <= '0;
      end else begin
        lane1_q <= lane1_q + 1'b1;
      end
    end
  end

  flex_delay #(
    .Width (2),
    .Cycles(AddrDelay),
    .Reset (1'b1)
  ) u_valid_last (
    .clk_i,
    .rst_ni,
    .data_i({valid1_q, full1_q}),
    .data_o({valid_last, full_last})
  );

  flex_delay #(
    .Width (OutAddrWidth + 2 * LaneWidth),
    .Cycles(AddrDelay)
  ) u_addr_last (
    .clk_i,
    .rst_ni,
    .data_i({addr1_q, lane1_q, lane_mask1_q}),
    .data_o({addr_last, lane_last, lane_mask_last})
  );

  flex_delay #(
    .Width ($bits(table_t)),
    .Cycles(AddrDelay + 1)
  ) u_table (
    .clk_i,
    .rst_ni,
    .data_i(table1_q),
    .data_o(wr_table_o)
  );

  if (Wide) begin : gen_plane
    logic [1:0] plane_bits;
    flex_delay #(
      .Width (2),
      .Cycles(AddrDelay)
    ) u_plane (
      .clk_i,
      .rst_ni,
      .data_i(plane1_q),
      .data_o(plane_bits)
    );
    assign plane_last = plane_e'(plane_bits);
  end else begin : gen_no_plane
    assign plane_last = PlaneWhole;
    logic unused_plane;
    assign unused_plane = ^{plane1_q, plane_last};
  end

  flex_delay #(
    .Width ($bits(sum_t)),
    .Cycles(AddrDelay + 2)
  ) u_sum (
    .clk_i,
    .rst_ni,
    .data_i(block0_q.add),
    .data_o(wr_sum_o)
  );

  if (BendCycles > 0) begin : gen_param
    flex_delay #(
      .Width (ParamAddrWidth),
      .Cycles(AddrDelay + 2)
    ) u_param (
      .clk_i,
      .rst_ni,
      .data_i(param_rd_addr),
      .data_o(wr_param_o)
    );
  end else begin : gen_no_param
    assign wr_param_o = '0;
  end

  for (genvar l = 0; l < Lanes; l++) begin : gen_wr_en
    assign wr_en_d[l] = ((lane_last ^ LaneWidth'(l)) & lane_mask_last) == '0;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      wr_en_q      <= '0;
      full_q       <= 1'b0;
      group_full_q <= 1'b0;
    end else begin
      wr_en_q      <= valid_last ? wr_en_d : '0;
      full_q       <= full_last;
      group_full_q <= full_q;
    end
  end

  always_ff @(posedge clk_i) begin
    addr_out_q <= addr_last;
  end

  `FLEX_ASSERT_INIT(BendsNeedSlopes, BendCycles == 0 || Slopes)
  // A data sheet finds a place, and is there when its accumulators come.
  `FLEX_ASSERT(BlockAccepted, block_valid_i |-> block_ready)
  `FLEX_ASSERT(BlockKnown, first |-> block_next_valid)
  // Bytes and addresses meet.
  `FLEX_ASSERT(LanesInStep, lane_valid == {Q{|wr_en_q}})
  // A word holds whole lanes, at most as many as there are, and the block starts on one of them.
  logic [7:0] word_channels;
  assign word_channels = 8'd1 << block_next.word_channels;
  `FLEX_ASSERT(WordChannelsInRange, first |-> 32'(word_channels) >= Q && 32'(word_channels) <= N)
  `FLEX_ASSERT(LaneInWord,
               first |-> block_next.out_byte < word_channels && 32'(block_next.out_byte) % Q == 0)
  // The block lies within its half.
  `FLEX_ASSERT(AddressInHalf, first |-> 32'(block_next.out_addr) < 2 ** (OutAddrWidth - 1))

endmodule
