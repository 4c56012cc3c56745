# SPDX-License-Identifier: Apache-2.0
"""What the values of the accelerator's registers mean; docs/rtl/csr.md explains them."""

# Engines in the order of their counters: three registers each, in the order of COUNTERS.
ENGINES = ("load", "weights", "array", "store")
COUNTERS = ("busy", "starved", "blocked")

ERRORS = {
    0: "none",
    1: "AXI error reading activations",
    2: "AXI error reading weights or program",
    3: "AXI error writing",
    4: "the program is not understood",
}
