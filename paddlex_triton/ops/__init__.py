"""Pure functions on numpy arrays: the arithmetic of the pipelines. No Triton, no I/O."""
