"""Export: official or own weights to verified Triton networks.

`commands` and `zoo` import nothing heavy; `api` needs the extra `paddlex-triton[export]` (onnx, onnxruntime).
"""

if __name__ != "paddlex_triton.export":
    raise ImportError("this folder is the package paddlex_triton.export: import that")
