"""The logic of the Python-based `onnxruntime` backend for machines without NVIDIA's C++ one.

`model.py` is what Triton runs. It serves the same config.pbtxt as the C++ backend of Triton 24.10, with the same
checks, batching and error texts.

What differs, because a Python-based backend cannot do otherwise or because it is not needed here:

- Runs on CPU only: KIND_GPU is refused when the model loads.
- `--backend-config=onnxruntime,...` does not reach a Python-based backend. So `default-max-batch-size` is always
  4 (the server's default), and there is no global thread pool: the counts of each model hold.
- Networks can take turns (`take_turns`, see `common.turns`), and `session.intra_op.allow_spinning` counts. Waiting for
  its turn is part of a run's time in Triton's statistics.
- After a run on large inputs the arena shrinks, see `common.runner.LARGE_INPUT_BYTES`.
- `batch_input`, `batch_output`, `allow_ragged_batch` and `sequence_batching` are refused when the model loads.
- An instance is a process with a session of its own; `share_session_between_instances` has no effect.
- Text of BYTES inputs must be UTF-8, because ONNX Runtime's Python API takes nothing else: a request with other
  bytes gets INVALID_ARG, the rest of its batch is served. (The C++ backend passes them on.)
- A BYTES output with fewer rows than its batch is refused like any other output (the C++ backend reads past its end).
- A failed load reads `Internal: TritonModelException: <text>` instead of `Invalid argument: <text>`, and a failed
  run still counts as an execution in Triton's statistics.
- Messages of failed runs name source files of ONNX Runtime without their folders.
"""
