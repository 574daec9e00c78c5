"""Scripts that run contestants, each under the Python of its environment: see `driver_loop`."""
