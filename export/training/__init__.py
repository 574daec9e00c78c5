"""Networks of our own for seals: synthetic pages to train on, training, evaluation, ONNX export."""
