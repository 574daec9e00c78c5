"""What puts a server together and starts it: choosing networks, assembling the directory to serve, launching Triton."""
