"""PaddleX's command line, with keypoint networks allowed on ONNX Runtime: `paddlex_command.py --serve ...`."""

from __future__ import annotations

from paddlex_pipeline import allow_keypoints


def main() -> None:
    """Run PaddleX's command line."""
    allow_keypoints()
    from paddlex.__main__ import console_entry  # pyright: ignore[reportMissingImports]

    console_entry()


if __name__ == "__main__":
    main()
