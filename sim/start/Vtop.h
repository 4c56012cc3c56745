// SPDX-License-Identifier: Apache-2.0
//
// The model as cocotb's main function sees it: `Vtop`, starting with clock and reset low, whose
// waveforms may begin and end at any time (sim/start/trace.py).
//
// Verilator gives every input a random value at the start. A clock that happens to start high is a
// rising edge to the copies of it inside the design, before the bench can hold the reset.

#ifndef FLEX_SIM_START_VTOP_H
#define FLEX_SIM_START_VTOP_H

#include "Vmodel.h"

#if VM_TRACE
#include <memory>

#include "verilated_fst_c.h"

double sc_time_stamp();
#endif

class Vtop final : public Vmodel {
 public:
  explicit Vtop(const char* name) : Vmodel(name) {
    hold_low(*this, 0);
#if VM_TRACE
    the_model = this;
#endif
  }

#if VM_TRACE
  void eval_end_step() {
    Vmodel::eval_end_step();
    if (waves) waves->dump(static_cast<uint64_t>(sc_time_stamp()));
  }

  static inline Vtop* the_model = nullptr;
  static inline std::unique_ptr<VerilatedFstC> waves;
#endif

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

#if VM_TRACE
// For the bench, in between time steps.
extern "C" {

// Writes all signals to the FST file `path` from now on. Returns 0, or 1 when some are written
// already.
int flex_sim_trace_open(const char* path) {
  if (Vtop::waves) return 1;
  auto waves = std::make_unique<VerilatedFstC>();
  Vtop::the_model->trace(waves.get(), 99);
  waves->open(path);
  Vtop::waves = std::move(waves);
  return 0;
}

void flex_sim_trace_close() {
  if (!Vtop::waves) return;
  Vtop::waves->close();
  Vtop::waves.reset();
}
}
#endif

#endif  // FLEX_SIM_START_VTOP_H
