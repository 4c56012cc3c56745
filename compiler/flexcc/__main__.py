# SPDX-License-Identifier: Apache-2.0
"""`python -m flexcc` is the command line."""

from flexcc.cli import main

main()
