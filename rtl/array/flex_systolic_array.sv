// SPDX-License-Identifier: Apache-2.0
//
// Output-stationary systolic array of M x P processing elements of N lanes.
//
// A step multiplies P activation words with M weight words and adds the products to the
// accumulators of its block; from `step_first_i` to `step_last_i` a block may take any number of
// cycles. Row m and column group c (one column, packed two) work m + c cycles later than the first.
//
// Latency M + groups + min(N,8) + 4 cycles from `step_last_i` to the first of the L = M/Q cycles in
// which a block's accumulators are put out. One step per cycle, never stalls; last steps are at
// least L cycles apart. In cycle i of a block `out_acc_o[p][q]` is channel i*Q + q of pixel p, which
// is row q*L + L-1-i. Packed: every step adds -1024 per chain of 8 lanes.
// Wide: a step with `step_shift_i` multiplies what its block has summed before it by 256.

`include "flex_assert.svh"

module flex_systolic_array #(
  // Rows: output channels.
  parameter int unsigned M        = 8,
  // Columns: pixels.
  parameter int unsigned P        = 8,
  // Lanes: input channels; 1, 2, 4 or a multiple of 8.
  parameter int unsigned N        = 8,
  // Drain chains per column; divides M.
  parameter int unsigned Q        = 2,
  // Two columns share one multiplier, an odd last column has one for itself; N is at least 8.
  parameter bit          Packed   = 1'b1,
  // Accumulator bits.
  parameter int unsigned AccWidth = 32,
  // Steps may raise what their block has summed by 8 bits first.
  parameter bit          Wide     = 1'b0
) (
  input  logic                                clk_i,
  input  logic                                rst_ni,
  // A step and its activations; weights of row m come m cycles after the step
  input  logic                                step_valid_i,
  input  logic                                step_first_i,
  input  logic                                step_last_i,
  input  logic                                step_shift_i,
  input  logic [P-1:0][N*8-1:0]               x_i,
  input  logic [M-1:0][N*8-1:0]               w_i,
  // Accumulators
  output logic                                out_valid_o,
  output logic [P-1:0][  Q-1:0][AccWidth-1:0] out_acc_o
);

  `FLEX_ASSERT_INIT(ChainsDivideRows, Q > 0 && M % Q == 0)
  `FLEX_ASSERT_INIT(HasColumns, P > 0)
  // The offset of packed sums is counted by full chains.
  `FLEX_ASSERT_INIT(PackedChainsFull, !Packed || N % 8 == 0)

  localparam int unsigned Pixels = Packed ? 2 : 1;
  localparam int unsigned Groups = (P + Pixels - 1) / Pixels;
  localparam int unsigned Lanes = (N < 8) ? N : 8;
  localparam int unsigned Chains = N / Lanes;
  localparam int unsigned DrainLength = M / Q;
  // Cycles from a step's operands at an element to its control: operand, product and sums.
  localparam int unsigned ControlLatency = Lanes + 3;

  /////////////
  // Control //
  /////////////

  // Steps on their way to the rows: bit s is s cycles old. Row m takes valid and first at age
  // ControlLatency + m; its accumulators are captured one cycle later.
  localparam int unsigned StepAge = ControlLatency + M - 1;
  localparam int unsigned CaptureAge = StepAge + 1;

  logic [StepAge:1] valid_q, first_q, shift_q;
  logic [CaptureAge:1] last_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q <= '0;
      last_q  <= '0;
    end else begin
      valid_q <= StepAge'({valid_q, step_valid_i});
      last_q  <= CaptureAge'({last_q, step_valid_i && step_last_i});
    end
  end

  always_ff @(posedge clk_i) begin
    first_q <= StepAge'({first_q, step_first_i});
    shift_q <= StepAge'({shift_q, Wide && step_shift_i});
  end

  // Complete accumulators, by column group: each group hands the control on to the next.
  logic [Groups:0][M-1:0] capture;

  for (genvar m = 0; m < M; m++) begin : gen_capture
    assign capture[0][m] = last_q[ControlLatency+1+m];
  end

  /////////////////
  // Activations //
  /////////////////

  logic [Groups-1:0][Pixels-1:0][N*8-1:0] x_group, x_column;

  for (genvar c = 0; c < Groups; c++) begin : gen_x
    logic [Pixels-1:0][N*8-1:0] x;

    for (genvar p = 0; p < Pixels; p++) begin : gen_pixel
      if (c * Pixels + p < P) begin : gen_column
        assign x_group[c][p] = x_i[c*Pixels+p];
      end else begin : gen_none
        assign x_group[c][p] = '0;
      end

      for (genvar k = 0; k < Chains; k++) begin : gen_chain
        flex_skew #(
          .Lanes    (Lanes),
          .LaneWidth(8)
        ) u_skew (
          .clk_i,
          .data_i(x_column[c][p][k*Lanes*8+:Lanes*8]),
          .data_o(x[p][k*Lanes*8+:Lanes*8])
        );
      end
    end
  end

  flex_skew #(
    .Lanes    (Groups),
    .LaneWidth(Pixels * N * 8)
  ) u_column_skew (
    .clk_i,
    .data_i(x_group),
    .data_o(x_column)
  );

  //////////
  // Rows //
  //////////

  for (genvar m = 0; m < M; m++) begin : gen_row
    logic [N*8-1:0] w;

    for (genvar k = 0; k < Chains; k++) begin : gen_chain
      flex_skew #(
        .Lanes    (Lanes),
        .LaneWidth(8)
      ) u_skew (
        .clk_i,
        .data_i(w_i[m][k*Lanes*8+:Lanes*8]),
        .data_o(w[k*Lanes*8+:Lanes*8])
      );
    end

    for (genvar c = 0; c < Groups; c++) begin : gen_pe
      logic [N*8-1:0] w_in, w_out;
      logic [Pixels-1:0][N*8-1:0] x_in, x_out;
      logic [Pixels-1:0][AccWidth-1:0] acc;
      logic valid_in, first_in, shift_in;
      logic valid_out, first_out, shift_out;

      if (c == 0) begin : gen_left
        assign w_in     = w;
        assign valid_in = valid_q[ControlLatency+m];
        assign first_in = first_q[ControlLatency+m];
        assign shift_in = shift_q[ControlLatency+m];
      end else begin : gen_inner
        assign w_in     = gen_pe[c-1].w_out;
        assign valid_in = gen_pe[c-1].valid_out;
        assign first_in = gen_pe[c-1].first_out;
        assign shift_in = gen_pe[c-1].shift_out;
      end

      if (m == 0) begin : gen_top
        assign x_in = gen_x[c].x;
      end else begin : gen_below
        assign x_in = gen_row[m-1].gen_pe[c].x_out;
      end

      flex_pe #(
        .N       (N),
        .Packed  (Packed),
        .AccWidth(AccWidth),
        .Wide    (Wide)
      ) u_pe (
        .clk_i,
        .w_i    (w_in),
        .w_o    (w_out),
        .x_i    (x_in),
        .x_o    (x_out),
        .valid_i(valid_in),
        .first_i(first_in),
        .shift_i(shift_in),
        .valid_o(valid_out),
        .first_o(first_out),
        .shift_o(shift_out),
        .acc_o  (acc)
      );

      // The edges pass nothing on.
      if (c == Groups - 1) begin : gen_right
        logic unused_right;
        assign unused_right = ^{w_out, valid_out, first_out, shift_out};
      end
      if (m == M - 1) begin : gen_bottom
        logic unused_bottom;
        assign unused_bottom = ^x_out;
      end
    end
  end

  ////////////
  // Output //
  ////////////

  // Accumulators of chain q and group c leave the drain (Q-1-q)*L + Groups-1-c cycles before those of
  // the last chain of the last group.
  for (genvar c = 0; c < Groups; c++) begin : gen_out_group
    for (genvar q = 0; q < Q; q++) begin : gen_out_chain
      localparam int unsigned Top = q * DrainLength;

      logic [DrainLength-1:0][Pixels-1:0][AccWidth-1:0] chain_acc;
      logic [Pixels-1:0][AccWidth-1:0] drained, acc;
      logic valid;

      for (genvar r = 0; r < DrainLength; r++) begin : gen_row_acc
        assign chain_acc[r] = gen_row[Top+r].gen_pe[c].acc;
      end

      flex_drain_chain #(
        .Rows (DrainLength),
        .Width(Pixels * AccWidth)
      ) u_drain (
        .clk_i,
        .rst_ni,
        .capture_i(capture[c][Top+:DrainLength]),
        .capture_o(capture[c+1][Top+:DrainLength]),
        .acc_i    (chain_acc),
        .valid_o  (valid),
        .data_o   (drained)
      );

      flex_delay_line #(
        .Width (Pixels * AccWidth),
        .Cycles((Q - 1 - q) * DrainLength + Groups - 1 - c)
      ) u_align (
        .clk_i,
        .rst_ni,
        .data_i(drained),
        .data_o(acc)
      );

      if (c == Groups - 1 && q == Q - 1) begin : gen_valid
        assign out_valid_o = valid;
      end else begin : gen_no_valid
        logic unused_valid;
        assign unused_valid = valid;
      end

      for (genvar p = 0; p < Pixels; p++) begin : gen_pixel
        if (c * Pixels + p < P) begin : gen_column
          assign out_acc_o[c*Pixels+p][q] = acc[p];
        end else begin : gen_none
          logic unused_acc;
          assign unused_acc = ^acc[p];
        end
      end
    end
  end

  // The last group passes nothing on.
  logic unused_capture;
  assign unused_capture = ^capture[Groups];

  // Blocks are drained before the next one: last steps are L cycles apart or more.
  if (DrainLength > 1) begin : gen_check_distance
    `FLEX_ASSERT(LastStepsApart, step_valid_i && step_last_i |-> last_q[DrainLength-1:1] == '0)
  end

  // A block begins with its first step, which follows the last one of the block before.
  logic in_block_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) in_block_q <= 1'b0;
    else if (step_valid_i) in_block_q <= !step_last_i;
  end

  `FLEX_ASSERT(FirstBeginsBlock, step_valid_i |-> step_first_i == !in_block_q)
  // There is something to raise, and what raises it.
  `FLEX_ASSERT(ShiftWithinBlock, step_valid_i && step_shift_i |-> Wide && !step_first_i)

endmodule
