"""TensorRT plans of exported networks: profiles, precisions, the build with trtexec, and the choice of one to serve.

`plans`, `target` and `profiles` import nothing heavy; `build` needs the extra `paddlex-triton[export]`.
"""
