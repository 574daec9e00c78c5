"""PaddleX in this process, on ONNX Runtime."""

from __future__ import annotations

from typing import Any

from driver_loop import Driver, serve
from paddlex_pipeline import ENGINE, PACKAGES, allow_keypoints, configuration
from result_lines import lines_of


class PaddleX(Driver):
    """PaddleX's `create_pipeline` and `predict`."""

    packages = PACKAGES

    def open(self, request: dict[str, Any]) -> None:
        """Make the pipeline of `networks`, with so many `threads` (0: its choice); `params` go to each `predict`."""
        from paddlex import create_pipeline  # pyright: ignore[reportMissingImports]

        self._name, self._params = request["pipeline"], request["params"]
        if self._name == "human_keypoint_detection":
            allow_keypoints()
        config = configuration(self._name, request["networks"])
        self._pipeline = create_pipeline(config=config, device="cpu", engine=ENGINE, **_threads(request["threads"]))

    def read(self, path: str) -> list[str]:
        """Predict one file."""
        (result,) = self._pipeline.predict(path, **self._params)
        return lines_of(self._name, result)


def _threads(count: int) -> dict[str, Any]:
    return {"engine_config": {"intra_op_num_threads": count}} if count else {}


if __name__ == "__main__":
    serve(PaddleX())
