// SPDX-License-Identifier: Apache-2.0
//
// RAM block of ECP5 as netlists use it: 18 Kbit, two ports of 1 to 18 bits, or one that writes and one that reads 36.
//
// Written from FPGA-TN-02204 (memory usage guide). Not modelled: output registers, resets, initial contents, different clocks.

module DP16KD #(
  parameter int            DATA_WIDTH_A        = 18,
  parameter int            DATA_WIDTH_B        = 18,
  parameter string         REGMODE_A           = "NOREG",
  parameter string         REGMODE_B           = "NOREG",
  parameter string         WRITEMODE_A         = "NORMAL",
  parameter string         WRITEMODE_B         = "NORMAL",
  parameter string         CSDECODE_A          = "0b000",
  parameter string         CSDECODE_B          = "0b000",
  parameter string         RESETMODE           = "SYNC",
  parameter string         ASYNC_RESET_RELEASE = "SYNC",
  parameter string         GSR                 = "DISABLED",
  parameter string         CLKAMUX             = "CLKA",
  parameter string         CLKBMUX             = "CLKB",
  parameter logic  [319:0] INITVAL_00          = '0,
  parameter logic  [319:0] INITVAL_01          = '0,
  parameter logic  [319:0] INITVAL_02          = '0,
  parameter logic  [319:0] INITVAL_03          = '0,
  parameter logic  [319:0] INITVAL_04          = '0,
  parameter logic  [319:0] INITVAL_05          = '0,
  parameter logic  [319:0] INITVAL_06          = '0,
  parameter logic  [319:0] INITVAL_07          = '0,
  parameter logic  [319:0] INITVAL_08          = '0,
  parameter logic  [319:0] INITVAL_09          = '0,
  parameter logic  [319:0] INITVAL_0A          = '0,
  parameter logic  [319:0] INITVAL_0B          = '0,
  parameter logic  [319:0] INITVAL_0C          = '0,
  parameter logic  [319:0] INITVAL_0D          = '0,
  parameter logic  [319:0] INITVAL_0E          = '0,
  parameter logic  [319:0] INITVAL_0F          = '0,
  parameter logic  [319:0] INITVAL_10          = '0,
  parameter logic  [319:0] INITVAL_11          = '0,
  parameter logic  [319:0] INITVAL_12          = '0,
  parameter logic  [319:0] INITVAL_13          = '0,
  parameter logic  [319:0] INITVAL_14          = '0,
  parameter logic  [319:0] INITVAL_15          = '0,
  parameter logic  [319:0] INITVAL_16          = '0,
  parameter logic  [319:0] INITVAL_17          = '0,
  parameter logic  [319:0] INITVAL_18          = '0,
  parameter logic  [319:0] INITVAL_19          = '0,
  parameter logic  [319:0] INITVAL_1A          = '0,
  parameter logic  [319:0] INITVAL_1B          = '0,
  parameter logic  [319:0] INITVAL_1C          = '0,
  parameter logic  [319:0] INITVAL_1D          = '0,
  parameter logic  [319:0] INITVAL_1E          = '0,
  parameter logic  [319:0] INITVAL_1F          = '0,
  parameter logic  [319:0] INITVAL_20          = '0,
  parameter logic  [319:0] INITVAL_21          = '0,
  parameter logic  [319:0] INITVAL_22          = '0,
  parameter logic  [319:0] INITVAL_23          = '0,
  parameter logic  [319:0] INITVAL_24          = '0,
  parameter logic  [319:0] INITVAL_25          = '0,
  parameter logic  [319:0] INITVAL_26          = '0,
  parameter logic  [319:0] INITVAL_27          = '0,
  parameter logic  [319:0] INITVAL_28          = '0,
  parameter logic  [319:0] INITVAL_29          = '0,
  parameter logic  [319:0] INITVAL_2A          = '0,
  parameter logic  [319:0] INITVAL_2B          = '0,
  parameter logic  [319:0] INITVAL_2C          = '0,
  parameter logic  [319:0] INITVAL_2D          = '0,
  parameter logic  [319:0] INITVAL_2E          = '0,
  parameter logic  [319:0] INITVAL_2F          = '0,
  parameter logic  [319:0] INITVAL_30          = '0,
  parameter logic  [319:0] INITVAL_31          = '0,
  parameter logic  [319:0] INITVAL_32          = '0,
  parameter logic  [319:0] INITVAL_33          = '0,
  parameter logic  [319:0] INITVAL_34          = '0,
  parameter logic  [319:0] INITVAL_35          = '0,
  parameter logic  [319:0] INITVAL_36          = '0,
  parameter logic  [319:0] INITVAL_37          = '0,
  parameter logic  [319:0] INITVAL_38          = '0,
  parameter logic  [319:0] INITVAL_39          = '0,
  parameter logic  [319:0] INITVAL_3A          = '0,
  parameter logic  [319:0] INITVAL_3B          = '0,
  parameter logic  [319:0] INITVAL_3C          = '0,
  parameter logic  [319:0] INITVAL_3D          = '0,
  parameter logic  [319:0] INITVAL_3E          = '0,
  parameter logic  [319:0] INITVAL_3F          = '0
) (
  input  logic ADA0,
  ADA1,
  ADA2,
  ADA3,
  ADA4,
  ADA5,
  ADA6,
  ADA7,
  ADA8,
  ADA9,
  ADA10,
  ADA11,
  ADA12,
  ADA13,
  input  logic DIA0,
  DIA1,
  DIA2,
  DIA3,
  DIA4,
  DIA5,
  DIA6,
  DIA7,
  DIA8,
  DIA9,
  DIA10,
  DIA11,
  DIA12,
  DIA13,
  DIA14,
  DIA15,
  DIA16,
  DIA17,
  input  logic CSA0,
  CSA1,
  CSA2,
  input  logic ADB0,
  ADB1,
  ADB2,
  ADB3,
  ADB4,
  ADB5,
  ADB6,
  ADB7,
  ADB8,
  ADB9,
  ADB10,
  ADB11,
  ADB12,
  ADB13,
  input  logic DIB0,
  DIB1,
  DIB2,
  DIB3,
  DIB4,
  DIB5,
  DIB6,
  DIB7,
  DIB8,
  DIB9,
  DIB10,
  DIB11,
  DIB12,
  DIB13,
  DIB14,
  DIB15,
  DIB16,
  DIB17,
  input  logic CSB0,
  CSB1,
  CSB2,
  input  logic CLKA,
  CLKB,
  CEA,
  CEB,
  OCEA,
  OCEB,
  WEA,
  WEB,
  RSTA,
  RSTB,
  output logic DOA0,
  DOA1,
  DOA2,
  DOA3,
  DOA4,
  DOA5,
  DOA6,
  DOA7,
  DOA8,
  DOA9,
  DOA10,
  DOA11,
  DOA12,
  DOA13,
  DOA14,
  DOA15,
  DOA16,
  DOA17,
  DOB0,
  DOB1,
  DOB2,
  DOB3,
  DOB4,
  DOB5,
  DOB6,
  DOB7,
  DOB8,
  DOB9,
  DOB10,
  DOB11,
  DOB12,
  DOB13,
  DOB14,
  DOB15,
  DOB16,
  DOB17
);

  if (REGMODE_A != "NOREG" || REGMODE_B != "NOREG" ||
      CSDECODE_A != "0b000" || CSDECODE_B != "0b000")
  begin : gen_not_modelled
    $fatal(1, "neither output registers nor decoders are modelled");
  end

  // Bytes of nine bits: eight of data, a ninth that only widths from nine on reach.
  logic [8:0] mem[2048];

  logic [13:0] ad_a;
  logic [17:0] di_a;
  logic select_a;
  assign ad_a = {
    ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0
  };
  assign di_a = {
    DIA17,
    DIA16,
    DIA15,
    DIA14,
    DIA13,
    DIA12,
    DIA11,
    DIA10,
    DIA9,
    DIA8,
    DIA7,
    DIA6,
    DIA5,
    DIA4,
    DIA3,
    DIA2,
    DIA1,
    DIA0
  };
  assign select_a = CEA && {CSA2, CSA1, CSA0} == '0;

  logic [13:0] ad_b;
  logic [17:0] di_b;
  logic select_b;
  assign ad_b = {
    ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0
  };
  assign di_b = {
    DIB17,
    DIB16,
    DIB15,
    DIB14,
    DIB13,
    DIB12,
    DIB11,
    DIB10,
    DIB9,
    DIB8,
    DIB7,
    DIB6,
    DIB5,
    DIB4,
    DIB3,
    DIB2,
    DIB1,
    DIB0
  };
  assign select_b = CEB && {CSB2, CSB1, CSB0} == '0;

  // Up to four bytes from the one that the address names; below nine bits some of one.
  function automatic logic [35:0] read_word(int width, logic [13:0] ad);
    logic [35:0] word;
    word = '0;
    case (width)
      1: word[0] = mem[ad[13:3]][{1'b0, ad[2:0]}];
      2: word[1:0] = mem[ad[13:3]][{1'b0, ad[2:1], 1'b0}+:2];
      4: word[3:0] = mem[ad[13:3]][{1'b0, ad[2], 2'b00}+:4];
      9: word[8:0] = mem[ad[13:3]];
      18: for (int i = 0; i < 2; i++) word[9*i+:9] = mem[{ad[13:4], 1'(i)}];
      36: for (int i = 0; i < 4; i++) word[9*i+:9] = mem[{ad[13:5], 2'(i)}];
      default: $fatal(1, "no such width");
    endcase
    return word;
  endfunction

  // Below 36 bits a port has its own data; a byte of 18 or 36 is written when the low address bit of its number is one.
  logic [35:0] out_a_q, out_b_q;
  logic [35:0] in_a;

  assign in_a = {di_b, di_a};

  always_ff @(posedge CLKA) begin
    if (select_a && !WEA && DATA_WIDTH_A != 36) out_a_q <= read_word(DATA_WIDTH_A, ad_a);
    if (select_a && WEA && WRITEMODE_A == "READBEFOREWRITE")
      out_a_q <= read_word(DATA_WIDTH_A, ad_a);
    if (select_a && WEA) begin
      case (DATA_WIDTH_A)
        1: mem[ad_a[13:3]][{1'b0, ad_a[2:0]}] <= in_a[0];
        2: mem[ad_a[13:3]][{1'b0, ad_a[2:1], 1'b0}+:2] <= in_a[1:0];
        4: mem[ad_a[13:3]][{1'b0, ad_a[2], 2'b00}+:4] <= in_a[3:0];
        9: mem[ad_a[13:3]] <= in_a[8:0];
        18: for (int i = 0; i < 2; i++) if (ad_a[i]) mem[{ad_a[13:4], 1'(i)}] <= in_a[9*i+:9];
        36: for (int i = 0; i < 4; i++) if (ad_a[i]) mem[{ad_a[13:5], 2'(i)}] <= in_a[9*i+:9];
        default: $fatal(1, "no such width");
      endcase
    end
  end

  // Data of the second port are written by no netlist of this project.
  always_ff @(posedge CLKB) begin
    if (select_b) begin
      out_b_q <= read_word(DATA_WIDTH_B, ad_b);
      if (WEB) $fatal(1, "a write of port B is not modelled");
    end
    if ((RSTA || RSTB) && $time > 0) $fatal(1, "a reset is not modelled");
  end

  // Of a word of 36 bits, which the second port reads, the first one's pins have the lower half.
  assign {
      DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6,
      DOA5, DOA4, DOA3, DOA2, DOA1, DOA0
  } = DATA_WIDTH_B == 36 ? out_b_q[17:0] : out_a_q[17:0];
  assign {
      DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6,
      DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
  } = DATA_WIDTH_B == 36 ? out_b_q[35:18] : out_b_q[17:0];

  logic unused_pins;
  assign unused_pins = ^{OCEA, OCEB, out_a_q[35:18]};

endmodule
