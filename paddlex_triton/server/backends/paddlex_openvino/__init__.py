"""The logic of the `paddlex_openvino` backend: ONNX files in Intel's OpenVINO, on CPUs.

NVIDIA's own `openvino` backend cannot be told the precision that answers need: on CPUs with bfloat16 OpenVINO computes
in it by default, and hundreds of a text detector's pixels cross its threshold. So this one is served everywhere, in
NVIDIA's container too, under a name of its own. What it reads of a configuration: `options`.
"""
