// SPDX-License-Identifier: Apache-2.0
//
// Control of the versatile systolic array: turns array records into one reduction step per cycle.
//
// A step reads one word of every activation bank and one weight word. It is issued only when everything it needs is
// there and everything it leads to has room, so that nothing behind this module ever stalls:
//   - the tile's half of the activation buffer is full,
//   - the weight word and the pass's parameters are in their rings,
//   - the pass has its half of the output buffer,
//   - the last step of a block comes DrainCycles or more after the previous block's.
// Throughput: one step per cycle across entries, blocks, passes and tiles. Latency: 1 cycle from decision to outputs.

`include "flex_assert.svh"

module flex_sequencer
  import flex_pkg::*;
  import flex_program_pkg::*;
#(
  // Words per half of the activation buffer; a power of two.
  parameter  int unsigned ActWords         = 1024,
  // Words of the weight ring; a power of two.
  parameter  int unsigned WeightWords      = 512,
  // Entries per half of the list memory; a power of two.
  parameter  int unsigned ListEntries      = 512,
  // Length of a drain chain, M/Q: cycles in which a block leaves the array.
  parameter  int unsigned DrainCycles      = 4,
  // Cycles from a step until the weight buffer has read its last row.
  parameter  int unsigned WeightReadCycles = 16,
  localparam int unsigned ActAddrWidth     = $clog2(2 * ActWords),
  localparam int unsigned WeightAddrWidth  = $clog2(WeightWords)
) (
  input  logic                         clk_i,
  input  logic                         rst_ni,
  // Array records
  input  logic   [       WordBits-1:0] cmd_data_i,
  input  logic                         cmd_valid_i,
  output logic                         cmd_ready_o,
  // Activation buffer halves
  input  logic                         act_full_i,
  output logic                         act_freed_o,
  // Rings
  input  logic   [     CountWidth-1:0] weights_written_i,
  output logic   [     CountWidth-1:0] weights_released_o,
  input  logic   [     CountWidth-1:0] params_written_i,
  // Output buffer halves
  input  logic                         out_freed_i,
  // Step
  output logic                         step_valid_o,
  output logic                         step_first_o,
  output logic                         step_last_o,
  output logic   [   ActAddrWidth-1:0] act_addr_o,
  output logic   [                7:0] act_rotation_o,
  output logic   [WeightAddrWidth-1:0] weight_addr_o,
  // Blocks for the requantiser, one per last step; never refused
  output block_t                       block_data_o,
  output logic                         block_valid_o,
  // Performance counters
  output logic                         busy_o,
  output logic                         starved_o,
  output logic                         blocked_o,
  // Unknown record
  output logic                         error_o
);

  `FLEX_ASSERT_INIT(ActWordsPowerOfTwo, (ActWords & (ActWords - 1)) == 0 && ActWords <= 65536)
  `FLEX_ASSERT_INIT(WeightWordsPowerOfTwo, (WeightWords & (WeightWords - 1)) == 0)
  `FLEX_ASSERT_INIT(WeightWordsFit, WeightWords <= 16384)

  localparam int unsigned ListAddrWidth = $clog2(2 * ListEntries);

  ////////////
  // Parser //
  ////////////

  typedef enum logic [2:0] {
    StHeader,
    StLists,
    StTile0,
    StTile1,
    StPasses,
    StError
  } parser_e;

  parser_e parser_q, parser_d;
  header_t header;
  logic [15:0] words_left_q, words_left_d;
  logic [WordBits-1:0] tile_word_q;
  logic list_half_q, list_half_d;
  logic [ListAddrWidth-2:0] list_index_q, list_index_d;
  logic list_wr_en;

  array_tile_t tile_in, tile_out;
  logic tile_half;
  logic tile_in_valid, tile_in_ready, tile_out_valid, tile_out_ready;
  pass_t pass_out;
  logic pass_in_valid, pass_in_ready, pass_out_valid, pass_out_ready;
  logic cmd_fire;

  logic [1:0] tiles_waiting_q;

  assign header   = cmd_data_i;
  assign tile_in  = {cmd_data_i, tile_word_q};
  assign cmd_fire = cmd_valid_i && cmd_ready_o;

  always_comb begin
    parser_d      = parser_q;
    words_left_d  = words_left_q;
    list_half_d   = list_half_q;
    list_index_d  = list_index_q;
    cmd_ready_o   = 1'b0;
    list_wr_en    = 1'b0;
    tile_in_valid = 1'b0;
    pass_in_valid = 1'b0;
    error_o       = 1'b0;
    unique case (parser_q)
      StHeader: begin
        // Lists overwrite the half that the tile before the current one used: the reader must have taken all tiles.
        cmd_ready_o  = !(header.kind == ArrayListsKind && tiles_waiting_q != '0);
        words_left_d = header.words - 1'b1;
        if (cmd_fire) begin
          if (header.kind == ArrayListsKind && header.words != '0) begin
            parser_d     = StLists;
            list_half_d  = !list_half_q;
            list_index_d = '0;
          end else if (header.kind == ArrayTileKind && header.words == 16'(ArrayTileWords)) begin
            parser_d = StTile0;
          end else if (header.kind == ArrayPassesKind && header.words != '0) begin
            parser_d = StPasses;
          end else begin
            parser_d = StError;
          end
        end
      end
      StLists: begin
        cmd_ready_o = 1'b1;
        list_wr_en  = cmd_fire;
        if (cmd_fire) begin
          list_index_d = list_index_q + 1'b1;
          words_left_d = words_left_q - 1'b1;
          if (words_left_q == '0) parser_d = StHeader;
        end
      end
      StTile0: begin
        cmd_ready_o = 1'b1;
        if (cmd_fire) parser_d = StTile1;
      end
      StTile1: begin
        cmd_ready_o   = tile_in_ready;
        tile_in_valid = cmd_valid_i;
        if (cmd_fire) parser_d = StHeader;
      end
      StPasses: begin
        cmd_ready_o   = pass_in_ready;
        pass_in_valid = cmd_valid_i;
        if (cmd_fire) begin
          words_left_d = words_left_q - 1'b1;
          if (words_left_q == '0) parser_d = StHeader;
        end
      end
      StError: begin
        // The run is lost; swallow what follows so that the fetch unit can finish.
        cmd_ready_o = 1'b1;
        error_o     = 1'b1;
      end
      default: parser_d = StError;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      parser_q        <= StHeader;
      list_half_q     <= 1'b0;
      tiles_waiting_q <= '0;
    end else begin
      parser_q <= parser_d;
      list_half_q <= list_half_d;
      tiles_waiting_q <= tiles_waiting_q + 2'(tile_in_valid && tile_in_ready) -
          2'(tile_out_valid && tile_out_ready);
    end
  end

  always_ff @(posedge clk_i) begin
    words_left_q <= words_left_d;
    list_index_q <= list_index_d;
    if (parser_q == StTile0 && cmd_fire) tile_word_q <= cmd_data_i;
  end

  logic [1:0] unused_tile_level;
  logic [4:0] unused_pass_level;

  flex_stream_fifo #(
    .Width($bits(array_tile_t) + 1),
    .Depth(2)
  ) u_tiles (
    .clk_i,
    .rst_ni,
    .in_data_i  ({list_half_q, tile_in}),
    .in_valid_i (tile_in_valid),
    .in_ready_o (tile_in_ready),
    .out_data_o ({tile_half, tile_out}),
    .out_valid_o(tile_out_valid),
    .out_ready_i(tile_out_ready),
    .level_o    (unused_tile_level)
  );

  flex_stream_fifo #(
    .Width(WordBits),
    .Depth(16)
  ) u_passes (
    .clk_i,
    .rst_ni,
    .in_data_i  (cmd_data_i),
    .in_valid_i (pass_in_valid),
    .in_ready_o (pass_in_ready),
    .out_data_o (pass_out),
    .out_valid_o(pass_out_valid),
    .out_ready_i(pass_out_ready),
    .level_o    (unused_pass_level)
  );

  ////////////////
  // List reads //
  ////////////////

  logic list_rd_en;
  logic [ListAddrWidth-1:0] list_rd_addr;
  list_entry_t list_rd_data;

  flex_ram_sdp #(
    .Width    (WordBits),
    .Depth    (2 * ListEntries),
    .LaneWidth(WordBits)
  ) u_lists (
    .clk_i,
    .wr_en_i  (list_wr_en),
    .wr_addr_i({list_half_q, list_index_q}),
    .wr_data_i(cmd_data_i),
    .rd_en_i  (list_rd_en),
    .rd_addr_i(list_rd_addr),
    .rd_data_o(list_rd_data)
  );

  pass_context_t context_in, context_out;
  logic context_in_valid, context_in_ready, context_out_valid, context_out_ready;
  step_run_t run;
  logic run_valid, run_ready;

  flex_list_reader #(
    .ListEntries(ListEntries)
  ) u_reader (
    .clk_i,
    .rst_ni,
    .tile_data_i    (tile_out),
    .tile_half_i    (tile_half),
    .tile_valid_i   (tile_out_valid),
    .tile_ready_o   (tile_out_ready),
    .pass_data_i    (pass_out),
    .pass_valid_i   (pass_out_valid),
    .pass_ready_o   (pass_out_ready),
    .list_rd_en_o   (list_rd_en),
    .list_rd_addr_o (list_rd_addr),
    .list_rd_data_i (list_rd_data),
    .context_data_o (context_in),
    .context_valid_o(context_in_valid),
    .context_ready_i(context_in_ready),
    .run_data_o     (run),
    .run_valid_o    (run_valid),
    .run_ready_i    (run_ready)
  );

  logic [2:0] unused_context_level;

  flex_stream_fifo #(
    .Width($bits(pass_context_t)),
    .Depth(4)
  ) u_contexts (
    .clk_i,
    .rst_ni,
    .in_data_i  (context_in),
    .in_valid_i (context_in_valid),
    .in_ready_o (context_in_ready),
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
  assign load_run          = run_valid && (!cur_valid_q || (step && run_end));
  assign run_ready         = !cur_valid_q || (step && run_end);
  assign context_out_ready = load_run && run.pass_first;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      cur_valid_q <= 1'b0;
    end else if (run_ready) begin
      cur_valid_q <= run_valid;
    end
  end

  always_ff @(posedge clk_i) begin
    if (load_run) begin
      cur_q <= run;
      if (run.pass_first) ctx_q <= context_out;
    end else if (step) begin
      cur_q.word       <= cur_q.word + ctx_q.plane_words;
      cur_q.steps_left <= cur_q.steps_left - 1'b1;
      cur_q.list_first <= 1'b0;
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

  logic inputs_ok, outputs_ok;
  assign inputs_ok = (tile_open_q || act_full_q != '0) && weights_written_i != weight_q &&
      params_written_i != param_q;
  assign outputs_ok = (group_open_q || out_free_q != '0 || !ctx_q.take) &&
      !(block_end && drain_q != '0);
  assign step = cur_valid_q && inputs_ok && outputs_ok;

  assign busy_o = step;
  assign starved_o = cur_valid_q && !inputs_ok;
  assign blocked_o = cur_valid_q && inputs_ok && !outputs_ok;

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
    act_addr_o <= {act_half_q, cur_q.word[ActAddrWidth-2:0]};
    act_rotation_o <= cur_q.rotation;
    weight_addr_o <= weight_q[WeightAddrWidth-1:0];
    block_data_o <= '{
        param_pass: param_q,
        out_half: out_half_q,
        out_addr: out_word,
        out_plane_words: ctx_q.out_plane_words,
        out_byte: ctx_q.out_byte,
        zero_point: ctx_q.zero_point,
        low: ctx_q.low,
        high: ctx_q.high,
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

  logic unused_header;
  assign unused_header = ^{header.engine, header.unused_0};

  // The reader sends a pass's context before the pass's first run.
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
