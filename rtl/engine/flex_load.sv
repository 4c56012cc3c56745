// SPDX-License-Identifier: Apache-2.0
//
// Fills the halves of the activation buffer with the input windows of tiles, padding included.
//
// Two processes share each record. The requester asks for a tile's rows as soon as the tiles that
// it depends on are stored, at most one tile ahead; flex_load_walker goes over the tile in a free
// half and hands beat after beat to flex_load_scatter, which writes. See docs/rtl/load.md. With
// window taps memory's beats pass through flex_window on their way.
//
// Throughput: one beat per cycle while its pixels fall into different banks, without bubbles
// between rows, planes and tiles; one request per cycle. Latency: 2 cycles from a memory beat to
// its first write, 13 from a record's header to its first request.
// Limits: beats of one request below 2^24; see also flex_load_walker.

`include "flex_assert.svh"

module flex_load
  import flex_load_pkg::*;
  import flex_pkg::*;
  import flex_program_pkg::*;
  import flex_window_pkg::*;
#(
  // Banks of the buffer, 1..16.
  parameter  int unsigned P              = 8,
  // Bytes of a pixel; a power of two.
  parameter  int unsigned N              = 8,
  // Bytes of a beat; a power of two, 1..32 pixels.
  parameter  int unsigned DataBytes      = 64,
  // Column phases of a tile at most, 1..4; a core for smaller strides is smaller.
  parameter  int unsigned ColumnPhases   = 4,
  // Cores that work together, 1..MaxCores.
  parameter  int unsigned Cores          = 1,
  // Words per bank and half; a power of two, at most 65536.
  parameter  int unsigned ActWords       = 1024,
  // Whose records these are.
  parameter  engine_e     Engine         = EngineLoad,
  // Activations may have 16 bits.
  parameter  bit          Wide           = 1'b0,
  // Taps of the window engine, 9 or 1; 0 without one. The rest as in flex_window.
  parameter  int unsigned WindowTaps     = 0,
  parameter  int unsigned WindowBeats    = 512,
  parameter  int unsigned WindowChannels = 1024,
  parameter  bit          Packed         = 1'b1,
  parameter  bit          Slopes         = 1'b0,
  // Multipliers of the part take 18x18 bits, see flex_product.
  parameter  bit          SplitProducts  = 1'b0,
  localparam int unsigned AddrWidth      = $clog2(2 * ActWords)
) (
  input  logic                                  clk_i,
  input  logic                                  rst_ni,
  // Records
  input  logic [   WordBits-1:0]                cmd_data_i,
  input  logic                                  cmd_valid_i,
  output logic                                  cmd_ready_o,
  // Stored tiles, modulo 2^32
  input  logic [           31:0]                tiles_done_i,
  // The same of every core, modulo 2^16
  input  logic [      Cores-1:0][         15:0] cores_done_i,
  // Memory
  output logic [OffsetWidth-1:0]                req_addr_o,
  output logic [ BeatsWidth-1:0]                req_beats_o,
  output logic                                  req_valid_o,
  input  logic                                  req_ready_i,
  input  logic [DataBytes*8-1:0]                data_data_i,
  input  logic                                  data_valid_i,
  output logic                                  data_ready_o,
  // Activation buffer
  output logic [          P-1:0]                wr_en_o,
  output logic [          P-1:0][AddrWidth-1:0] wr_addr_o,
  output logic [          P-1:0][      N*8-1:0] wr_data_o,
  // Pulses: a half is completely written; the array has freed the older half
  output logic                                  full_o,
  input  logic                                  freed_i,
  // Performance counters
  output logic                                  busy_o,
  output logic                                  starved_o,
  output logic                                  blocked_o
);

  localparam int unsigned B = DataBytes / N;
  localparam bit Window = WindowTaps != 0;

  ////////////////////////////////////////////////////////////////
  // Records
  ////////////////////////////////////////////////////////////////

  `FLEX_ASSERT_INIT(CoresInRange, Cores >= 1 && Cores <= MaxCores)

  typedef enum logic [2:0] {
    RecordHeader,
    RecordWindow,
    RecordBody,
    RecordDecode,
    RecordPlanes,
    RecordCounts,
    RecordSettle,
    RecordWait
  } record_e;

  record_e record_d, record_q;
  logic [2:0] index_d, index_q;  // word of the body
  logic [LoadTileWords-1:0][WordBits-1:0] body_q;
  load_tile_t tile;
  logic tile_valid_d, tile_valid_q, tile_ready;  // the walker has yet to take the tile
  logic memory_q;  // the tile has rows to read
  logic [15:0] planes_left_d, planes_left_q;  // plane words to come
  logic plane_ready, plane_take;
  header_t header;
  logic window_record;  // the header is that of a window layer
  logic [15:0] words_left_q;  // of a window record
  logic param_ready, window_tile_ready;
  logic memory;  // as memory_q, in decode

  load_wait_t wait_q;  // what the cores must have stored
  logic reached_q;  // and whether they have
  logic unused_record;

  assign header        = header_t'(cmd_data_i);
  assign unused_record = ^{header, wait_q};
  assign window_record = Window && header.kind == WindowKind;

  assign tile          = load_tile_t'(body_q);
  assign memory        = tile.mem_rows != '0 && tile.mem_cols != '0 && tile.row_beats != '0;
  assign plane_take    = record_q == RecordPlanes && cmd_valid_i && plane_ready;

  always_comb begin
    record_d      = record_q;
    index_d       = index_q;
    planes_left_d = planes_left_q;
    tile_valid_d  = tile_valid_q && !tile_ready;
    cmd_ready_o   = 1'b0;
    unique case (record_q)
      RecordHeader: begin
        // The body is kept until the walker has taken it.
        cmd_ready_o = !tile_valid_q || window_record;
        index_d     = '0;
        if (cmd_valid_i && cmd_ready_o) begin
          unique case (header.kind)
            WindowKind:   record_d = RecordWindow;
            LoadWaitKind: record_d = RecordCounts;
            default:      record_d = RecordBody;
          endcase
        end
      end
      RecordWindow: begin
        cmd_ready_o = param_ready;
        if (cmd_valid_i && param_ready && words_left_q == 16'd1) record_d = RecordHeader;
      end
      RecordBody: begin
        cmd_ready_o = 1'b1;
        if (cmd_valid_i) begin
          index_d = index_q + 3'd1;
          if (32'(index_q) == LoadTileWords - 1) record_d = RecordDecode;
        end
      end
      RecordDecode: begin
        planes_left_d = tile.planes;
        if (window_tile_ready) begin
          tile_valid_d = 1'b1;
          record_d     = tile.planes == '0 ? RecordHeader : RecordPlanes;
        end
      end
      RecordPlanes: begin
        cmd_ready_o = plane_ready;
        if (plane_take) begin
          planes_left_d = planes_left_q - 16'd1;
          if (planes_left_q == 16'd1) record_d = RecordHeader;
        end
      end
      RecordCounts: begin
        cmd_ready_o = 1'b1;
        if (cmd_valid_i) record_d = RecordSettle;
      end
      RecordSettle: record_d = RecordWait;
      RecordWait:   if (reached_q) record_d = RecordHeader;
      default:      record_d = RecordHeader;
    endcase
  end

  // As signed differences; counts of cores that are not there do not count.
  always_ff @(posedge clk_i) begin
    if (record_q == RecordCounts && cmd_valid_i) wait_q <= load_wait_t'(cmd_data_i);
    reached_q <= 1'b1;
    for (int unsigned c = 0; c < Cores; c++) begin
      if (cores_done_i[c] - wait_q.core_tiles[c] >= 16'h8000) reached_q <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      record_q     <= RecordHeader;
      tile_valid_q <= 1'b0;
    end else begin
      record_q     <= record_d;
      tile_valid_q <= tile_valid_d;
    end
  end

  always_ff @(posedge clk_i) begin
    index_q       <= index_d;
    planes_left_q <= planes_left_d;
    if (record_q == RecordBody && cmd_valid_i) body_q[index_q] <= cmd_data_i;
    if (record_q == RecordDecode) memory_q <= memory;
    if (record_q == RecordHeader) words_left_q <= header.words;
    else if (cmd_valid_i && cmd_ready_o) words_left_q <= words_left_q - 16'd1;
  end

  ////////////////////////////////////////////////////////////////
  // Requester: one request per row, or per plane when its rows are contiguous
  ////////////////////////////////////////////////////////////////

  plane_t plane;
  logic unused_plane;
  logic [31:0] ahead;
  logic stored_q;  // the tiles that the record waits for are stored
  logic [BeatsWidth-1:0] addend_q, product_q;  // beats of a contiguous plane, bit by bit
  logic [15:0] rows_to_add_q;
  logic req_valid_d, req_valid_q;
  logic [OffsetWidth-1:0] req_addr_d, req_addr_q;
  logic [BeatsWidth-1:0] req_beats_d, req_beats_q;
  logic [31:0] pitch_d, pitch_q;
  logic [15:0] rows_left_d, rows_left_q;  // requests of the plane after this one

  assign plane        = plane_t'(cmd_data_i);
  assign unused_plane = ^plane.unused_0;
  assign ahead        = tiles_done_i - tile.wait_tiles;  // as a signed difference

  // The product is started by word 1, which brings mem_rows; word 0 has brought row_beats.
  always_ff @(posedge clk_i) begin
    stored_q <= ahead < 32'h8000_0000;
    if (record_q == RecordBody && index_q == 3'd1) begin
      addend_q      <= BeatsWidth'(tile.row_beats);
      rows_to_add_q <= cmd_data_i[47:32];
      product_q     <= '0;
    end else begin
      addend_q      <= addend_q << 1;
      rows_to_add_q <= rows_to_add_q >> 1;
      if (rows_to_add_q[0]) product_q <= product_q + addend_q;
    end
  end

  assign plane_ready = !memory_q || (stored_q && (!tile.contiguous || rows_to_add_q == '0) &&
      (!req_valid_q || (req_ready_i && rows_left_q == '0)));

  always_comb begin
    req_valid_d = req_valid_q;
    req_addr_d  = req_addr_q;
    req_beats_d = req_beats_q;
    pitch_d     = pitch_q;
    rows_left_d = rows_left_q;
    if (req_valid_q && req_ready_i) begin
      req_valid_d = rows_left_q != '0;
      req_addr_d  = req_addr_q + OffsetWidth'(pitch_q);
      rows_left_d = rows_left_q - 16'd1;
    end
    if (plane_take && memory_q) begin
      req_valid_d = 1'b1;
      req_addr_d  = plane.address;
      req_beats_d = tile.contiguous ? product_q : BeatsWidth'(tile.row_beats);
      pitch_d     = tile.row_pitch;
      rows_left_d = tile.contiguous ? 16'd0 : tile.mem_rows - 16'd1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      req_valid_q <= 1'b0;
    end else begin
      req_valid_q <= req_valid_d;
    end
  end

  always_ff @(posedge clk_i) begin
    req_addr_q  <= req_addr_d;
    req_beats_q <= req_beats_d;
    pitch_q     <= pitch_d;
    rows_left_q <= rows_left_d;
  end

  assign req_valid_o = req_valid_q;
  assign req_addr_o  = req_addr_q;
  assign req_beats_o = req_beats_q;

  ////////////////////////////////////////////////////////////////
  // Window: what the writer sees of memory
  ////////////////////////////////////////////////////////////////

  load_tile_t walked;  // the tile as if memory held the engine's output
  logic [DataBytes*8-1:0] beat_data;
  logic beat_data_valid, beat_data_ready;

  if (Window) begin : gen_window

    window_tile_t window_tile;
    logic window_tile_valid;
    logic [15:0] out_rows_d, out_rows_q, out_beats_d, out_beats_q;
    logic [16:0] rows, beats;

    // Beats that pass as they are have no geometry of a window.
    always_comb begin
      window_tile        = '0;
      window_tile.planes = tile.planes;
      window_tile.rows   = tile.mem_rows;
      window_tile.beats  = tile.row_beats;
      if (tile.window) begin
        window_tile.window      = 1'b1;
        window_tile.extra_rows  = tile.extra_rows;
        window_tile.extra_beats = tile.extra_beats;
        window_tile.first_row   = tile.first_row;
        window_tile.drop_beats  = tile.drop_beats;
        window_tile.tail_lanes  = tile.tail_lanes;
        window_tile.odd         = tile.odd;
        window_tile.step_rows   = tile.step_rows;
        window_tile.step_cols   = tile.step_cols;
      end
    end

    // Every other row from the first on; beats of every other column, or of a pixel in every other.
    always_comb begin
      rows  = 17'(tile.mem_rows) + 17'(tile.extra_rows) - 17'(tile.first_row);
      beats = 17'(tile.row_beats) + 17'(tile.extra_beats);
      if (tile.step_rows) rows = (rows + 17'd1) >> 1;
      if (tile.step_cols) beats = (beats + 17'(B > 1 || !tile.odd)) >> 1;
      out_rows_d  = rows[15:0];
      out_beats_d = beats[15:0] - 16'(tile.drop_beats);
    end

    always_ff @(posedge clk_i) begin
      if (record_q == RecordDecode) begin
        out_rows_q  <= out_rows_d;
        out_beats_q <= out_beats_d;
      end
    end

    always_comb begin
      walked = tile;
      if (tile.window && memory_q) begin
        walked.mem_rows  = out_rows_q;
        walked.row_beats = out_beats_q;
      end
    end

    assign window_tile_valid = record_q == RecordDecode && memory && tile.planes != '0;

    logic window_ready;
    assign window_tile_ready = window_ready || !window_tile_valid;

    flex_window #(
      .N            (N),
      .DataBytes    (DataBytes),
      .Taps         (WindowTaps),
      .Packed       (Packed),
      .Slopes       (Slopes),
      .LineBeats    (WindowBeats),
      .Channels     (WindowChannels),
      .SplitProducts(SplitProducts)
    ) u_window (
      .clk_i,
      .rst_ni,
      .param_data_i (cmd_data_i),
      .param_valid_i(record_q == RecordWindow && cmd_valid_i),
      .param_ready_o(param_ready),
      .tile_data_i  (window_tile),
      .tile_valid_i (window_tile_valid),
      .tile_ready_o (window_ready),
      .in_data_i    (data_data_i),
      .in_valid_i   (data_valid_i),
      .in_ready_o   (data_ready_o),
      .out_data_o   (beat_data),
      .out_valid_o  (beat_data_valid),
      .out_ready_i  (beat_data_ready)
    );

    // A row of windows has no more than 16 bits say, and wanted beats follow those dropped.
    `FLEX_ASSERT(WindowCountable,
                 window_tile_valid && tile.window |-> rows[16] == 1'b0 &&
                                  beats[16] == 1'b0 && beats > 17'(tile.drop_beats))

  end else begin : gen_no_window

    logic unused_window;

    assign walked = tile;
    assign param_ready = 1'b0;
    assign window_tile_ready = 1'b1;
    assign beat_data = data_data_i;
    assign beat_data_valid = data_valid_i;
    assign data_ready_o = beat_data_ready;
    assign unused_window     = ^{
        tile.window,
        tile.extra_rows,
        tile.extra_beats,
        tile.first_row,
        tile.drop_beats,
        tile.tail_lanes,
        tile.odd,
        tile.step_rows,
        tile.step_cols
    };

    // Such tiles and layers need the engine.
    `FLEX_ASSERT(NoWindow, record_q == RecordDecode |-> !tile.window)

  end

  ////////////////////////////////////////////////////////////////
  // Writer
  ////////////////////////////////////////////////////////////////

  shape_t shape;
  logic shape_valid, shape_ready;
  logic [1:0] beat_stride, beat_phase;
  logic [3:0] beat_bank;
  logic [15:0] beat_word;
  logic [3:0][3:0] beat_rot;
  logic [3:0][15:0] beat_base;
  logic [B-1:0] beat_mask, beat_mem_mask;
  logic [7:0] beat_pad;
  logic beat_mem, beat_half, beat_last, beat_valid, beat_ready;
  logic walker_busy, scatter_busy;

  flex_load_prepare #(
    .P           (P),
    .N           (N),
    .DataBytes   (DataBytes),
    .ColumnPhases(ColumnPhases),
    .Wide        (Wide)
  ) u_prepare (
    .clk_i,
    .rst_ni,
    .tile_data_i  (walked),
    .tile_valid_i (tile_valid_q),
    .tile_ready_o (tile_ready),
    .shape_data_o (shape),
    .shape_valid_o(shape_valid),
    .shape_ready_i(shape_ready)
  );

  flex_load_walker #(
    .P           (P),
    .N           (N),
    .DataBytes   (DataBytes),
    .ColumnPhases(ColumnPhases)
  ) u_walker (
    .clk_i,
    .rst_ni,
    .shape_data_i   (shape),
    .shape_valid_i  (shape_valid),
    .shape_ready_o  (shape_ready),
    .freed_i,
    .beat_stride_o  (beat_stride),
    .beat_phase_o   (beat_phase),
    .beat_bank_o    (beat_bank),
    .beat_word_o    (beat_word),
    .beat_rot_o     (beat_rot),
    .beat_base_o    (beat_base),
    .beat_mask_o    (beat_mask),
    .beat_mem_mask_o(beat_mem_mask),
    .beat_mem_o     (beat_mem),
    .beat_pad_o     (beat_pad),
    .beat_half_o    (beat_half),
    .beat_last_o    (beat_last),
    .beat_valid_o   (beat_valid),
    .beat_ready_i   (beat_ready),
    .busy_o         (walker_busy),
    .blocked_o
  );

  flex_load_scatter #(
    .P           (P),
    .N           (N),
    .DataBytes   (DataBytes),
    .ActWords    (ActWords),
    .ColumnPhases(ColumnPhases)
  ) u_scatter (
    .clk_i,
    .rst_ni,
    .beat_stride_i  (beat_stride),
    .beat_phase_i   (beat_phase),
    .beat_bank_i    (beat_bank),
    .beat_word_i    (beat_word),
    .beat_rot_i     (beat_rot),
    .beat_base_i    (beat_base),
    .beat_mask_i    (beat_mask),
    .beat_mem_mask_i(beat_mem_mask),
    .beat_mem_i     (beat_mem),
    .beat_pad_i     (beat_pad),
    .beat_half_i    (beat_half),
    .beat_last_i    (beat_last),
    .beat_valid_i   (beat_valid),
    .beat_ready_o   (beat_ready),
    .data_data_i    (beat_data),
    .data_valid_i   (beat_data_valid),
    .data_ready_o   (beat_data_ready),
    .wr_en_o,
    .wr_addr_o,
    .wr_data_o,
    .full_o,
    .busy_o         (scatter_busy),
    .starved_o
  );

  assign busy_o = record_q != RecordHeader || tile_valid_q || req_valid_q || walker_busy ||
      scatter_busy;

  // A record and a beat offered stay put until they are taken.
  `FLEX_ASSERT(CommandStable, cmd_valid_i && !cmd_ready_o |=> cmd_valid_i && $stable(cmd_data_i))
  `FLEX_ASSERT(DataStable, data_valid_i && !data_ready_o |=> data_valid_i && $stable(data_data_i))
  // A request offered stays put until it is taken, and asks for something.
  `FLEX_ASSERT(RequestStable, req_valid_o && !req_ready_i |=> req_valid_o && $stable
                              ({req_addr_o, req_beats_o}))
  `FLEX_ASSERT(RequestNotEmpty, req_valid_o |-> req_beats_o != '0)
  // Rows start at beats.
  `FLEX_ASSERT(RequestAligned, req_valid_o |-> 32'(req_addr_o) % DataBytes == 0)
  // Only records of this engine come here.
  logic is_header, header_known;
  assign is_header = record_q == RecordHeader && cmd_valid_i;
  assign header_known = header.kind == LoadTileKind || header.kind == LoadWaitKind || window_record;
  `FLEX_ASSERT(RecordKnown, is_header |-> header.engine == Engine && header_known)
  // The beats of a contiguous plane can be counted, and its rows are as long as their pitch.
  logic check_plane;
  logic [31:0] plane_beats, row_bytes;
  assign check_plane = record_q == RecordDecode && tile.contiguous;
  assign plane_beats = 32'(tile.mem_rows) * 32'(tile.row_beats);
  assign row_bytes   = 32'(tile.row_beats) * DataBytes;
  `FLEX_ASSERT(PlaneCountable, check_plane |-> plane_beats < 32'd1 << BeatsWidth)
  `FLEX_ASSERT(PlaneGapless, check_plane && tile.mem_rows > 16'd1 |-> tile.row_pitch == row_bytes)

endmodule
