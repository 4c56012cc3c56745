// SPDX-License-Identifier: Apache-2.0
//
// Versatile systolic array: sequencer, activation buffer, weight ring and the array of M x P x N multipliers.
//
// Every convolution is a set of reduction lists, so this module knows no kernel, stride or dilation.
// Throughput: M*P*N products per cycle. Nothing stalls between a step and its accumulators.

`include "flex_assert.svh"

module flex_vsa
  import flex_pkg::*;
  import flex_program_pkg::*;
#(
  // Rows: output channels per pass.
  parameter  int unsigned M               = 8,
  // Columns: adjacent output pixels.
  parameter  int unsigned P               = 8,
  // Lanes: input channels per step.
  parameter  int unsigned N               = 8,
  // Drain chains per column.
  parameter  int unsigned Q               = 2,
  // Two pixel columns share one multiplier.
  parameter  bit          Packed          = 1'b1,
  // Accumulator bits.
  parameter  int unsigned AccWidth        = 32,
  // Words per bank and half of the activation buffer; a power of two.
  parameter  int unsigned ActWords        = 1024,
  // Words of the weight ring; a power of two.
  parameter  int unsigned WeightWords     = 512,
  // Entries per half of the list memory; a power of two.
  parameter  int unsigned ListEntries     = 512,
  // There are tables behind the requantiser.
  parameter  bit          Tables          = 1'b0,
  // Tiles may be summed with a second tensor.
  parameter  bit          Sums            = 1'b0,
  // Activations may have 16 bits.
  parameter  bit          Wide            = 1'b0,
  // Sums may be requantised with two slopes.
  parameter  bit          Bends           = 1'b0,
  localparam int unsigned ActAddrWidth    = $clog2(2 * ActWords),
  localparam int unsigned WeightAddrWidth = $clog2(WeightWords)
) (
  input  logic                                                         clk_i,
  input  logic                                                         rst_ni,
  // Array records
  input  logic   [       WordBits-1:0]                                 cmd_data_i,
  input  logic                                                         cmd_valid_i,
  output logic                                                         cmd_ready_o,
  // Activation buffer: writes of the load engine, halves
  input  logic   [              P-1:0]                                 act_wr_en_i,
  input  logic   [              P-1:0][ActAddrWidth-1:0]               act_wr_addr_i,
  input  logic   [              P-1:0][         N*8-1:0]               act_wr_data_i,
  input  logic                                                         act_full_i,
  output logic                                                         act_freed_o,
  // Weight ring: writes of the weight load engine, counts
  input  logic                                                         weight_wr_en_i,
  input  logic   [WeightAddrWidth-1:0]                                 weight_wr_addr_i,
  input  logic   [          M*N*8-1:0]                                 weight_wr_data_i,
  input  logic   [     CountWidth-1:0]                                 weights_written_i,
  output logic   [     CountWidth-1:0]                                 weights_released_o,
  input  logic   [     CountWidth-1:0]                                 params_written_i,
  // Output and skip buffer halves
  input  logic                                                         out_freed_i,
  input  logic                                                         skip_full_i,
  // Tables: see flex_sequencer
  output logic   [       WordBits-1:0]                                 table_data_o,
  output logic                                                         table_valid_o,
  input  logic                                                         table_ready_i,
  output logic                                                         table_tile_o,
  input  logic                                                         table_half_i,
  // Accumulators, and what they belong to
  output logic                                                         acc_valid_o,
  output logic   [              P-1:0][           Q-1:0][AccWidth-1:0] acc_o,
  output block_t                                                       block_data_o,
  output logic                                                         block_valid_o,
  // Performance counters, errors
  output logic                                                         busy_o,
  output logic                                                         starved_o,
  output logic                                                         blocked_o,
  output logic                                                         error_o
);

  `FLEX_ASSERT_INIT(ColumnsInRange, P >= 1 && P <= 16)
  `FLEX_ASSERT_INIT(WeightsAreFaster, WeightReadLatency <= ColumnReadLatency)

  localparam int unsigned RotationWidth = (P > 1) ? $clog2(P) : 1;
  // Weight reads wait so that row 0's word meets the activations.
  localparam int unsigned WeightDelay = ColumnReadLatency - WeightReadLatency;

  logic step_valid, step_first, step_last, step_shift;
  logic [ActAddrWidth-1:0] act_addr;
  logic [7:0] act_rotation;
  logic [WeightAddrWidth-1:0] weight_addr;

  flex_sequencer #(
    .P               (P),
    .ActWords        (ActWords),
    .WeightWords     (WeightWords),
    .ListEntries     (ListEntries),
    .DrainCycles     (M / Q),
    .WeightReadCycles(ColumnReadLatency + M),
    .Tables          (Tables),
    .Sums            (Sums),
    .Bends           (Bends),
    .Wide            (Wide)
  ) u_sequencer (
    .clk_i,
    .rst_ni,
    .cmd_data_i,
    .cmd_valid_i,
    .cmd_ready_o,
    .act_full_i,
    .act_freed_o,
    .weights_written_i,
    .weights_released_o,
    .params_written_i,
    .out_freed_i,
    .skip_full_i,
    .table_data_o,
    .table_valid_o,
    .table_ready_i,
    .table_tile_o,
    .table_half_i,
    .step_valid_o  (step_valid),
    .step_first_o  (step_first),
    .step_last_o   (step_last),
    .step_shift_o  (step_shift),
    .act_addr_o    (act_addr),
    .act_rotation_o(act_rotation),
    .weight_addr_o (weight_addr),
    .block_data_o,
    .block_valid_o,
    .busy_o,
    .starved_o,
    .blocked_o,
    .error_o
  );

  logic [P-1:0][N*8-1:0] act_data;

  flex_column_buffer #(
    .P        (P),
    .N        (N),
    .Depth    (2 * ActWords),
    .LaneBytes(N)
  ) u_activations (
    .clk_i,
    .rst_ni,
    .wr_en_i      (act_wr_en_i),
    .wr_addr_i    (act_wr_addr_i),
    .wr_data_i    (act_wr_data_i),
    .rd_en_i      (step_valid),
    .rd_addr_i    (act_addr),
    .rd_rotation_i(act_rotation[RotationWidth-1:0]),
    .rd_data_o    (act_data)
  );

  logic weight_rd_en;
  logic [WeightAddrWidth-1:0] weight_rd_addr;
  logic [M-1:0][N*8-1:0] weight_data;

  flex_delay #(
    .Width (1),
    .Cycles(WeightDelay),
    .Reset (1'b1)
  ) u_weight_en (
    .clk_i,
    .rst_ni,
    .data_i(step_valid),
    .data_o(weight_rd_en)
  );

  flex_delay #(
    .Width (WeightAddrWidth),
    .Cycles(WeightDelay),
    .Reset (1'b0)
  ) u_weight_addr (
    .clk_i,
    .rst_ni,
    .data_i(weight_addr),
    .data_o(weight_rd_addr)
  );

  flex_weight_buffer #(
    .M    (M),
    .N    (N),
    .Depth(WeightWords)
  ) u_weights (
    .clk_i,
    .rst_ni,
    .wr_en_i  (weight_wr_en_i),
    .wr_addr_i(weight_wr_addr_i),
    .wr_data_i(weight_wr_data_i),
    .rd_en_i  (weight_rd_en),
    .rd_addr_i(weight_rd_addr),
    .w_o      (weight_data)
  );

  logic array_valid, array_first, array_last, array_shift;

  flex_delay #(
    .Width (1),
    .Cycles(ColumnReadLatency),
    .Reset (1'b1)
  ) u_valid (
    .clk_i,
    .rst_ni,
    .data_i(step_valid),
    .data_o(array_valid)
  );

  flex_delay #(
    .Width (3),
    .Cycles(ColumnReadLatency),
    .Reset (1'b0)
  ) u_flags (
    .clk_i,
    .rst_ni,
    .data_i({step_first, step_last, step_shift}),
    .data_o({array_first, array_last, array_shift})
  );

  flex_systolic_array #(
    .M       (M),
    .P       (P),
    .N       (N),
    .Q       (Q),
    .Packed  (Packed),
    .AccWidth(AccWidth),
    .Wide    (Wide)
  ) u_array (
    .clk_i,
    .rst_ni,
    .step_valid_i(array_valid),
    .step_first_i(array_first),
    .step_last_i (array_last),
    .step_shift_i(array_shift),
    .x_i         (act_data),
    .w_i         (weight_data),
    .out_valid_o (acc_valid_o),
    .out_acc_o   (acc_o)
  );

  if (RotationWidth < 8) begin : gen_unused_rotation
    logic unused_rotation;
    assign unused_rotation = ^act_rotation[7:RotationWidth];
  end

endmodule
