"""Where the command `predict` puts its results: the standard output, a folder as well, or a file of JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paddlex_triton.client.exceptions import InvalidParameterError, PaddleXTritonError
from paddlex_triton.client.json_lines import SUFFIX, JsonLines, SeenPages
from paddlex_triton.client.report import RunReport
from paddlex_triton.client.results import BaseResult
from paddlex_triton.client.wording import shown_name


class Output:
    """The standard output."""

    # Pages that are not to be read again.
    seen: SeenPages | None = None
    # Whether it is meant for many inputs, whose run ends with a report.
    is_bulk = False

    def save(self, result: BaseResult, report: RunReport) -> None:
        """Save and print a result.

        Raises:
            OSError: it cannot be written.
        """
        result.print()

    def refuse(self, error: PaddleXTritonError) -> None:
        """Take note of an input or a page without a result."""

    def report(self, report: RunReport) -> Iterator[str]:
        """Yield what is said in the end."""
        yield from report.lines()

    def close(self) -> None:
        """Close what is open."""


class Folder(Output):
    """JSON and pictures in a folder, under PaddleX's names; printed as well."""

    def __init__(self, path: Path) -> None:
        """Take note of the folder, which is made with the first result."""
        self._path = path

    def save(self, result: BaseResult, report: RunReport) -> None:
        """Save and print a result, and note if it has another name than PaddleX's."""
        told = report.renamed.count
        with _saying_where(self._path):
            stem = result.stem_in(self._path)
            # Warnings about names are in the report already.
            if stem != result.saved_stem and report.renamed.count == told:
                report.renamed.add(f"{shown_name(result.page.label or stem)}: {stem}")
            result.save_all(self._path)
        result.print()


class Lines(Output):
    """A file of JSON Lines; nothing is printed."""

    is_bulk = True

    def __init__(self, path: Path, *, resume: bool) -> None:
        """Open the file, see `JsonLines`."""
        with _saying_where(path):
            self._lines = JsonLines(path, resume=resume)
        self.seen = self._lines.seen

    def save(self, result: BaseResult, report: RunReport) -> None:
        """Add a line."""
        with _saying_where(self._lines.path):
            self._lines.write(result)

    def refuse(self, error: PaddleXTritonError) -> None:
        """Add a line to the failures."""
        with _saying_where(self._lines.failures_path):
            self._lines.fail(error)

    def report(self, report: RunReport) -> Iterator[str]:
        """Yield what is said in the end."""
        yield f"Pages read: {report.pages}"
        if self._lines.seen.skipped:
            yield f"Already there: {self._lines.seen.skipped}"
        yield from report.refused.lines("Refused")
        yield f"Results: {self._lines.path}"
        if report.refused.count:
            yield f"Failures: {self._lines.failures_path}"

    def close(self) -> None:
        """Close the file."""
        self._lines.close()


def open_output(save_path: Path | None, *, resume: bool) -> Output:
    """Open what `save_path` names: a file that ends in .jsonl, or else a folder; None for the standard output alone.

    Raises:
        NotADirectoryError: it is another file.
        InvalidParameterError: `resume` is for files alone; see `JsonLines`.
        OSError: the file cannot be opened.
    """
    if save_path is not None and save_path.suffix.lower() == SUFFIX and not save_path.is_dir():
        return Lines(save_path, resume=resume)
    if save_path is not None and save_path.exists() and not save_path.is_dir():
        raise NotADirectoryError(f"{save_path} is a file; a folder is needed, or a name that ends in {SUFFIX}")
    if resume:
        raise InvalidParameterError(f"resume is for results in one file: --save_path FILE{SUFFIX}")
    return Output() if save_path is None else Folder(save_path)


@contextmanager
def _saying_where(path: Path) -> Iterator[None]:
    """Name the folder or the file when it cannot be written.

    Raises:
        OSError: it cannot.
    """
    try:
        yield
    except OSError as error:
        raise OSError(f"{path}: results cannot be saved there: {error.strerror or error}") from None
