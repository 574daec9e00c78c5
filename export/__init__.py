"""Export: official or own weights to verified Triton networks.

`api` exports one network: weights come from `sources` (PaddlePaddle models by way of `paddle`), `inference_file` reads
how they are used, `families` and `graph` edit the ONNX file, `verify` proves it equal to its source, and `install`
writes it into a repository. `tensorrt` makes plans of networks that are there. `cli` and `commandline` are the commands
`export` and `models`; they and `lookup` import nothing heavy, the rest needs the extra `paddlex-triton[export]`.
"""

if __name__ != "paddlex_triton.export":
    raise ImportError("this folder is the package paddlex_triton.export: import that")
