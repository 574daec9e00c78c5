"""Asks PaddleX's own pipelines about pipeline files. Run by an interpreter that has PaddleX; needs nothing of this
project.

    python paddlex_pipeline_files.py files.json answers.json

files.json maps names to what pipeline files hold; answers.json gets for each name `models`, in the order in which they
are made: the section they are made of and the arguments they are given; and `values`, what the pipelines remember
beside them. Or `error`, the type of what the pipeline raised.
"""

import json
import sys
from pathlib import Path
from typing import Any

REMEMBERED = ("text_rec_score_thresh", "return_word_box", "text_type", "det_threshold")


class _Stub:
    input_size = (1, 1)


def main(source: str, target: str) -> None:
    from paddlex import create_pipeline  # pyright: ignore[reportMissingImports]
    from paddlex.inference.pipelines.base import BasePipeline  # pyright: ignore[reportMissingImports]

    models: list[Any] = []
    pipelines: list[Any] = []
    make_pipeline = BasePipeline.create_pipeline

    def create_model(self: Any, config: dict[str, Any], **arguments: Any) -> _Stub:
        if "model_config_error" in config:
            raise ValueError(config["model_config_error"])
        made = {"model_name": config["model_name"], "batch_size": config.get("batch_size", 1), **arguments}
        models.append({"step": config.get("module_name"), **made})
        return _Stub()

    def remember(self: Any, config: dict[str, Any], **arguments: Any) -> Any:
        made = make_pipeline(self, config, **arguments)
        pipelines.append(made)
        return made

    BasePipeline.create_model = create_model
    BasePipeline.create_pipeline = remember
    answers = {}
    cases = json.loads(Path(source).read_text(encoding="utf-8"))
    for name, config in cases.items():
        models.clear()
        pipelines.clear()
        try:
            pipelines.append(create_pipeline(config=config, device="cpu"))
            answers[name] = {"models": list(models), "values": _values(pipelines)}
        except Exception as error:
            answers[name] = {"error": type(error).__name__}
    Path(target).write_text(json.dumps(answers, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _values(pipelines: list[Any]) -> dict[str, Any]:
    inner = [getattr(pipeline, "_pipeline", pipeline) for pipeline in pipelines]
    return {
        name: getattr(pipeline, name)
        for pipeline in inner
        for name in (*REMEMBERED, *(name for name in vars(pipeline) if name.startswith("use_")))
        if hasattr(pipeline, name) and name not in ("use_hpip",)
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
