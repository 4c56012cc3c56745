# SPDX-License-Identifier: Apache-2.0
"""The golden model: runs a graph in numpy, bit-exact for integers, and knows no taps."""

from flexcc.reference.convolution import accumulate
from flexcc.reference.run import run, run_float, run_layer

__all__ = ["accumulate", "run", "run_float", "run_layer"]
