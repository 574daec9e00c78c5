"""Export: official or own weights to verified Triton networks.

`commands` and `zoo` import nothing heavy; `api` needs the extra `paddlex-triton[export]` (onnx, onnxruntime).
"""
