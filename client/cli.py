"""Command `predict`: one subcommand per pipeline, with PaddleX's options."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup

from paddlex_triton.client.options import option_help, option_metavar, parse_option
from paddlex_triton.limits import MAX_PAGES_IN_FLIGHT, MAX_TIMEOUT_S
from paddlex_triton.network_choice import NetworkChoice
from paddlex_triton.params import MODEL_NAME_SUFFIX
from paddlex_triton.pipeline_file import PipelineFileError, is_pipeline_file, read_pipeline_file
from paddlex_triton.pipeline_file import cli as pipeline_file_cli
from paddlex_triton.pipelines import PIPELINES, ChoiceError, PipelineSpec, find_pipeline

if TYPE_CHECKING:
    from paddlex_triton.client.pipeline import Outcome

_KEYWORD = inspect.Parameter.KEYWORD_ONLY
_SERVER, _IGNORED, _PARAMETERS = "Server", "Decided by the server", "Parameters of the pipeline"
_NETWORKS = "Networks, where the server has several for a step"


# Where the pipeline file that was named is kept while a command runs.
_FILE = "paddlex_triton.pipeline_file"


class _PipelineGroup(TyperGroup):
    """Finds a pipeline by PaddleX's name or its ensemble's, whatever the case, or by its file."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if is_pipeline_file(cmd_name):
            ctx.meta[_FILE] = cmd_name
            cmd_name = _pipeline_of(cmd_name)
        try:
            cmd_name = find_pipeline(cmd_name).name
        except ChoiceError as error:
            raise typer.BadParameter(str(error)) from None
        return super().get_command(ctx, cmd_name)


def _pipeline_of(file: str) -> str:
    """The name of a file's pipeline, whose options then are to be had."""
    try:
        return read_pipeline_file(Path(file)).spec.name
    except PipelineFileError as error:
        raise typer.BadParameter(str(error)) from None


def register(app: typer.Typer) -> None:
    """Add this package's commands."""
    group = typer.Typer(
        cls=_PipelineGroup,
        no_args_is_help=True,
        # PaddleX writes underscores; people's fingers write dashes.
        context_settings={"token_normalize_func": lambda token: token.replace("-", "_")},
    )
    for spec in PIPELINES.values():
        group.command(spec.name, help=f"Run the {spec.name} pipeline on images, PDF and TIFF files.")(_command(spec))
    # A lone command would otherwise become the group itself.
    group.callback()(_no_options)
    app.add_typer(group, name="predict", help="Run a pipeline, or a pipeline file: predict OCR --input page.jpg")


def paddlex_spelling(arguments: Sequence[str]) -> list[str]:
    """Turn `--pipeline OCR --input ...` into `predict OCR --input ...`; leave everything else as it is.

    Also `--get_pipeline_config OCR` into `get-pipeline-config OCR`.
    """
    rest = list(arguments)
    if rest and rest[0].startswith("-") and (written := pipeline_file_cli.paddlex_spelling(rest)):
        return written
    if not rest or not (rest[0].startswith("-") or rest[0] == "predict"):
        return rest
    for index, argument in enumerate(rest):
        option, equals, name = argument.partition("=")
        if option == "--pipeline" and (equals or index + 1 < len(rest)):
            after = rest[index + 1 :] if equals else rest[index + 2 :]
            before = [given for given in rest[:index] if given != "predict"]
            return ["predict", name if equals else rest[index + 1], *before, *after]
    return rest


def _no_options() -> None:
    """Run a pipeline on images, PDF and TIFF files, and print what it finds."""


def _command(spec: PipelineSpec) -> Callable[..., None]:
    """A function whose signature is the command's: typer reads options from there."""

    def predict(ctx: typer.Context, **values: Any) -> None:
        texts = {name: values.pop(name) for name in spec.params.model_fields}
        with _plain_errors():
            given = {name: parse_option(spec.params, name, text) for name, text in texts.items() if text is not None}
            _run(ctx.meta.get(_FILE, spec.name), given, **values)

    options = {name: (annotation, default) for name, annotation, default in _common_options(spec)}
    for name, field in spec.params.model_fields.items():
        of_network = name.endswith(MODEL_NAME_SUFFIX)
        option = typer.Option(
            f"--{name}",
            help=str(field.description) if of_network else option_help(field),
            metavar="NETWORK" if of_network else option_metavar(field),
            rich_help_panel=_NETWORKS if of_network else _PARAMETERS,
            show_default=False,
        )
        options[name] = (Annotated[str | None, option], None)
    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [
        context,
        *(
            inspect.Parameter(name, _KEYWORD, annotation=annotation, default=default)
            for name, (annotation, default) in options.items()
        ),
    ]
    predict.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
    predict.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return predict


def _unnamed_preset(spec: PipelineSpec) -> str:
    if spec.fallback_preset is None:
        return f"{spec.default_preset}'s"
    return f"{spec.default_preset}'s, or {spec.fallback_preset}'s where those are not exported"


def _optional_steps(spec: PipelineSpec) -> str:
    return ", and optional steps are on where their networks are exported" if spec.when_exported else ""


def _common_options(spec: PipelineSpec) -> list[tuple[str, Any, Any]]:
    def option(name: str, text: str, panel: str | None = None, metavar: str | None = None) -> Any:
        return typer.Option(f"--{name}", help=text, rich_help_panel=panel, metavar=metavar)

    text = str | None
    return [
        ("more", Annotated[list[str] | None, typer.Argument(help="Further inputs.", metavar="PATH")], None),
        (
            "input",
            Annotated[
                list[str] | None,
                option(
                    "input",
                    "File, URL or directory; may be repeated. PDF and TIFF files give a result for every page.",
                    None,
                    "PATH",
                ),
            ],
            None,
        ),
        ("save_path", Annotated[Path | None, option("save_path", "Folder for JSON and pictures.")], None),
        (
            "url",
            Annotated[
                text, option("url", "host:port, grpc://... or http://...; without it a server is found.", _SERVER)
            ],
            None,
        ),
        ("protocol", Annotated[text, option("protocol", "grpc or http; grpc by default.", _SERVER)], None),
        (
            "timeout",
            Annotated[float, option("timeout", f"Seconds for a page, at most {MAX_TIMEOUT_S}.", _SERVER)],
            300.0,
        ),
        (
            "max_in_flight",
            Annotated[
                int, option("max_in_flight", f"Pages on their way at once, at most {MAX_PAGES_IN_FLIGHT}.", _SERVER)
            ],
            4,
        ),
        (
            "preset",
            Annotated[
                text,
                option(
                    "preset",
                    f"One of PaddleX's presets: {', '.join(spec.presets)}. The embedded server runs on its "
                    "networks; steps that it has no network for are off. Without one it runs on "
                    f"{_unnamed_preset(spec)}{_optional_steps(spec)}.",
                    _SERVER,
                    "NAME",
                ),
            ],
            None,
        ),
        (
            "model",
            Annotated[
                list[str] | None,
                option(
                    "model",
                    "Network of the embedded server in place of the preset's, or several, the default one first; STEP= "
                    f"leaves an optional step off. May be repeated. Steps: {', '.join(spec.steps)}.",
                    _SERVER,
                    "STEP=NETWORK,...",
                ),
            ],
            None,
        ),
        ("device", Annotated[text, option("device", "Ignored, with a warning.", _IGNORED)], None),
        ("engine", Annotated[text, option("engine", "Ignored, with a warning.", _IGNORED)], None),
        ("use_hpip", Annotated[bool, option("use_hpip", "Ignored, with a warning.", _IGNORED)], False),
        ("hpi_config", Annotated[text, option("hpi_config", "Ignored, with a warning.", _IGNORED)], None),
    ]


def _run(
    pipeline: str,
    params: dict[str, Any],
    *,
    more: list[str] | None,
    input: list[str] | None,
    save_path: Path | None,
    device: str | None,
    engine: str | None,
    use_hpip: bool,
    hpi_config: str | None,
    model: list[str] | None,
    **connection: Any,
) -> None:
    from paddlex_triton.client.pipeline import create_pipeline

    inputs = [*(input or []), *(more or [])]
    if not inputs:
        raise typer.BadParameter("give at least one file, URL or directory", param_hint="--input")
    ignored = {"device": device, "engine": engine, "use_hpip": use_hpip or None, "hpi_config": hpi_config}
    failed = False
    with create_pipeline(pipeline, models=_models(model), **ignored, **connection) as created:
        for outcome in created._predict_all(inputs, params):
            failed = not _show(outcome, save_path) or failed
    if failed:
        raise typer.Exit(1)


def _models(given: list[str] | None) -> NetworkChoice | None:
    """`STEP=NETWORK` as `models` of `create_pipeline`."""
    try:
        return NetworkChoice.parse(given) if given else None
    except ChoiceError as error:
        raise typer.BadParameter(str(error), param_hint="--model") from None


def _show(outcome: Outcome, save_path: Path | None) -> bool:
    """Print and save a result, or say in a line why there is none. Whether there was one.

    Raises:
        PaddleXTritonError: it would be the same for all other pages.
    """
    from paddlex_triton.client import exceptions

    of_one_page = (
        exceptions.InputError,
        exceptions.InvalidImageError,
        exceptions.ImageTooLargeError,
        exceptions.DeadlineExceededError,
        exceptions.ServerError,
    )
    try:
        if isinstance(outcome, exceptions.PaddleXTritonError):
            raise outcome
        outcome.print()
        if save_path is not None:
            outcome.save_all(save_path)
    except of_one_page as error:
        _print_error(error)
        return False
    return True


@contextmanager
def _plain_errors() -> Iterator[None]:
    """One line on the standard error for what went wrong, and for every warning."""
    from paddlex_triton.client.exceptions import PaddleXTritonError

    console = _stderr()

    def show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
        console.print(f"[bold yellow]Warning:[/bold yellow] {escape(str(message))}")

    with warnings.catch_warnings():
        warnings.showwarning = show_warning
        try:
            yield
        except (PaddleXTritonError, OSError) as error:
            _print_error(error)
            raise typer.Exit(1) from None


def _print_error(error: Exception) -> None:
    text = " ".join(str(error).splitlines())
    _stderr().print(f"[bold red]Error:[/bold red] {escape(text)}")


def _stderr() -> Console:
    return Console(stderr=True, soft_wrap=True, highlight=False)
