// SPDX-License-Identifier: Apache-2.0
//
// The model as cocotb's main function sees it: `Vtop`, starting with clock and reset low.
//
// Verilator gives every input a random value at the start. A clock that happens to start high is a
// rising edge to the copies of it inside the design, before the bench can hold the reset.

#ifndef FLEX_SIM_START_VTOP_H
#define FLEX_SIM_START_VTOP_H

#include "Vmodel.h"

class Vtop final : public Vmodel {
 public:
  explicit Vtop(const char* name) : Vmodel(name) { hold_low(*this, 0); }

 private:
  template <typename Model>
  static auto hold_low(Model& model, int) -> decltype(model.clk_i = 0, model.rst_ni = 0, void()) {
    model.clk_i = 0;
    model.rst_ni = 0;
  }
  // A module without clock and reset.
  template <typename Model>
  static void hold_low(Model&, long) {}
};

#endif  // FLEX_SIM_START_VTOP_H
