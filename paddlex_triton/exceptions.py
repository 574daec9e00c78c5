"""The exceptions of the client, see `paddlex_triton.client.exceptions`."""

from paddlex_triton.client.exceptions import *  # noqa: F403
