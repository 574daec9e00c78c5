"""Public names, and what importing them costs."""

import subprocess
import sys

import pytest

import paddlex_triton
from paddlex_triton import client

EXPECTED = {
    "NO_RETRIES",
    "AsyncPipeline",
    "BaseResult",
    "DocPreprocessorResult",
    "KeypointDetectionResult",
    "LayoutDetectionResult",
    "OCRResult",
    "Pipeline",
    "RetryPolicy",
    "SealRecognitionResult",
    "create_async_pipeline",
    "create_pipeline",
    "exceptions",
}


def test_exported_members():
    assert set(client.__all__) == EXPECTED
    assert set(paddlex_triton.__all__) == EXPECTED | {"__version__"}
    for name in EXPECTED - {"exceptions"}:
        assert getattr(paddlex_triton, name) is getattr(client, name)
    # A module of its own, so that it can be imported by that name.
    assert paddlex_triton.exceptions.InputError is client.exceptions.InputError
    assert set(dir(paddlex_triton)) == set(paddlex_triton.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = paddlex_triton.nonsense  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import paddlex_triton", {"numpy", "cv2", "pydantic", "tritonclient", "grpc"}),
        ("import paddlex_triton.client.cli", {"cv2", "tritonclient", "grpc", "pypdfium2", "onnxruntime", "onnx"}),
        ("import paddlex_triton; paddlex_triton.create_pipeline", {"grpc", "pytriton", "onnxruntime", "pyclipper"}),
    ],
)
def test_imports_stay_light(statement, absent):
    code = f"import sys; {statement}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert absent.isdisjoint(loaded), sorted(absent & set(loaded))
