// SPDX-License-Identifier: Apache-2.0
//
// What `flex_axi_read_mux` promises while its masters keep their offers: addresses come out under
// the number of their master, unchanged and once; a master that waits is served before any other
// one is served twice; data go to the master that their ID names.

module flex_axi_read_mux_proof #(
  parameter  int unsigned Ports   = 3,
  localparam int unsigned IdWidth = (Ports > 1) ? $clog2(Ports) : 1
) (
  input logic                     clk_i,
  // Anything at any time, but masters keep what they offer, and IDs are those of masters
  input logic [  Ports-1:0][63:0] araddr_i,
  input logic [  Ports-1:0][ 7:0] arlen_i,
  input logic [  Ports-1:0]       arvalid_i,
  input logic                     arready_i,
  input logic [IdWidth-1:0]       rid_i,
  input logic [        7:0]       rdata_i,
  input logic [        1:0]       rresp_i,
  input logic                     rlast_i,
  input logic                     rvalid_i,
  input logic [  Ports-1:0]       rready_i,
  // The master that is looked at, the same one all the time
  input logic [IdWidth-1:0]       master_i
);

  logic rst_ni;
  initial rst_ni = 1'b0;
  always_ff @(posedge clk_i) rst_ni <= 1'b1;

  logic [Ports-1:0] arready, rvalid;
  logic [IdWidth-1:0] arid;
  logic [63:0] araddr;
  logic [7:0] arlen, rdata;
  logic [1:0] rresp;
  logic arvalid, rlast, rready;

  flex_axi_read_mux #(
    .DataBytes(1),
    .Ports    (Ports)
  ) u_dut (
    .clk_i,
    .rst_ni,
    .in_araddr_i  (araddr_i),
    .in_arlen_i   (arlen_i),
    .in_arvalid_i (arvalid_i),
    .in_arready_o (arready),
    .in_rdata_o   (rdata),
    .in_rresp_o   (rresp),
    .in_rlast_o   (rlast),
    .in_rvalid_o  (rvalid),
    .in_rready_i  (rready_i),
    .axi_arid_o   (arid),
    .axi_araddr_o (araddr),
    .axi_arlen_o  (arlen),
    .axi_arvalid_o(arvalid),
    .axi_arready_i(arready_i),
    .axi_rid_i    (rid_i),
    .axi_rdata_i  (rdata_i),
    .axi_rresp_i  (rresp_i),
    .axi_rlast_i  (rlast_i),
    .axi_rvalid_i (rvalid_i),
    .axi_rready_o (rready)
  );

  // The environment.
  logic first_q;
  logic [IdWidth-1:0] master_q;
  logic [Ports-1:0] waits_q;
  logic [Ports-1:0][63:0] araddr_q;
  logic [Ports-1:0][7:0] arlen_q;
  initial first_q = 1'b1;

  always_ff @(posedge clk_i) begin
    first_q  <= 1'b0;
    master_q <= master_i;
    araddr_q <= araddr_i;
    arlen_q  <= arlen_i;
    waits_q  <= rst_ni ? arvalid_i & ~arready : '0;
  end

  always_comb begin
    assume (32'(master_i) < Ports && (first_q || master_i == master_q));
    if (rvalid_i) assume (32'(rid_i) < Ports);
    for (int unsigned p = 0; p < Ports; p++)
    if (waits_q[p]) assume (arvalid_i[p] && araddr_i[p] == araddr_q[p] && arlen_i[p] == arlen_q[p]);
  end

  // The addresses of the master inside, as a queue of two; words inside of all; others served since
  // the master began to wait.
  logic [Ports-1:0] served;
  logic enter, leave;
  logic [1:0] level_q, total_q;
  logic [71:0] first_q_word, second_q_word;
  logic [Ports-1:0] others_q;

  assign served = arvalid_i & arready;
  assign enter  = served[master_i];
  assign leave  = arvalid && arready_i && arid == master_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      level_q  <= '0;
      total_q  <= '0;
      others_q <= '0;
    end else begin
      level_q <= level_q + 2'(enter) - 2'(leave);
      total_q <= total_q + 2'(|served) - 2'(arvalid && arready_i);
      if (leave || level_q == 2'd0) begin
        first_q_word <= (level_q == 2'd2) ? second_q_word : {araddr_i[master_i], arlen_i[master_i]};
      end
      if (level_q == 2'd1) second_q_word <= {araddr_i[master_i], arlen_i[master_i]};
      others_q <= (arvalid_i[master_i] && !enter) ? others_q | served : '0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert ((served & (served - 1'b1)) == '0);
      assert (level_q <= total_q && total_q <= 2'd2);
      assert (arvalid == (total_q != 2'd0));
      if (arvalid) assert (32'(arid) < Ports);
      if (arvalid && arid == master_i) begin
        assert (level_q != 2'd0);
        assert ({araddr, arlen} == first_q_word);
      end
      // Someone is served while someone waits and there is room.
      if (arvalid_i != '0 && total_q != 2'd2) assert (served != '0);
      if (arvalid_i[master_i]) assert ((served & others_q) == '0);
      // Data.
      for (int unsigned p = 0; p < Ports; p++) assert (rvalid[p] == (rvalid_i && 32'(rid_i) == p));
      if (rvalid_i) assert (rready == rready_i[rid_i]);
      assert (rdata == rdata_i && rresp == rresp_i && rlast == rlast_i);
    end
  end

  // As it lies in the register: the younger address stands behind the offered one.
  logic back, own_front, own_back;
  logic [IdWidth-1:0] back_id;
  logic [71:0] back_word;
  assign back                 = !u_dut.u_ar.ready_q;
  assign {back_id, back_word} = u_dut.u_ar.skid_q;
  assign own_front            = arvalid && arid == master_i;
  assign own_back             = back && back_id == master_i;

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (total_q == 2'(arvalid) + 2'(back));
      assert (arvalid || !back);
      assert (level_q == 2'(own_front) + 2'(own_back));
      if (back) assert (32'(back_id) < Ports);
      if (own_back) assert (back_word == (own_front ? second_q_word : first_q_word));
      // Turns go up from master to master and begin again at the bottom: `above` are the masters
      // above the one served last. Those served since the master waits lie between it and that one.
      for (int unsigned p = 0; p + 1 < Ports; p++)
      if (u_dut.above_q[p]) assert (u_dut.above_q[p+1]);
      for (int unsigned p = 0; p < Ports; p++) begin
        if (others_q[p]) begin
          assert (p != 32'(master_i));
          if (u_dut.above_q[master_i])
            assert (p > 32'(master_i) || !u_dut.above_q[p]);
            else assert (p > 32'(master_i) && !u_dut.above_q[p]);
        end
      end
    end
  end

endmodule
