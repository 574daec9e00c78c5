"""Command `get-pipeline-config`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paddlex_triton.pipelines import PIPELINES, ChoiceError, find_pipeline

_OPTION = "--get_pipeline_config"


def register(app: typer.Typer) -> None:
    """Add this package's command."""
    app.command("get-pipeline-config", help="Write a pipeline's file, to be edited and given as --pipeline FILE.")(
        get_pipeline_config
    )


def get_pipeline_config(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(PIPELINES)}.", metavar="NAME")],
    save_path: Annotated[
        Path | None,
        typer.Option("--save_path", "--save-path", help="Folder or .yaml file; NAME.yaml in the current folder."),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Whose networks it names; by default the default preset's.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a pipeline's file: its networks, and the defaults of its parameters."""
    from paddlex_triton.pipeline_file.writing import config_text, save_text, target_path

    try:
        spec = find_pipeline(name)
        text = config_text(spec, preset)
    except ChoiceError as error:
        raise typer.BadParameter(str(error)) from None
    path = target_path(spec, save_path)
    try:
        save_text(text, path, force=force)
    except FileExistsError:
        typer.echo(f"Error: {path} is there already; --force replaces it", err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        typer.echo(f"Error: {path} cannot be written: {error.strerror}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"The pipeline config has been saved to: {path}")


def paddlex_spelling(arguments: list[str]) -> list[str] | None:
    """`--get_pipeline_config OCR ...` as `get-pipeline-config OCR ...`; None if it is something else."""
    for index, argument in enumerate(arguments):
        option, equals, name = argument.partition("=")
        if option.replace("-", "_") != _OPTION.replace("-", "_"):
            continue
        given = [name] if equals else arguments[index + 1 : index + 2]
        rest = arguments[index + 1 :] if equals else arguments[index + 2 :]
        return ["get-pipeline-config", *given, *arguments[:index], *rest]
    return None
