"""ONNX graphs: reading, cutting, editing and running them."""
