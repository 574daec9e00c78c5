"""Client library: inputs, transports, results."""
