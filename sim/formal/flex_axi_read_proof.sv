// SPDX-License-Identifier: Apache-2.0
//
// What `flex_axi_read` promises to a memory that answers bursts in any time, stalling as it likes:
// the data port always has room for a beat, beats leave in order and unchanged, none is lost, and
// it is idle exactly when nothing is under way.

module flex_axi_read_proof
  import flex_pkg::*;
#(
  parameter int unsigned MaxBurst  = 2,
  parameter int unsigned FifoBeats = 4
) (
  input logic                   clk_i,
  // Anything at any time, but data come only when asked for
  input logic                   halt_i,
  input logic [OffsetWidth-1:0] req_addr_i,
  input logic [ BeatsWidth-1:0] req_beats_i,
  input logic                   req_valid_i,
  input logic                   data_ready_i,
  input logic                   arready_i,
  input logic [           63:0] rdata_i,
  input logic [            1:0] rresp_i,
  input logic                   rlast_i,
  input logic                   rvalid_i,
  input logic                   watch_i
);

  localparam int unsigned DataBytes = 8;
  localparam int unsigned CountBits = $clog2(FifoBeats + 2);

  logic rst_ni;
  initial rst_ni = 1'b0;
  always_ff @(posedge clk_i) rst_ni <= 1'b1;

  logic idle, error, req_ready, data_valid, arvalid, rready;
  logic [63:0] data, araddr;
  logic [7:0] arlen;

  flex_axi_read #(
    .DataBytes(DataBytes),
    .MaxBurst (MaxBurst),
    .FifoBeats(FifoBeats)
  ) u_dut (
    .clk_i,
    .rst_ni,
    .base_i       ('0),
    .halt_i,
    .idle_o       (idle),
    .error_o      (error),
    .req_addr_i,
    .req_beats_i,
    .req_valid_i,
    .req_ready_o  (req_ready),
    .data_data_o  (data),
    .data_valid_o (data_valid),
    .data_ready_i,
    .axi_araddr_o (araddr),
    .axi_arlen_o  (arlen),
    .axi_arvalid_o(arvalid),
    .axi_arready_i(arready_i),
    .axi_rdata_i  (rdata_i),
    .axi_rresp_i  (rresp_i),
    .axi_rlast_i  (rlast_i),
    .axi_rvalid_i (rvalid_i),
    .axi_rready_o (rready)
  );

  // The memory: beats that it owes. Requests are aligned and not empty.
  logic [CountBits-1:0] owed_q;
  logic ask, come;

  assign ask  = arvalid && arready_i;
  assign come = rvalid_i && rready;

  always_comb begin
    if (owed_q == '0 || !rst_ni) assume (!rvalid_i);
    assume (req_addr_i[2:0] == '0);
    if (req_valid_i) assume (req_beats_i != '0);
  end

  // Any beat is watched: `ahead` beats leave before it.
  logic watching_q, pop;
  logic [CountBits-1:0] inside_q, ahead_q;
  logic [63:0] word_q;
  logic held_q;
  logic [71:0] held_address_q;

  assign pop = data_valid && data_ready_i;

  always_ff @(posedge clk_i) begin
    held_q         <= rst_ni && arvalid && !arready_i;
    held_address_q <= {araddr, arlen};
    if (!rst_ni) begin
      owed_q     <= '0;
      inside_q   <= '0;
      watching_q <= 1'b0;
    end else begin
      owed_q   <= owed_q + (ask ? CountBits'(arlen) + 1'b1 : '0) - CountBits'(come);
      inside_q <= inside_q + CountBits'(come) - CountBits'(pop);
      if (!watching_q) begin
        watching_q <= come && watch_i;
        ahead_q    <= inside_q - CountBits'(pop);
        word_q     <= rdata_i;
      end else if (pop) begin
        watching_q <= ahead_q != '0;
        ahead_q    <= ahead_q - 1'b1;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (rready);
      assert (32'(owed_q) + 32'(inside_q) <= FifoBeats);
      if (watching_q && ahead_q == '0 && data_valid) assert (data == word_q);
      if (data_valid) assert (inside_q != '0);
      if (arvalid) assert (32'(arlen) < MaxBurst);
      if (held_q) assert (arvalid && {araddr, arlen} == held_address_q);
      if (idle) assert (owed_q == '0 && !arvalid);
      if (error) assert (u_dut.r_valid_q);
    end
  end

  // Invariants: where the places of the FIFO are.
  logic [CountBits-1:0] level, arrived, offered, behind;
  int unsigned rd_addr;
  assign level   = CountBits'(u_dut.u_fifo.level_o);
  assign arrived = CountBits'(u_dut.r_valid_q);
  assign offered = arvalid ? CountBits'(arlen) + 1'b1 : '0;
  assign behind  = u_dut.u_ar.ready_q ? '0 : CountBits'(u_dut.u_ar.skid_q[7:0]) + 1'b1;
  assign rd_addr = 32'(u_dut.u_fifo.out_rd_addr_q);

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (32'(u_dut.free_q) <= FifoBeats);
      assert (32'(u_dut.free_q) + 32'(u_dut.pending_q) + 32'(level) == FifoBeats);
      assert (32'(u_dut.pending_q) == 32'(owed_q) + 32'(offered) + 32'(behind) + 32'(arrived));
      assert (32'(inside_q) == 32'(level) + 32'(arrived));
      assert (u_dut.u_ar.ready_q || arvalid);
      if (!u_dut.u_ar.ready_q) assert (32'(u_dut.u_ar.skid_q[7:0]) < MaxBurst);
      assert (u_dut.fifo_ready || !u_dut.r_valid_q);
      assert (u_dut.u_fifo.level_q == u_dut.u_fifo.out_level_q);
      assert (u_dut.u_fifo.ready_q == (32'(level) != FifoBeats));
      assert (u_dut.u_fifo.out_valid_q == (level != '0));
      assert (rd_addr < FifoBeats && 32'(u_dut.u_fifo.out_wr_addr_q) < FifoBeats);
      assert ((rd_addr + 32'(level)) % FifoBeats == 32'(u_dut.u_fifo.out_wr_addr_q));
      if (watching_q) begin
        assert (32'(ahead_q) < 32'(inside_q));
        if (32'(ahead_q) < 32'(level))
          assert (u_dut.u_fifo.out_mem[(rd_addr+32'(ahead_q))%FifoBeats] == word_q);
          else assert (u_dut.r_valid_q && u_dut.r_data_q == word_q);
      end
    end
  end

  // A request that waits, as `flex_axi_burst` keeps it.
  typedef struct packed {
    logic [63:0]                         addr;
    logic [BeatsWidth-1:0]               beats;
    logic [$clog2(4096/DataBytes+1)-1:0] left;
  } rest_t;

  rest_t skid;
  assign skid = u_dut.u_burst.u_request.skid_q;

  logic unused;
  assign unused = ^{req_ready, skid.addr};

  // Invariants of `flex_axi_burst`: no burst is longer than allowed.
  logic [7:0] first_len, second_len;
  assign first_len  = u_dut.u_burst.u_burst.data_q[8:1];
  assign second_len = u_dut.u_burst.u_burst.skid_q[8:1];

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      if (u_dut.u_burst.valid_q) begin
        assert (u_dut.u_burst.room_q != '0 && 32'(u_dut.u_burst.room_q) <= MaxBurst);
        assert (u_dut.u_burst.rest_q.left != '0);
        assert (32'(u_dut.u_burst.room_q) <= 32'(u_dut.u_burst.rest_q.left));
        assert (u_dut.u_burst.rest_q.beats != '0);
      end
      if (u_dut.u_burst.u_request.valid_q) begin
        assert (u_dut.u_burst.next.beats != '0 && u_dut.u_burst.next.left != '0);
      end
      if (!u_dut.u_burst.u_request.ready_q) begin
        assert (skid.beats != '0 && skid.left != '0);
        assert (u_dut.u_burst.u_request.valid_q);
      end
      if (u_dut.u_burst.u_burst.valid_q) assert (32'(first_len) < MaxBurst);
      if (!u_dut.u_burst.u_burst.ready_q) begin
        assert (32'(second_len) < MaxBurst);
        assert (u_dut.u_burst.u_burst.valid_q);
      end
    end
  end

endmodule
