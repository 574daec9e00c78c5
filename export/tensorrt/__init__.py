"""Makes TensorRT plans of exported networks: profiles, precisions, the build with trtexec, the comparison with FP32.

`trtexec` and `profiles` import nothing heavy; `build` needs the extra `paddlex-triton[export]`. What reads plans that
are there is `paddlex_triton.tensorrt_plans`.
"""
