"""RapidOCR 3 on ONNX Runtime or OpenVINO, with PaddleX's mobile networks of the fourth generation."""

from __future__ import annotations

from typing import Any

from driver_loop import Driver, serve


class RapidOCR3(Driver):
    """RapidOCR with its own thresholds and preparation; text lines are not turned."""

    packages = ("rapidocr", "onnxruntime", "openvino", "numpy", "opencv-python-headless")

    def open(self, request: dict[str, Any]) -> None:
        """Load `networks` into `engine`, "onnxruntime" or "openvino", with so many `threads` (0: its own choice)."""
        from rapidocr import EngineType, ModelType, OCRVersion, RapidOCR  # pyright: ignore

        engine = EngineType(request["engine"])
        if engine == EngineType.OPENVINO:
            _compute_in_float32()
        params: dict[str, Any] = {"Global.use_cls": False, "Global.log_level": "warning"}
        if request["threads"]:
            params["EngineConfig.onnxruntime.intra_op_num_threads"] = request["threads"]
            params["EngineConfig.openvino.inference_num_threads"] = request["threads"]
        for part, step in (("Det", "text_detection"), ("Rec", "text_recognition")):
            params |= {
                f"{part}.engine_type": engine,
                f"{part}.ocr_version": OCRVersion.PPOCRV4,
                f"{part}.model_type": ModelType.MOBILE,
                f"{part}.model_path": f"{request['networks'][step]['folder']}/inference.onnx",
            }
        side, kind = request["params"]["text_det_limit_side_len"], request["params"]["text_det_limit_type"]
        self._ocr = RapidOCR(params=params | {"Det.limit_side_len": side, "Det.limit_type": kind})

    def read(self, path: str) -> list[str]:
        """Read one file."""
        return list(self._ocr(path).txts or ())


def _compute_in_float32() -> None:
    """Have networks compiled for float32: OpenVINO takes bfloat16 where the CPU has it, and RapidOCR says nothing."""
    import openvino  # pyright: ignore[reportMissingImports]
    from rapidocr.inference_engine.openvino import main  # pyright: ignore[reportMissingImports]

    class Float32Core(openvino.Core):
        def compile_model(self, model: Any, device_name: Any = None, config: Any = None, **more: Any) -> Any:
            wanted = {"INFERENCE_PRECISION_HINT": "f32"}
            return super().compile_model(model, device_name, {**(config or {}), **wanted}, **more)

    main.Core = Float32Core


if __name__ == "__main__":
    serve(RapidOCR3())
