"""The code that runs inside Triton: the base class of the modules in `model_repository`, and what they share."""
