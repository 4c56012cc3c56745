# SPDX-License-Identifier: Apache-2.0
"""flexcc: an ONNX-to-FPGA accelerator compiler."""

__all__ = ["__version__"]

__version__ = "0.1.0"
