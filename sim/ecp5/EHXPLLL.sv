// SPDX-License-Identifier: Apache-2.0
//
// PLL of ECP5, as far as flex_ulx3s uses it: in simulation the output is the input, whatever the dividers say, and the
// lock comes after some cycles. Synthesis takes the module as given.

module EHXPLLL #(
  parameter int    CLKI_DIV     = 5,
  parameter int    CLKFB_DIV    = 12,
  parameter int    CLKOP_DIV    = 10,
  parameter int    CLKOP_CPHASE = 9,
  parameter string CLKOP_ENABLE = "ENABLED",
  parameter string FEEDBK_PATH  = "CLKOP"
) (
  input  logic CLKI,
  input  logic CLKFB,
  input  logic RST,
  input  logic STDBY,
  input  logic PHASESEL0,
  input  logic PHASESEL1,
  input  logic PHASEDIR,
  input  logic PHASESTEP,
  input  logic PHASELOADREG,
  input  logic PLLWAKESYNC,
  input  logic ENCLKOP,
  output logic CLKOP,
  output logic LOCK
);

  // From 25 MHz the oscillator runs at 400 to 800 MHz. Constants of the module would become parameters of its cells.
  if (25 * CLKFB_DIV * CLKOP_DIV < 400 * CLKI_DIV || 25 * CLKFB_DIV * CLKOP_DIV > 800 * CLKI_DIV)
  begin : gen_out_of_range
    $fatal(1, "the oscillator would not run between 400 and 800 MHz");
  end
  if (CLKOP_ENABLE != "ENABLED" || FEEDBK_PATH != "CLKOP" || CLKOP_CPHASE != CLKOP_DIV - 1)
  begin : gen_not_modelled
    $fatal(1, "only a feedback of CLKOP without phase is modelled");
  end

  logic [2:0] locked_q;
  logic unused_pins;

  assign unused_pins = ^{CLKFB, RST, STDBY, PHASESEL0, PHASESEL1, PHASEDIR, PHASESTEP, PHASELOADREG,
                         PLLWAKESYNC, ENCLKOP};
  assign CLKOP = CLKI;
  assign LOCK = locked_q[2];

  initial locked_q = '0;
  always_ff @(posedge CLKI) locked_q <= {locked_q[1:0], 1'b1};

endmodule
