// SPDX-License-Identifier: Apache-2.0
//
// Issues one reduction step per cycle and owns what a step needs: halves, ring words, drain time.
//
// A step reads one word of every activation bank and one weight word. It is issued only when everything it needs is
// there and everything it leads to has room, so that nothing behind this module ever stalls:
//   - the tile's half of the activation buffer is full,
//   - the weight word and the pass's parameters are in their rings,
//   - the pass has its half of the output buffer and, for a sum, of the skip buffer,
//   - the last step of a block comes DrainCycles or more after the previous block's.
// A run is a row of steps, `plane_words` apart. The context of a pass comes before the pass's first run.
// Throughput: one step per cycle across runs, blocks, passes and tiles. Latency: 1 cycle from decision to outputs.

`include "flex_assert.svh"

module flex_step_issue
  import flex_pkg::*;
#(
  // Words per half of the activation buffer; a power of two.
  parameter  int unsigned ActWords         = 1024,
  // Words of the weight ring; a power of two.
  parameter  int unsigned WeightWords      = 512,
  // Length of a drain chain, M/Q: cycles in which a block leaves the array.
  parameter  int unsigned DrainCycles      = 4,
  // Cycles from a step until the weight buffer has read its last row.
  parameter  int unsigned WeightReadCycles = 16,
  // Tiles may be summed with a second tensor.
  parameter  bit          Sums             = 1'b0,
  // Activations may have 16 bits.
  parameter  bit          Wide             = 1'b0,
  localparam int unsigned ActAddrWidth     = $clog2(2 * ActWords),
  localparam int unsigned WeightAddrWidth  = $clog2(WeightWords)
) (
  input  logic                                clk_i,
  input  logic                                rst_ni,
  // Passes
  input  pass_context_t                       context_data_i,
  input  logic                                context_valid_i,
  output logic                                context_ready_o,
  // Runs of steps
  input  step_run_t                           run_data_i,
  input  logic                                run_valid_i,
  output logic                                run_ready_o,
  // Activation buffer halves
  input  logic                                act_full_i,
  output logic                                act_freed_o,
  // Rings
  input  logic          [     CountWidth-1:0] weights_written_i,
  output logic          [     CountWidth-1:0] weights_released_o,
  input  logic          [     CountWidth-1:0] params_written_i,
  // Output and skip buffer halves
  input  logic                                out_freed_i,
  input  logic                                skip_full_i,
  // Step
  output logic                                step_valid_o,
  output logic                                step_first_o,
  output logic                                step_last_o,
  output logic                                step_shift_o,
  output logic          [   ActAddrWidth-1:0] act_addr_o,
  output logic          [                7:0] act_rotation_o,
  output logic          [WeightAddrWidth-1:0] weight_addr_o,
  // Blocks for the requantiser, one per last step; never refused
  output block_t                              block_data_o,
  output logic                                block_valid_o,
  // Performance counters
  output logic                                busy_o,
  output logic                                starved_o,
  output logic                                blocked_o
);

  `FLEX_ASSERT_INIT(ActWordsPowerOfTwo, (ActWords & (ActWords - 1)) == 0 && ActWords <= 65536)
  `FLEX_ASSERT_INIT(WeightWordsPowerOfTwo, (WeightWords & (WeightWords - 1)) == 0)
  `FLEX_ASSERT_INIT(WeightWordsFit, WeightWords <= 16384)

  //////////////
  // Contexts //
  //////////////

  pass_context_t context_out;
  logic context_out_valid, context_out_ready;
  logic [2:0] unused_context_level;

  flex_stream_fifo #(
    .Width($bits(pass_context_t)),
    .Depth(4)
  ) u_contexts (
    .clk_i,
    .rst_ni,
    .in_data_i  (context_data_i),
    .in_valid_i (context_valid_i),
    .in_ready_o (context_ready_o),
    .out_data_o (context_out),
    .out_valid_o(context_out_valid),
    .out_ready_i(context_out_ready),
    .level_o    (unused_context_level)
  );

  //////////////////
  // Step in work //
  //////////////////

  logic cur_valid_q;
  step_run_t cur_q;
  pass_context_t ctx_q;
  logic run_end, block_end, pass_end, tile_end, step;

  assign run_end   = cur_q.steps_left == '0;
  assign block_end = run_end && cur_q.list_last;
  assign pass_end  = run_end && cur_q.pass_last;
  assign tile_end  = pass_end && ctx_q.tile_last;

  logic load_run;
  assign load_run          = run_valid_i && (!cur_valid_q || (step && run_end));
  assign run_ready_o       = !cur_valid_q || (step && run_end);
  assign context_out_ready = load_run && run_data_i.pass_first;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      cur_valid_q <= 1'b0;
    end else if (run_ready_o) begin
      cur_valid_q <= run_valid_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (load_run) begin
      cur_q <= run_data_i;
      if (run_data_i.pass_first) ctx_q <= context_out;
    end else if (step) begin
      cur_q.word       <= cur_q.word + ctx_q.plane_words;
      cur_q.steps_left <= cur_q.steps_left - 1'b1;
      cur_q.list_first <= 1'b0;
      cur_q.shift      <= 1'b0;
    end
  end

  /////////////////////////
  // Weights, parameters //
  /////////////////////////

  // Absolute word and pass numbers; the base is what keep tiles return to.
  logic [CountWidth-1:0] weight_q, weight_pass_q, weight_base_q;
  logic [CountWidth-1:0] param_q, param_base_q;
  logic [CountWidth-1:0] weight_next;
  assign weight_next = weight_q + 1'b1;

  // A word is given back when the last row has read it.
  flex_delay #(
    .Width (CountWidth),
    .Cycles(WeightReadCycles),
    .Reset (1'b1)
  ) u_released (
    .clk_i,
    .rst_ni,
    .data_i(weight_base_q),
    .data_o(weights_released_o)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      weight_q      <= '0;
      weight_pass_q <= '0;
      weight_base_q <= '0;
      param_q       <= '0;
      param_base_q  <= '0;
    end else if (step) begin
      // Word of the next step: a block that is not the pass's last starts the pass's words again.
      if (tile_end && ctx_q.keep) weight_q <= weight_base_q;
      else if (block_end && !pass_end && !ctx_q.stream) weight_q <= weight_pass_q;
      else weight_q <= weight_next;
      // First word of the pass.
      if (tile_end && ctx_q.keep) weight_pass_q <= weight_base_q;
      else if (pass_end) weight_pass_q <= weight_next;
      // Words given back.
      if (ctx_q.stream || (pass_end && !ctx_q.keep)) weight_base_q <= weight_next;

      if (tile_end && ctx_q.keep) param_q <= param_base_q;
      else if (pass_end) param_q <= param_q + 1'b1;
      if (pass_end && !ctx_q.keep) param_base_q <= param_q + 1'b1;
    end
  end

  //////////////////////////
  // Halves of the buffers //
  //////////////////////////

  logic [1:0] act_full_q, out_free_q;
  logic tile_open_q, group_open_q;
  logic act_half_q, out_half_q;
  logic act_take, out_take;
  logic [15:0] out_word_q, out_word;

  assign act_take = step && !tile_open_q;
  assign out_take = step && ctx_q.take && !group_open_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      act_full_q   <= 2'd0;
      out_free_q   <= 2'd2;
      tile_open_q  <= 1'b0;
      group_open_q <= 1'b0;
      act_half_q   <= 1'b0;
      out_half_q   <= 1'b0;
    end else begin
      act_full_q <= act_full_q + 2'(act_full_i) - 2'(act_take);
      out_free_q <= out_free_q + 2'(out_freed_i) - 2'(out_take);
      if (step) begin
        tile_open_q <= !tile_end;
        if (tile_end) act_half_q <= !act_half_q;
        group_open_q <= (group_open_q || ctx_q.take) && !(pass_end && ctx_q.hand_over);
        if (pass_end && ctx_q.hand_over) out_half_q <= !out_half_q;
      end
    end
  end

  // A half of the skip buffer goes with one of the output buffer, in tiles that have a sum.
  logic skip_there, skip_half;

  if (Sums) begin : gen_skip
    logic [1:0] skip_full_q;
    logic skip_half_q, skip_take;

    assign skip_take  = out_take && ctx_q.add.enable;
    assign skip_there = !(ctx_q.add.enable && ctx_q.take && !group_open_q) || skip_full_q != '0;
    assign skip_half  = skip_half_q;

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        skip_full_q <= '0;
        skip_half_q <= 1'b0;
      end else begin
        skip_full_q <= skip_full_q + 2'(skip_full_i) - 2'(skip_take);
        if (step && pass_end && ctx_q.hand_over && ctx_q.add.enable) skip_half_q <= !skip_half_q;
      end
    end

    // Halves never exceed two.
    `FLEX_ASSERT(SkipHalves, !(skip_full_q == 2'd2 && skip_full_i && !skip_take))
  end else begin : gen_no_skip
    logic unused_skip;
    assign unused_skip = skip_full_i;
    assign skip_there  = 1'b1;
    assign skip_half   = 1'b0;
  end

  sum_t sum;
  always_comb begin
    sum      = ctx_q.add;
    sum.half = skip_half;
  end

  // Blocks of a pass go to consecutive words.
  logic pass_started_q;
  assign out_word = pass_started_q ? out_word_q : ctx_q.out_base;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      pass_started_q <= 1'b0;
    end else if (step && block_end) begin
      pass_started_q <= !pass_end;
    end
    if (step && block_end) out_word_q <= out_word + 1'b1;
  end

  //////////////
  // Decision //
  //////////////

  localparam int unsigned DrainWidth = $clog2(DrainCycles + 1);
  logic [DrainWidth-1:0] drain_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      drain_q <= '0;
    end else if (step && block_end) begin
      drain_q <= DrainWidth'(DrainCycles - 1);
    end else if (drain_q != '0) begin
      drain_q <= drain_q - 1'b1;
    end
  end

  // What a step may wait for; simulation accounts for every cycle by these names.
  logic wait_window, wait_weights, wait_params, wait_skip, wait_output, wait_drain;
  assign wait_window  = !tile_open_q && act_full_q == '0;
  assign wait_weights = weights_written_i == weight_q;
  assign wait_params  = params_written_i == param_q;
  assign wait_skip    = !skip_there;
  assign wait_output  = ctx_q.take && !group_open_q && out_free_q == '0;
  assign wait_drain   = block_end && drain_q != '0;

  logic inputs_ok, outputs_ok;
  assign inputs_ok  = !wait_window && !wait_weights && !wait_params && !wait_skip;
  assign outputs_ok = !wait_output && !wait_drain;
  assign step       = cur_valid_q && inputs_ok && outputs_ok;

  assign busy_o     = step;
  assign starved_o  = cur_valid_q && !inputs_ok;
  assign blocked_o  = cur_valid_q && inputs_ok && !outputs_ok;

  /////////////
  // Outputs //
  /////////////

  logic freed;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      step_valid_o  <= 1'b0;
      block_valid_o <= 1'b0;
      freed         <= 1'b0;
    end else begin
      step_valid_o  <= step;
      block_valid_o <= step && block_end;
      freed         <= step && tile_end;
    end
  end

  always_ff @(posedge clk_i) begin
    step_first_o <= cur_q.list_first;
    step_last_o <= block_end;
    step_shift_o <= Wide && cur_q.shift;
    act_addr_o <= {act_half_q, cur_q.word[ActAddrWidth-2:0]};
    act_rotation_o <= cur_q.rotation;
    weight_addr_o <= weight_q[WeightAddrWidth-1:0];
    block_data_o <= '{
        add: sum,
        param_pass: param_q,
        out_half: out_half_q,
        out_addr: out_word,
        out_plane_words: ctx_q.out_plane_words,
        out_byte: ctx_q.out_byte,
        word_channels: ctx_q.word_channels,
        zero_point: ctx_q.zero_point,
        low: ctx_q.low,
        high: ctx_q.high,
        wide: Wide ? ctx_q.wide : '0,
        plane: Wide ? ctx_q.plane : PlaneWhole,
        lookup: '{enable: ctx_q.look_up, half: ctx_q.table_half, last: tile_end},
        release_params: pass_end && !ctx_q.keep,
        hand_over: pass_end && ctx_q.hand_over
    };
  end

  // A freed half may be written while its last reads are on their way to the RAM.
  flex_delay #(
    .Width (1),
    .Cycles(ColumnReadLatency),
    .Reset (1'b1)
  ) u_freed (
    .clk_i,
    .rst_ni,
    .data_i(freed),
    .data_o(act_freed_o)
  );

  if (ActAddrWidth < 17) begin : gen_unused_word
    logic unused_word;
    assign unused_word = ^cur_q.word[15:ActAddrWidth-1];
    // A step stays within the half.
    `FLEX_ASSERT(WordInHalf, step |-> cur_q.word[15:ActAddrWidth-1] == '0)
  end

  // A pass's context comes before the pass's first run.
  `FLEX_ASSERT(ContextBeforeRun, context_out_ready |-> context_out_valid)
  // Halves never exceed two.
  `FLEX_ASSERT(ActHalves, act_full_q <= 2'd2 && !(act_full_q == 2'd2 && act_full_i && !act_take))
  `FLEX_ASSERT(OutHalves, out_free_q <= 2'd2 && !(out_free_q == 2'd2 && out_freed_i && !out_take))
  // A pass writes only into a half that it or an earlier pass has taken.
  `FLEX_ASSERT(GroupOpen, step |-> group_open_q || ctx_q.take)
  // A half is taken once.
  `FLEX_ASSERT(TakenOnce,
               step && ctx_q.take && cur_q.pass_first && cur_q.list_first |-> !group_open_q)
  // Kept weights are not streamed.
  `FLEX_ASSERT(KeepOrStream, step |-> !(ctx_q.keep && ctx_q.stream))

endmodule
