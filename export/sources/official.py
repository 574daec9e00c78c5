"""PaddleX's own packages of a network, from whichever hub has them."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from paddlex_triton.checksums import sha256_of
from paddlex_triton.export.errors import InferenceFileError, SourceError, Unreachable
from paddlex_triton.export.inference_file.inference_settings import FILE_NAME as SETTINGS_FILE
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings
from paddlex_triton.export.shared_folders import locked, remove_leftovers
from paddlex_triton.export.sources.archive import unpack
from paddlex_triton.export.sources.cache import CachedNetwork, Fetched, digests
from paddlex_triton.export.sources.directory import DirectorySource
from paddlex_triton.export.sources.hubs import Hub, Hubs, grouped_reasons, manual_download_advice
from paddlex_triton.export.sources.transfer import NotThere, Patience, download
from paddlex_triton.export.sources.weights import Weights
from paddlex_triton.export.sources.zoo_settings import zoo_settings
from paddlex_triton.zoo import OfficialEntry, ZooEntry

# What labels of these sources begin with.
OFFICIAL = "official:"

# Files of a network's packages: the ONNX one; the graph of a PaddlePaddle one, newer form first, and its weights.
_ONNX = "inference.onnx"
_GRAPHS = ("inference.json", "inference.pdmodel")
_PARAMETERS = "inference.pdiparams"
WANTED = (_ONNX, *_GRAPHS, _PARAMETERS, SETTINGS_FILE)

_UNPACKING = ".unpack-"
# Downloads under way, and the notes on them.
_PARTS = "*.part*"

# How files begin that are not the ones asked for.
_STAND_INS = {
    b"<!doctype": "a web page",
    b"<html": "a web page",
    b"version https://git-lfs": "a pointer of Git's to a large file",
}


@dataclass(frozen=True)
class _Brought:
    """Files that were downloaded, each where its parts were put together.

    Attributes:
        url: of the archive, or of the folder the files were in.
        files: name -> where it is.
        archive_sha256: of the archive, nothing for files that came one by one.
    """

    url: str
    files: Mapping[str, Path]
    archive_sha256: str = ""

    def drop(self) -> None:
        """Remove them: the next run would find the same, and take it for whole."""
        for path in self.files.values():
            path.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Fetch:
    """One package at one hub."""

    hub: Hub
    package: str
    known: Mapping[str, str]
    patience: Patience
    progress: Callable[[str], None]

    def bring(self, parts: Path) -> _Brought:
        """Download the package into a folder. What breaks off stays there, and so do files that came before it."""
        if self.hub.gives_archives:
            url = self.hub.url(self.package)
            path, digest = self._download(url, parts)
            return _Brought(url, {_name_of(url): path}, digest)
        wanted = [(_ONNX,)] if self.package.endswith("_onnx") else [_GRAPHS, (_PARAMETERS,)]
        files = dict(self._first_of(names, parts) for names in wanted)
        # The zoo stands in for a file that is not there.
        with contextlib.suppress(NotThere):
            files |= dict([self._first_of((SETTINGS_FILE,), parts)])
        return _Brought(self.hub.url(self.package, "").rstrip("/"), files)

    def fill(self, folder: Path, brought: _Brought) -> Fetched:
        """Fill an empty folder with the network's files.

        Raises:
            SourceError: they are no network, or not the one expected.
        """
        if brought.archive_sha256:
            ((name, archive),) = brought.files.items()
            self._expect(name, brought.archive_sha256)
            self.progress(f"unpacking {self.package}")
            unpack(archive, folder, WANTED)
        else:
            for name, path in brought.files.items():
                path.replace(folder / name)
        for path in folder.iterdir():
            _refuse_stand_in(path)
        files = digests(folder)
        for name, found in files.items():
            self._expect(f"{self.package}/{name}", found)
        if _ONNX not in files and not (_PARAMETERS in files and set(files) & set(_GRAPHS)):
            raise SourceError(f"it holds no {_ONNX}, and no {' or '.join(_GRAPHS)} with {_PARAMETERS}")
        # A list of files and their digests stands for files that came one by one.
        listed = "".join(f"{digest}  {name}\n" for name, digest in files.items())
        digest = brought.archive_sha256 or sha256_of(listed.encode())
        return Fetched(hub=self.hub.name, package=self.package, url=brought.url, url_sha256=digest, files=files)

    def _first_of(self, names: tuple[str, ...], parts: Path) -> tuple[str, Path]:
        for name in names:
            try:
                return name, self._download(self.hub.url(self.package, name), parts)[0]
            except NotThere:
                if name == names[-1]:
                    raise
        raise ValueError("no names")

    def _download(self, url: str, parts: Path) -> tuple[Path, str]:
        path = parts / f"{self.hub.name}-{self.package}-{_name_of(url)}.part"
        title, said = f"fetching {self.package} from {self.hub.title}", ""
        self.progress(title)

        def tell(there: int, size: int | None) -> None:
            nonlocal said
            text = f"{title}: {there / 1e6:.1f}" + (f" of {size / 1e6:.1f} MB" if size is not None else " MB")
            if text != said:
                said = text
                self.progress(text)

        return path, download(url, path, progress=tell, patience=self.patience)

    def _expect(self, what: str, found: str) -> None:
        wanted = self.known.get(what)
        if wanted is not None and found != wanted:
            raise SourceError(f"{what} has SHA-256 {found}, expected {wanted}: not used")


class OfficialSource:
    """PaddleX's packages of one network: an ONNX one where there is one, else the PaddlePaddle one.

    Args:
        entry: the network.
        official: what the zoo says about its packages.
        hubs: which are asked, and in which order.
        cache: folder of what was downloaded, `downloads` in the product's home by default.
        patience: of the downloads.
        progress: told what is being done, one short phrase at a time.
    """

    def __init__(
        self,
        entry: ZooEntry,
        official: OfficialEntry,
        hubs: Hubs | None = None,
        cache: Path | None = None,
        patience: Patience | None = None,
        progress: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.entry, self.official = entry, official
        self.hubs = hubs or Hubs()
        self.cached = CachedNetwork(entry.name, cache)
        self.patience = patience or Patience()
        self.progress = progress

    @property
    def label(self) -> str:
        """`official`; what was fetched is called after its hub and package."""
        return self.official.label

    def fetch(self) -> Weights:
        """Take the network from the cache, or bring it there from the first hub that has it.

        Raises:
            Unreachable: no hub answers.
            SourceError: none has it, or what came is not what was expected.
            InferenceFileError: its inference.yml cannot be read.
        """
        if (fetched := self.cached.load()) is None:
            fetched = self._from_hubs()
        else:
            remove_leftovers(self.cached.folder, f"{_UNPACKING}*", _PARTS)
        weights = DirectorySource(self.cached.model, progress=self.progress).fetch()
        return replace(
            weights,
            settings=self._settings(self.cached.model),
            label=f"{OFFICIAL}{fetched.hub}/{fetched.package}",
            url=fetched.url,
            url_sha256=fetched.url_sha256,
        )

    def _settings(self, folder: Path) -> InferenceSettings:
        """Read inference.yml; the zoo stands in, section by section, where that says nothing."""
        file = folder / SETTINGS_FILE
        return zoo_settings(self.entry, file.read_bytes() if file.is_file() else None)

    def _from_hubs(self) -> Fetched:
        folder = self.cached.folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with locked(folder):
                for left in folder.glob(f"{_UNPACKING}*"):
                    shutil.rmtree(left)
                # Another export may have fetched it while this one waited.
                return self.cached.load() or self._fetch_first()
        except OSError as error:
            raise SourceError(f"{self.entry.name} cannot be kept in {folder}: {error.strerror or error}") from error

    def _fetch_first(self) -> Fetched:
        """Fetch the first package at the first hub that has it."""
        silent = self.hubs.silent(self.official.hubs)
        failures = [grouped_reasons(silent)] if silent else []
        answered = False
        for package in self.official.packages(self.entry.name):
            for hub in self.hubs.answering(self.official.hubs):
                try:
                    return self._keep(_Fetch(hub, package, self.official.sha256, self.patience, self.progress))
                except SourceError as error:
                    answered = answered or not isinstance(error, Unreachable)
                    failures.append(f"{hub.title}: {error}")
        kind = SourceError if answered else Unreachable
        raise kind(
            f"{self.entry.name} could not be fetched: {'; '.join(failures)}. {manual_download_advice([self.entry])}"
        )

    def _keep(self, fetch: _Fetch) -> Fetched:
        """Put what comes into the cache in one step, and remove what earlier tries left."""
        brought = fetch.bring(self.cached.folder)
        with tempfile.TemporaryDirectory(prefix=_UNPACKING, dir=self.cached.folder) as made:
            folder = Path(made) / self.entry.name
            folder.mkdir()
            try:
                fetched = fetch.fill(folder, brought)
                self._settings(folder)
            except (SourceError, InferenceFileError) as error:
                brought.drop()
                raise SourceError(f"{brought.url}: {error}") from None
            fetched.save(folder)
            if self.cached.model.exists():
                self.cached.model.rename(Path(made) / "damaged")
            folder.rename(self.cached.model)
        for part in self.cached.folder.glob(_PARTS):
            part.unlink()
        return fetched


def _refuse_stand_in(path: Path) -> None:
    """Refuse what comes with success where a file should: a network's page to log in, Git's pointer to a large file."""
    with path.open("rb") as file:
        start = file.read(200).lstrip().lower()
    for beginning, what in _STAND_INS.items():
        if start.startswith(beginning):
            raise SourceError(f"{what} came in place of {path.name}")


def _name_of(url: str) -> str:
    return url.rsplit("/", 1)[1]
