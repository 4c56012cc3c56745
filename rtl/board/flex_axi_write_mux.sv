// SPDX-License-Identifier: Apache-2.0
//
// Joins AXI4 write masters to one port, burst by burst: the next begins when the response of the one before is taken.
//
// Round robin. Three cycles a burst beside its beats and the memory's latency; a master that issues an address only
// with all its beats at hand holds nobody up.

`include "flex_assert.svh"

module flex_axi_write_mux #(
  // Bytes of a beat.
  parameter  int unsigned DataBytes = 8,
  // Masters.
  parameter  int unsigned Ports     = 2,
  // Derived
  localparam int unsigned IdWidth   = (Ports > 1) ? $clog2(Ports) : 1
) (
  input  logic                                    clk_i,
  input  logic                                    rst_ni,
  // Masters
  input  logic [      Ports-1:0][           63:0] in_awaddr_i,
  input  logic [      Ports-1:0][            7:0] in_awlen_i,
  input  logic [      Ports-1:0]                  in_awvalid_i,
  output logic [      Ports-1:0]                  in_awready_o,
  input  logic [      Ports-1:0][DataBytes*8-1:0] in_wdata_i,
  input  logic [      Ports-1:0][  DataBytes-1:0] in_wstrb_i,
  input  logic [      Ports-1:0]                  in_wlast_i,
  input  logic [      Ports-1:0]                  in_wvalid_i,
  output logic [      Ports-1:0]                  in_wready_o,
  output logic [            1:0]                  in_bresp_o,
  output logic [      Ports-1:0]                  in_bvalid_o,
  input  logic [      Ports-1:0]                  in_bready_i,
  // Port
  output logic [           63:0]                  axi_awaddr_o,
  output logic [            7:0]                  axi_awlen_o,
  output logic                                    axi_awvalid_o,
  input  logic                                    axi_awready_i,
  output logic [DataBytes*8-1:0]                  axi_wdata_o,
  output logic [  DataBytes-1:0]                  axi_wstrb_o,
  output logic                                    axi_wlast_o,
  output logic                                    axi_wvalid_o,
  input  logic                                    axi_wready_i,
  input  logic [            1:0]                  axi_bresp_i,
  input  logic                                    axi_bvalid_i,
  output logic                                    axi_bready_o
);

  `FLEX_ASSERT_INIT(PortsNonZero, Ports >= 1)

  typedef enum logic [1:0] {
    Choose,
    Address,
    Data,
    Response
  } state_e;

  state_e state_d, state_q;
  // The master that is served, and was last.
  logic [IdWidth-1:0] id_d, id_q;

  // The first that waits behind the one served last; the loop's last hit is the nearest.
  always_comb begin
    id_d = id_q;
    for (int unsigned i = Ports; i > 0; i--) begin
      if (in_awvalid_i[IdWidth'((32'(id_q)+i)%Ports)]) id_d = IdWidth'((32'(id_q) + i) % Ports);
    end
  end

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      Choose:   if (in_awvalid_i != '0) state_d = Address;
      Address:  if (axi_awready_i) state_d = Data;
      Data:     if (axi_wvalid_o && axi_wready_i && axi_wlast_o) state_d = Response;
      Response: if (axi_bvalid_i && axi_bready_o) state_d = Choose;
      default:  ;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q <= Choose;
      id_q    <= '0;
    end else begin
      state_q <= state_d;
      if (state_q == Choose) id_q <= id_d;
    end
  end

  assign axi_awaddr_o  = in_awaddr_i[id_q];
  assign axi_awlen_o   = in_awlen_i[id_q];
  assign axi_awvalid_o = state_q == Address;
  assign axi_wdata_o   = in_wdata_i[id_q];
  assign axi_wstrb_o   = in_wstrb_i[id_q];
  assign axi_wlast_o   = in_wlast_i[id_q];
  assign axi_wvalid_o  = state_q == Data && in_wvalid_i[id_q];
  assign axi_bready_o  = state_q == Response && in_bready_i[id_q];
  assign in_bresp_o    = axi_bresp_i;

  always_comb begin
    in_awready_o       = '0;
    in_wready_o        = '0;
    in_bvalid_o        = '0;
    in_awready_o[id_q] = state_q == Address && axi_awready_i;
    in_wready_o[id_q]  = state_q == Data && axi_wready_i;
    in_bvalid_o[id_q]  = state_q == Response && axi_bvalid_i;
  end

  // An address does not go back.
  `FLEX_ASSERT(AddressStays, state_q == Address |-> in_awvalid_i[id_q])
  // A response comes only for a burst that is over.
  `FLEX_ASSERT(ResponseInTime, axi_bvalid_i |-> state_q == Response)
  // Address and data offered stay put until they are taken.
  `FLEX_ASSERT(AddressStable, axi_awvalid_o && !axi_awready_i |=> axi_awvalid_o && $stable
                              ({axi_awaddr_o, axi_awlen_o}))
  `FLEX_ASSERT(DataStable, axi_wvalid_o && !axi_wready_i |=> axi_wvalid_o && $stable
                           ({axi_wdata_o, axi_wstrb_o, axi_wlast_o}))

endmodule
