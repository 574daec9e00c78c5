"""What the Python-based backends share: configurations and their check, batching, turns, requests and responses.

An engine adds a class derived from `runner.Runner` and a `model.py`. Nothing here but `triton` imports
`triton_python_backend_utils`.
"""
