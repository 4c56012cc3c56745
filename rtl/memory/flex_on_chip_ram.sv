// SPDX-License-Identifier: Apache-2.0
//
// On-chip memory with several AXI4 read ports and write ports.
//
// Words lie in the banks in turn, and each bank reads one word and writes one in every cycle: so many masters as there
// are banks move a word per cycle each, once they have fallen into step. Bursts are incrementing, of whole beats; data
// come in order within a port. Words from Words on answer with DECERR.

`include "flex_assert.svh"

module flex_on_chip_ram #(
  // Bytes of a beat; a power of two.
  parameter  int unsigned DataBytes      = 64,
  // Beats.
  parameter  int unsigned Words          = 8192,
  // A power of two that divides Words.
  parameter  int unsigned Banks          = 2,
  parameter  int unsigned Readers        = 2,
  parameter  int unsigned Writers        = 1,
  // Write bursts of a port whose response has not been taken.
  parameter  int unsigned MaxOutstanding = 16,
  // Derived
  localparam int unsigned AddrWidth      = $clog2(Words * DataBytes)
) (
  input  logic                                clk_i,
  input  logic                                rst_ni,
  // Reads
  input  logic [Readers-1:0][  AddrWidth-1:0] axi_araddr_i,
  input  logic [Readers-1:0][            7:0] axi_arlen_i,
  input  logic [Readers-1:0]                  axi_arvalid_i,
  output logic [Readers-1:0]                  axi_arready_o,
  output logic [Readers-1:0][DataBytes*8-1:0] axi_rdata_o,
  output logic [Readers-1:0][            1:0] axi_rresp_o,
  output logic [Readers-1:0]                  axi_rlast_o,
  output logic [Readers-1:0]                  axi_rvalid_o,
  input  logic [Readers-1:0]                  axi_rready_i,
  // Writes
  input  logic [Writers-1:0][  AddrWidth-1:0] axi_awaddr_i,
  input  logic [Writers-1:0][            7:0] axi_awlen_i,
  input  logic [Writers-1:0]                  axi_awvalid_i,
  output logic [Writers-1:0]                  axi_awready_o,
  input  logic [Writers-1:0][DataBytes*8-1:0] axi_wdata_i,
  input  logic [Writers-1:0][  DataBytes-1:0] axi_wstrb_i,
  input  logic [Writers-1:0]                  axi_wlast_i,
  input  logic [Writers-1:0]                  axi_wvalid_i,
  output logic [Writers-1:0]                  axi_wready_o,
  output logic [Writers-1:0][            1:0] axi_bresp_o,
  output logic [Writers-1:0]                  axi_bvalid_o,
  input  logic [Writers-1:0]                  axi_bready_i
);

  `FLEX_ASSERT_INIT(BanksLegal, Banks >= 1 && 2 ** $clog2(Banks) == Banks && Words % Banks == 0)

  localparam int unsigned BankWords = Words / Banks;
  localparam int unsigned BankWidth = (BankWords > 1) ? $clog2(BankWords) : 1;
  // That of flex_on_chip_bank.
  localparam int unsigned ReadLatency = 4;

  logic [Readers-1:0][BankWidth-1:0] read_addr;
  logic [Readers-1:0][Banks-1:0] read_valid, read_grant;
  logic [  Banks-1:0][DataBytes*8-1:0] read_data;
  logic [Writers-1:0][  BankWidth-1:0] write_addr;
  logic [Writers-1:0][DataBytes*8-1:0] write_data;
  logic [Writers-1:0][  DataBytes-1:0] write_strb;
  logic [Writers-1:0][Banks-1:0] write_valid, write_grant;

  for (genvar r = 0; r < Readers; r++) begin : gen_read
    flex_on_chip_read #(
      .DataBytes  (DataBytes),
      .Words      (Words),
      .Banks      (Banks),
      .ReadLatency(ReadLatency)
    ) u_read (
      .clk_i,
      .rst_ni,
      .axi_araddr_i (axi_araddr_i[r]),
      .axi_arlen_i  (axi_arlen_i[r]),
      .axi_arvalid_i(axi_arvalid_i[r]),
      .axi_arready_o(axi_arready_o[r]),
      .axi_rdata_o  (axi_rdata_o[r]),
      .axi_rresp_o  (axi_rresp_o[r]),
      .axi_rlast_o  (axi_rlast_o[r]),
      .axi_rvalid_o (axi_rvalid_o[r]),
      .axi_rready_i (axi_rready_i[r]),
      .bank_addr_o  (read_addr[r]),
      .bank_valid_o (read_valid[r]),
      .bank_grant_i (read_grant[r]),
      .bank_data_i  (read_data)
    );
  end

  for (genvar w = 0; w < Writers; w++) begin : gen_write
    flex_on_chip_write #(
      .DataBytes     (DataBytes),
      .Words         (Words),
      .Banks         (Banks),
      .MaxOutstanding(MaxOutstanding)
    ) u_write (
      .clk_i,
      .rst_ni,
      .axi_awaddr_i (axi_awaddr_i[w]),
      .axi_awlen_i  (axi_awlen_i[w]),
      .axi_awvalid_i(axi_awvalid_i[w]),
      .axi_awready_o(axi_awready_o[w]),
      .axi_wdata_i  (axi_wdata_i[w]),
      .axi_wstrb_i  (axi_wstrb_i[w]),
      .axi_wlast_i  (axi_wlast_i[w]),
      .axi_wvalid_i (axi_wvalid_i[w]),
      .axi_wready_o (axi_wready_o[w]),
      .axi_bresp_o  (axi_bresp_o[w]),
      .axi_bvalid_o (axi_bvalid_o[w]),
      .axi_bready_i (axi_bready_i[w]),
      .bank_addr_o  (write_addr[w]),
      .bank_data_o  (write_data[w]),
      .bank_strb_o  (write_strb[w]),
      .bank_valid_o (write_valid[w]),
      .bank_grant_i (write_grant[w])
    );
  end

  for (genvar b = 0; b < Banks; b++) begin : gen_bank

    logic [Readers-1:0] bank_reads, bank_read_grants;
    logic [Writers-1:0] bank_writes, bank_write_grants;

    for (genvar r = 0; r < Readers; r++) begin : gen_reader
      assign bank_reads[r]    = read_valid[r][b];
      assign read_grant[r][b] = bank_read_grants[r];
    end

    for (genvar w = 0; w < Writers; w++) begin : gen_writer
      assign bank_writes[w]    = write_valid[w][b];
      assign write_grant[w][b] = bank_write_grants[w];
    end

    flex_on_chip_bank #(
      .DataBytes(DataBytes),
      .Words    (BankWords),
      .Readers  (Readers),
      .Writers  (Writers)
    ) u_bank (
      .clk_i,
      .rst_ni,
      .read_addr_i  (read_addr),
      .read_valid_i (bank_reads),
      .read_grant_o (bank_read_grants),
      .read_data_o  (read_data[b]),
      .write_addr_i (write_addr),
      .write_data_i (write_data),
      .write_strb_i (write_strb),
      .write_valid_i(bank_writes),
      .write_grant_o(bank_write_grants)
    );
  end

  // A port asks one bank at a time.
  for (genvar r = 0; r < Readers; r++) begin : gen_read_check
    `FLEX_ASSERT(OneBank, $onehot0(read_valid[r]))
  end

endmodule
