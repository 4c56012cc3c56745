// SPDX-License-Identifier: Apache-2.0
//
// Account of the array's cycles: each cycle of a run counts under one name, tile by tile.
//
// `+account=FILE` names the file it writes: a line `run` at a start, a line `tile` with the cycles
// of each kind when the last step of a tile is issued, a line `end` with those after it when the run
// is over. The kinds, in the order of the line: a step is issued; no step is there, the program or
// its lists have not brought it; then a step waits, under the first cause that holds. All lines of a
// run add up to what its CYCLES register shows. Lines are there at once, so they show progress too.

`include "flex_assert.svh"

module flex_sim_account #(
  // Causes of waiting.
  parameter int unsigned Causes = 5
) (
  input logic              clk_i,
  input logic              rst_ni,
  // Pulse: a run begins with the next cycle; level: it is under way
  input logic              start_i,
  input logic              running_i,
  // There is a step, it is issued, it is the last of its tile
  input logic              valid_i,
  input logic              step_i,
  input logic              tile_end_i,
  // What the step waits for; the lowest bit counts
  input logic [Causes-1:0] wait_i
);

  `FLEX_ASSERT_INIT(HasCauses, Causes > 0)

  localparam int unsigned Kinds = 2 + Causes;

  string name;
  int file;

  initial begin
    file = 0;
    if ($value$plusargs("account=%s", name)) file = $fopen(name, "w");
  end

  int unsigned kind;
  logic counts, counts_q, tile_ends, run_ends;

  assign counts    = running_i && !start_i;
  assign tile_ends = counts && tile_end_i;
  assign run_ends  = counts_q && !counts;

  always_comb begin
    kind = step_i ? 0 : 1;
    if (valid_i && !step_i) begin
      for (int unsigned c = Causes; c > 0; c--) begin
        if (wait_i[c-1]) kind = c + 1;
      end
    end
  end

  logic [Kinds-1:0][31:0] count_d, count_q;

  always_comb begin
    count_d = count_q;
    count_d[kind] += 32'(counts);
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      counts_q <= 1'b0;
      count_q  <= '0;
    end else begin
      counts_q <= counts;
      count_q  <= start_i || tile_ends ? '0 : count_d;
      if (file != 0 && (start_i || tile_ends || run_ends)) begin
        if (start_i) $fwrite(file, "run\n");
        if (tile_ends) write_line("tile", count_d);
        if (run_ends) write_line("end", count_q);
        $fflush(file);
      end
    end
  end

  function automatic void write_line(string what, logic [Kinds-1:0][31:0] count);
    $fwrite(file, "%s", what);
    for (int unsigned k = 0; k < Kinds; k++) $fwrite(file, " %0d", count[k]);
    $fwrite(file, "\n");
  endfunction

  // A step that is issued waits for nothing, and every wait has a name.
  `FLEX_ASSERT(StepIsReady, step_i |-> valid_i && wait_i == '0)
  `FLEX_ASSERT(WaitHasName, valid_i && !step_i |-> wait_i != '0)
  `FLEX_ASSERT(TileEndsWithStep, tile_end_i |-> step_i)

endmodule
