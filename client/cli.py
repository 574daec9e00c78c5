"""Command `predict`: one subcommand per pipeline, with PaddleX's options."""

from __future__ import annotations

import inspect
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup

from paddlex_triton.client.consoles import discard, flush, showable
from paddlex_triton.client.options import option_help, option_metavar, parse_option
from paddlex_triton.client.urls import split_urls
from paddlex_triton.client.wording import shown_text
from paddlex_triton.limits import MAX_MESSAGE_CHARACTERS, MAX_PAGES_IN_FLIGHT, MAX_TIMEOUT_S
from paddlex_triton.network_choice import NetworkChoice
from paddlex_triton.params import MODEL_NAME_SUFFIX
from paddlex_triton.pipeline_file import PipelineFileError, is_pipeline_file, read_pipeline_file
from paddlex_triton.pipeline_file import cli as pipeline_file_cli
from paddlex_triton.pipelines import PIPELINES, ChoiceError, PipelineSpec, find_pipeline

if TYPE_CHECKING:
    from paddlex_triton.client.inputs import PageReader
    from paddlex_triton.client.outputs import Output
    from paddlex_triton.client.pipeline import Outcome
    from paddlex_triton.client.report import RunReport

# Panels of the help.
_SERVER, _DECIDED, _PARAMETERS = "Server", "Decided by the server", "Parameters of the pipeline"
_NETWORKS = "Networks, where the server has several for a step"
_IGNORED = "Ignored, with a warning."

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
    """Return the name of a file's pipeline, whose options then are to be had."""
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


def _option(name: str, text: str, panel: str | None = None, metavar: str | None = None) -> Any:
    # The name is said: typer would write it with dashes.
    return typer.Option(f"--{name}", help=text, rich_help_panel=panel, metavar=metavar)


_INPUT_LIST = "File with one path or URL a line, - for the standard input; may stand beside other inputs."
_SAVE_PATH = "Folder for JSON and pictures; or a file ending in .jsonl, for a line of JSON a page and no printing."
_RESUME = "Go on with a run into a .jsonl file that was ended: pages that are in it are not read again."
_INPUT = "File, URL or directory; may be repeated. PDF and TIFF files give a result for every page."
_URL = "host:port, grpc://... or http://...; may be repeated for several servers. Without it a server is found."
_TIMEOUT = f"Seconds for a page, at most {MAX_TIMEOUT_S}."
_IN_FLIGHT = f"Pages on their way at once, at most {MAX_PAGES_IN_FLIGHT}."


def _predict(
    ctx: typer.Context,
    spec: PipelineSpec,
    more: Annotated[list[str] | None, typer.Argument(help="Further inputs.", metavar="PATH")] = None,
    *,
    input: Annotated[list[str] | None, _option("input", _INPUT, metavar="PATH")] = None,
    input_list: Annotated[str | None, _option("input_list", _INPUT_LIST, metavar="FILE")] = None,
    save_path: Annotated[Path | None, _option("save_path", _SAVE_PATH)] = None,
    resume: Annotated[bool, _option("resume", _RESUME)] = False,
    url: Annotated[list[str] | None, _option("url", _URL, _SERVER)] = None,
    protocol: Annotated[str | None, _option("protocol", "grpc or http; grpc by default.", _SERVER)] = None,
    timeout: Annotated[float, _option("timeout", _TIMEOUT, _SERVER)] = 300.0,
    max_in_flight: Annotated[int, _option("max_in_flight", _IN_FLIGHT, _SERVER)] = 4,
    preset: str | None,
    model: list[str] | None,
    device: Annotated[str | None, _option("device", _IGNORED, _DECIDED)] = None,
    engine: Annotated[str | None, _option("engine", _IGNORED, _DECIDED)] = None,
    use_hpip: Annotated[bool, _option("use_hpip", _IGNORED, _DECIDED)] = False,
    hpi_config: Annotated[str | None, _option("hpi_config", _IGNORED, _DECIDED)] = None,
    **params: str | None,
) -> None:
    from paddlex_triton.client.inputs import PageReader
    from paddlex_triton.client.pipeline import create_pipeline
    from paddlex_triton.client.report import RunReport

    report = RunReport()
    with _plain_errors(report):
        given = {name: parse_option(spec.params, name, text) for name, text in params.items() if text is not None}
        inputs = _inputs(input, more, input_list)
        is_bulk = input_list is not None or any(map(os.path.isdir, inputs))
        with (
            closing(_open_output(save_path, resume)) as output,
            create_pipeline(
                ctx.meta.get(_FILE, spec.name),
                url=split_urls(url) if url else None,
                protocol=protocol,
                timeout=timeout,
                max_in_flight=max_in_flight,
                preset=preset,
                models=_models(model),
                device=device,
                engine=engine,
                use_hpip=use_hpip or None,
                hpi_config=hpi_config,
            ) as pipeline,
        ):
            reader = PageReader(inputs, output.seen and output.seen.skip)
            try:
                _run(pipeline.predict_outcomes(reader, **given), reader, output, report, spec.name)
            finally:
                if is_bulk or output.is_bulk:
                    _say(output.report(report))
    if report.refused.count:
        raise typer.Exit(1)


def _inputs(given: list[str] | None, more: list[str] | None, input_list: str | None) -> list[str]:
    """Return all that was named, at least one."""
    from paddlex_triton.client.input_list import read_input_list

    inputs = [*(given or []), *(more or []), *(read_input_list(input_list) if input_list is not None else [])]
    if not inputs:
        raise typer.BadParameter("give at least one file, URL or directory", param_hint="--input")
    return inputs


def _open_output(save_path: Path | None, resume: bool) -> Output:
    from paddlex_triton.client.outputs import open_output

    try:
        return open_output(save_path, resume=resume)
    except NotADirectoryError as error:
        raise typer.BadParameter(str(error), param_hint="--save_path") from None


def _run(outcomes: Iterator[Outcome], reader: PageReader, output: Output, report: RunReport, name: str) -> None:
    """Save what comes, and say how far it is."""
    from paddlex_triton.client.progress import ProgressLines

    progress = ProgressLines(name)
    for outcome in outcomes:
        _save(outcome, output, report)
        done = report.pages + report.refused.count
        _say(progress.lines(done, max(done, reader.total)))


def _command(spec: PipelineSpec) -> Callable[..., None]:
    """Return `_predict` for one pipeline.

    typer takes options from signatures alone; click's own do not fit in, since typer has a copy of click inside.
    """

    def predict(**values: Any) -> None:
        _predict(spec=spec, **values)

    own = _pipeline_options(spec)
    common = inspect.signature(_predict, eval_str=True).parameters.values()
    parameters = [
        own.pop(parameter.name, parameter) for parameter in common if parameter.name not in ("spec", "params")
    ]
    predict.__signature__ = inspect.Signature([*parameters, *own.values()])  # pyright: ignore[reportFunctionMemberAccess]
    return predict


def _pipeline_options(spec: PipelineSpec) -> dict[str, inspect.Parameter]:
    """Return the options that differ between pipelines, by name."""
    options: dict[str, Any] = {
        "preset": Annotated[str | None, _option("preset", _preset_help(spec), _SERVER, "NAME")],
        "model": Annotated[list[str] | None, _option("model", _model_help(spec), _SERVER, "STEP=NETWORK,...")],
    }
    for name, field in spec.params.model_fields.items():
        if name.endswith(MODEL_NAME_SUFFIX):
            option = _option(name, str(field.description), _NETWORKS, "NETWORK")
        else:
            option = _option(name, option_help(field), _PARAMETERS, option_metavar(field))
        options[name] = Annotated[str | None, option]
    return {
        name: inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=None)
        for name, annotation in options.items()
    }


def _preset_help(spec: PipelineSpec) -> str:
    unnamed = f"{spec.default_preset}'s"
    if spec.fallback_preset is not None:
        unnamed += f", or {spec.fallback_preset}'s where those are not exported"
    if spec.when_exported:
        unnamed += ", and optional steps are on where their networks are exported"
    return (
        f"One of PaddleX's presets: {', '.join(spec.presets)}. The embedded server runs on its networks; steps that it "
        f"has no network for are off. Without one it runs on {unnamed}."
    )


def _model_help(spec: PipelineSpec) -> str:
    return (
        "Network of the embedded server in place of the preset's, or several, the default one first; STEP= leaves an "
        f"optional step off. May be repeated. Steps: {', '.join(spec.steps)}."
    )


def _models(given: list[str] | None) -> NetworkChoice | None:
    """Read `STEP=NETWORK` as `models` of `create_pipeline`."""
    try:
        return NetworkChoice.parse(given) if given else None
    except ChoiceError as error:
        raise typer.BadParameter(str(error), param_hint="--model") from None


def _save(outcome: Outcome, output: Output, report: RunReport) -> None:
    """Save a result, or say in a line why there is none.

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
        output.save(outcome, report)
        report.pages += 1
    except of_one_page as error:
        _print_error(error)
        report.refuse(error)
        output.refuse(error)


@contextmanager
def _plain_errors(report: RunReport) -> Iterator[None]:
    """Write one line to the standard error for what went wrong, and for every warning; note changed names."""
    import cv2
    from PIL import Image

    from paddlex_triton.client.exceptions import PaddleXTritonError
    from paddlex_triton.client.saving import SavedNameWarning

    # What OpenCV says of damaged files comes as an error of the page; pixels are bounded by the client.
    cv2.setLogLevel(0)

    def show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
        if isinstance(message, SavedNameWarning):
            report.renamed.add(str(message))
        _print_line("[bold yellow]Warning:[/bold yellow]", str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("always", SavedNameWarning)
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.showwarning = show_warning
        try:
            yield
            # Now, where it can still be said that it fails.
            flush(sys.stdout)
        except BrokenPipeError:
            # `| head` has read enough.
            discard(sys.stdout)
            raise typer.Exit(1) from None
        except (PaddleXTritonError, OSError) as error:
            _print_error(error)
            raise typer.Exit(1) from None


def _say(lines: Iterable[str]) -> None:
    console = _stderr()
    for line in lines:
        console.print(escape(showable(line, console.file)))


def _print_error(error: Exception) -> None:
    text = str(error)
    if isinstance(error, OSError) and error.strerror and error.filename:
        text = f"{os.fsdecode(error.filename)}: {error.strerror}"
    _print_line("[bold red]Error:[/bold red]", text)


def _print_line(kind: str, text: str) -> None:
    console = _stderr()
    line = shown_text(" ".join(text.split("\n")), MAX_MESSAGE_CHARACTERS)
    console.print(f"{kind} {escape(showable(line, console.file))}")


def _stderr() -> Console:
    """Return the standard error, after what was printed on the standard output so far."""
    with suppress(OSError):
        flush(sys.stdout)
    return Console(stderr=True, soft_wrap=True, highlight=False)
