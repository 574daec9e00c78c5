"""Triton backends in Python: one folder each, with the `model.py` that Triton runs and what it is made of."""
