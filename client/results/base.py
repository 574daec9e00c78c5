"""Base of all results: printing, JSON, saving under PaddleX's names."""

from __future__ import annotations

import itertools
import json
import os
import random
import sys
import time
import warnings
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, TypeVar

import numpy as np
from PIL import Image
from pydantic import ValidationError
from typing_extensions import Self

from paddlex_triton.client.consoles import showable
from paddlex_triton.client.exceptions import ServerError, UnsupportedError
from paddlex_triton.client.files import write_whole
from paddlex_triton.client.pages import Page
from paddlex_triton.client.saving import (
    PICTURE_SUFFIXES,
    SavedNameWarning,
    SavedStems,
    is_image_file,
    save_picture,
    usable_stem,
)
from paddlex_triton.client.urls import file_name, is_url
from paddlex_triton.client.wording import shown_name
from paddlex_triton.settings import StageSettings

_Object: TypeAlias = dict[str, Any]
S = TypeVar("S", bound=StageSettings)

# Of results without a path. Drawn ones, as PaddleX's, come twice when there are many in a second.
_FIRST_NUMBER, _NUMBERS = 1000, 9000
_numbers = itertools.count(random.randrange(_NUMBERS))


class _StrMixin:
    """`str` apart: in the class below, its name would hide the type's."""

    @property
    def str(self) -> _Object:
        """PaddleX's object for printing, `{"res": {...}}`, with arrays."""
        return {"res": self._print_data()}

    @abstractmethod
    def _print_data(self) -> _Object:
        """Return what `print` shows."""


class BaseResult(_StrMixin, dict[str, Any]):
    """A dict with PaddleX's keys that prints and saves itself.

    Attributes:
        page: the page it was made from.
        stages: the settings of the stages that answered, in their order.
    """

    # Outputs of the ensemble that the result is made of.
    OUTPUTS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, data: Mapping[str, Any], page: Page, stages: Iterable[StageSettings] = ()) -> None:
        super().__init__(data)
        self.page = page
        self.stages = tuple(stages)
        self._name_without_path: str | None = None
        self._saved_stem: str | None = None
        self._stems = SavedStems()

    def __getstate__(self) -> dict[str, Any]:
        """Leave the names of other results behind when this one is copied or sent to another process."""
        return {**self.__dict__, "_stems": SavedStems()}

    @classmethod
    @abstractmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray], page: Page) -> Self:
        """Build a result from what the ensemble answered.

        Args:
            tensors: the outputs named in `outputs_for`.
            page: the page that was sent.

        Raises:
            ServerError: the outputs do not fit each other.
        """

    @classmethod
    def outputs_for(cls, params: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the outputs to ask for, given the parameters of the request."""
        return cls.OUTPUTS

    @property
    def saved_stem(self) -> str:
        """What saved files begin with, before `_res.json` and the like; may be set.

        The input's name without its suffix, and the page's number of a document. Where no file can be called so, a
        `SavedNameWarning` tells what is taken instead.
        """
        if self._saved_stem is None:
            given = Path(self._file_name()).stem
            self._saved_stem = usable_stem(given)
            if self._saved_stem != given:
                warnings.warn(
                    f"{shown_name(self.page.label or given)}: no file can be called so; saved as {self._saved_stem!r}",
                    SavedNameWarning,
                    stacklevel=2,
                )
        return self._saved_stem

    @saved_stem.setter
    def saved_stem(self, stem: str) -> None:
        self._saved_stem = stem

    def share_names(self, stems: SavedStems) -> None:
        """Keep the names of saved files apart from those of other results that share them, as one call's do."""
        self._stems = stems

    def stem_in(self, folder: str | os.PathLike[str]) -> str:
        """Return what files saved in a folder begin with.

        `saved_stem`, with a number if another page of the same call has that, or if a file that is no result is called
        so: a `UserWarning` tells the rule once, a `SavedNameWarning` names such a file.
        """
        return self._stems.settle(self, Path(folder))

    def file_names(self, stem: str) -> list[str]:
        """Return the names that files have in a directory, the JSON's first."""
        return [f"{stem}_res.json", *(f"{stem}_{name}{self._picture_suffix()}" for name in self._picture_names())]

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """The settings of each stage, not part of the JSON.

        Parameters as they were used, product version, and the networks that answered, with their checksums.
        """
        return {settings.stage: settings.to_plain() for settings in self.stages}

    @property
    def stage_times(self) -> dict[str, float]:
        """Milliseconds that each stage took for the page, waiting included; of servers that tell."""
        return {settings.stage: settings.milliseconds for settings in self.stages if settings.milliseconds is not None}

    @property
    def json(self) -> dict[str, Any]:
        """PaddleX's JSON object, `{"res": {...}}`, of plain Python values."""
        return {"res": to_plain(self._json_data())}

    @property
    def img(self) -> dict[str, Image.Image]:
        """PaddleX's pictures by name.

        Raises:
            InvalidImageError: the page cannot be decoded here.
        """
        return self._pictures()

    def print(self, json_format: bool = False, indent: int = 4, ensure_ascii: bool = False) -> None:
        """Write the result to the standard output; letters that it cannot show are escaped.

        Args:
            json_format: as JSON instead of a Python dict with abbreviated arrays.
            indent: spaces per level of the JSON.
            ensure_ascii: escape everything beyond ASCII in the JSON.
        """
        if json_format:
            text = json.dumps(self.json, indent=indent, ensure_ascii=ensure_ascii)
            if showable(text, sys.stdout) != text:
                text = json.dumps(self.json, indent=indent)
        else:
            with np.printoptions(threshold=1, edgeitems=1):
                text = showable(str(self.str), sys.stdout)
        # Programs without a console have none.
        if sys.stdout is not None:
            sys.stdout.write(text + "\n")

    def save_to_json(self, save_path: str | os.PathLike[str], indent: int = 4, ensure_ascii: bool = False) -> None:
        """Write the JSON to a file.

        Args:
            save_path: a file ending in .json, or a directory, for `<stem>_res.json` in it. Made if missing.
            indent: spaces per level.
            ensure_ascii: escape everything beyond ASCII.
        """
        path = Path(save_path)
        if path.suffix.lower() != ".json" or path.is_dir():
            path = path / f"{self.stem_in(path)}_res.json"
        # What is no UTF-8 in a path becomes JSON's own escapes.
        text = json.dumps(self.json["res"], indent=indent, ensure_ascii=ensure_ascii)
        write_whole(path, lambda file: file.write_bytes(text.encode("utf-8", "backslashreplace")))

    def save_to_img(self, save_path: str | os.PathLike[str]) -> None:
        """Write the pictures to files.

        Args:
            save_path: an image file, for the first picture, or a directory, for `<stem>_<name><suffix>` in it: the
                input's own suffix if it is an image's, else .png. Made if missing. A picture that its format cannot
                hold, such as a WebP of more than 16383 pixels a side, is saved as PNG with a `SavedNameWarning`.

        Raises:
            UnsupportedError: a file is wanted of a result without pictures.
        """
        pictures = self.img
        if is_image_file(Path(save_path)):
            if not pictures:
                raise UnsupportedError("this result has no picture: no step was used", source=self.page.label)
            save_picture(next(iter(pictures.values())), Path(save_path))
            return
        for name, picture in pictures.items():
            save_picture(picture, Path(save_path) / f"{self.stem_in(save_path)}_{name}{self._picture_suffix()}")

    def save_all(self, save_path: str | os.PathLike[str]) -> None:
        """Write JSON and pictures to a directory, whatever it is called; made if missing."""
        Path(save_path).mkdir(parents=True, exist_ok=True)
        self.save_to_json(save_path)
        self.save_to_img(save_path)

    @abstractmethod
    def _json_data(self) -> dict[str, Any]:
        """Return the object under "res", in PaddleX's order; arrays are fine."""

    @abstractmethod
    def _pictures(self) -> dict[str, Image.Image]:
        """Draw the pictures, by name in PaddleX's order."""

    @abstractmethod
    def _picture_names(self) -> list[str]:
        """Return the names of the pictures, which nothing is drawn for."""

    def _print_data(self) -> dict[str, Any]:
        """Return what `print` shows; as the JSON unless PaddleX shows it otherwise."""
        return self._json_data()

    def _file_name(self) -> str:
        """Return the name that saved files are called after."""
        if self.page.input_path is None:
            # Files of one result keep together, whenever they are saved.
            if self._name_without_path is None:
                self._name_without_path = f"{int(time.time())}_{_FIRST_NUMBER + next(_numbers) % _NUMBERS}"
            return self._name_without_path
        name = file_name_of(self.page.input_path)
        if self.page.page_index is None:
            return name
        return f"{Path(name).stem}_{self.page.page_index}{Path(name).suffix}"

    def _picture_suffix(self) -> str:
        suffix = Path(self._file_name()).suffix
        return suffix if suffix.lower() in PICTURE_SUFFIXES else ".png"


def file_name_of(input_path: str) -> str:
    """Return the last part of a path or URL."""
    return (file_name(input_path) if is_url(input_path) else Path(input_path).name) or "result"


def without_name(page: Page) -> Page:
    """Return the page as results inside another result know it: PaddleX gives them no path and no page number."""
    return replace(page, input_path=None, page_index=None, item=page.label)


def to_plain(value: Any) -> Any:
    """Turn NumPy arrays and numbers (also as keys) into lists and numbers, tuples into lists, all the way down."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {key.item() if isinstance(key, np.generic) else key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return value


@contextmanager
def expect_outputs_to_fit() -> Iterator[None]:
    """Blame the server for outputs that are missing or do not fit each other.

    Raises:
        ServerError: reading them failed inside.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError) as error:
        raise ServerError(f"the answer's outputs do not fit each other: {error!r}") from None


def read_settings(tensors: Mapping[str, np.ndarray], kind: type[S]) -> S:
    """Read one stage's settings from the output `<stage>_settings`, BYTES [1].

    Raises:
        KeyError: there is no such output.
        ServerError: it does not hold the settings of that stage.
    """
    stage = kind.model_fields["stage"].default
    tensor = tensors[f"{stage}_settings"]
    try:
        return kind.model_validate_json(tensor.reshape(-1)[0])
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, fault["loc"])) or "JSON"
        raise ServerError(f"the answer's settings of {stage} are wrong: {where}: {fault['msg']}") from None
    except (IndexError, TypeError):
        raise ServerError(f"the answer has no settings of {stage}") from None


def texts_of(tensor: np.ndarray) -> list[str]:
    """Decode BYTES [K] into strings."""
    return [bytes(text).decode("utf-8", "replace") for text in tensor.reshape(-1)]


def clipped_coordinate(box: np.ndarray, width: int, height: int) -> list[Any]:
    """Give a detector's box PaddleX's types: boxes are cut at the borders of the page, which are ints.

    Args:
        box: FP32 [4], x1, y1, x2, y2 in page pixels.
        width: of the page.
        height: of the page.
    """
    x1, y1, x2, y2 = box
    return [
        0 if x1 <= 0 else x1,
        0 if y1 <= 0 else y1,
        width if x2 >= width else x2,
        height if y2 >= height else y2,
    ]
