"""Graph surgery: what export changes in an ONNX graph, and nothing else."""
