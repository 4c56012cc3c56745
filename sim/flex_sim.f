// SPDX-License-Identifier: Apache-2.0
//
// SystemVerilog sources used in simulation only, in dependency order. One path a line, relative to
// this folder. A C++ file of the same name beside a module is its DPI half.
memory/flex_sim_axi_memory.sv
harness/flex_sim_account.sv
harness/flex_sim_top.sv
