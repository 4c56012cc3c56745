# SPDX-License-Identifier: Apache-2.0
"""What integers keep of networks that others have trained."""
