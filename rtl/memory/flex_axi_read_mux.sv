// SPDX-License-Identifier: Apache-2.0
//
// Joins several AXI4 read masters to one port: the ID of an address is the number of its master.
//
// Addresses are served round robin through a register (latency 1 cycle, one per cycle; 2 cycles
// with Registered); data pass straight through to the master that their ID names.

`include "flex_assert.svh"

module flex_axi_read_mux #(
  // Bytes of a beat.
  parameter  int unsigned DataBytes  = 64,
  // Masters.
  parameter  int unsigned Ports      = 2,
  // Masters are told by registers what is taken: none waits for a choice between them.
  parameter  bit          Registered = 1'b0,
  // Derived
  localparam int unsigned IdWidth    = (Ports > 1) ? $clog2(Ports) : 1
) (
  input  logic                         clk_i,
  input  logic                         rst_ni,
  // Masters
  input  logic [      Ports-1:0][63:0] in_araddr_i,
  input  logic [      Ports-1:0][ 7:0] in_arlen_i,
  input  logic [      Ports-1:0]       in_arvalid_i,
  output logic [      Ports-1:0]       in_arready_o,
  output logic [DataBytes*8-1:0]       in_rdata_o,
  output logic [            1:0]       in_rresp_o,
  output logic                         in_rlast_o,
  output logic [      Ports-1:0]       in_rvalid_o,
  input  logic [      Ports-1:0]       in_rready_i,
  // Port
  output logic [    IdWidth-1:0]       axi_arid_o,
  output logic [           63:0]       axi_araddr_o,
  output logic [            7:0]       axi_arlen_o,
  output logic                         axi_arvalid_o,
  input  logic                         axi_arready_i,
  input  logic [    IdWidth-1:0]       axi_rid_i,
  input  logic [DataBytes*8-1:0]       axi_rdata_i,
  input  logic [            1:0]       axi_rresp_i,
  input  logic                         axi_rlast_i,
  input  logic                         axi_rvalid_i,
  output logic                         axi_rready_o
);

  `FLEX_ASSERT_INIT(PortsNonZero, Ports >= 1)

  ///////////////
  // Addresses //
  ///////////////

  logic [Ports-1:0][63:0] araddr;
  logic [Ports-1:0][ 7:0] arlen;
  logic [Ports-1:0] arvalid, arready;

  if (Registered) begin : gen_registered
    for (genvar p = 0; p < Ports; p++) begin : gen_port
      flex_stream_register #(
        .Width(64 + 8)
      ) u_ar (
        .clk_i,
        .rst_ni,
        .in_data_i  ({in_araddr_i[p], in_arlen_i[p]}),
        .in_valid_i (in_arvalid_i[p]),
        .in_ready_o (in_arready_o[p]),
        .out_data_o ({araddr[p], arlen[p]}),
        .out_valid_o(arvalid[p]),
        .out_ready_i(arready[p])
      );
    end
  end else begin : gen_straight
    assign araddr       = in_araddr_i;
    assign arlen        = in_arlen_i;
    assign arvalid      = in_arvalid_i;
    assign in_arready_o = arready;
  end

  // `above` marks the masters that come before the one served last gets its next turn.
  logic [Ports-1:0] above_d, above_q, waiting_above, candidates, grant;
  logic [Ports-1:0] below;  // a candidate is below
  logic [IdWidth-1:0] id;
  logic [63:0] addr;
  logic [7:0] len;
  logic ready;

  assign waiting_above = arvalid & above_q;
  assign candidates    = (waiting_above != '0) ? waiting_above : arvalid;
  // The lowest candidate, and all masters above it. Without an adder: few ports need no carry.
  assign grant         = candidates & ~below;
  assign above_d       = below;
  assign arready       = grant & {Ports{ready}};

  always_comb begin
    below = '0;
    for (int unsigned p = 1; p < Ports; p++) below[p] = below[p-1] || candidates[p-1];
  end

  always_comb begin
    id   = '0;
    addr = '0;
    len  = '0;
    for (int unsigned p = 0; p < Ports; p++) begin
      if (grant[p]) begin
        id   = IdWidth'(p);
        addr = araddr[p];
        len  = arlen[p];
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) above_q <= '0;
    else if (ready && grant != '0) above_q <= above_d;
  end

  // A master is chosen in the cycle in which the register takes its address, so none offered to the
  // register is exchanged for another.
  flex_stream_register #(
    .Width(IdWidth + 64 + 8)
  ) u_ar (
    .clk_i,
    .rst_ni,
    .in_data_i  ({id, addr, len}),
    .in_valid_i (ready && grant != '0),
    .in_ready_o (ready),
    .out_data_o ({axi_arid_o, axi_araddr_o, axi_arlen_o}),
    .out_valid_o(axi_arvalid_o),
    .out_ready_i(axi_arready_i)
  );

  //////////
  // Data //
  //////////

  assign in_rdata_o = axi_rdata_i;
  assign in_rresp_o = axi_rresp_i;
  assign in_rlast_o = axi_rlast_i;

  always_comb begin
    in_rvalid_o  = '0;
    axi_rready_o = 1'b0;
    for (int unsigned p = 0; p < Ports; p++) begin
      if (axi_rid_i == IdWidth'(p)) begin
        in_rvalid_o[p] = axi_rvalid_i;
        axi_rready_o   = in_rready_i[p];
      end
    end
  end

  // Data carry the ID of a master.
  `FLEX_ASSERT(IdInRange, axi_rvalid_i |-> 32'(axi_rid_i) < Ports)
  // At most one master is served, and only one that asks.
  `FLEX_ASSERT(GrantOneHot, $onehot0(grant) && (grant & ~arvalid) == '0)
  // An address offered stays put until it is taken.
  `FLEX_ASSERT(AddressStable, axi_arvalid_o && !axi_arready_i |=> axi_arvalid_o && $stable
                              ({axi_arid_o, axi_araddr_o, axi_arlen_o}))

endmodule
