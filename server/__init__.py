"""What runs beside Triton: launcher, assembly, the base class of modules, the onnxruntime backend."""
