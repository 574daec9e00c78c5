"""PaddlePaddle models to ONNX, in an environment of their own: the product's never imports PaddlePaddle."""
