# SPDX-License-Identifier: Apache-2.0
"""How far the integer reference and ONNX Runtime agree on whole quantised networks."""
