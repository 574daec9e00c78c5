"""Putting a server together and starting it: choosing networks, assembling the directory to serve, launching Triton."""
