"""The layout network that comes along: synthetic pages to train it on, training, evaluation, ONNX export."""
