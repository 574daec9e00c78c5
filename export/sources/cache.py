"""The cache of networks that were fetched from PaddleX's hubs.

`<cache>/official/<network>/<network>` holds a network's files and notes on where they came from, and is there whole or
not at all. Beside it lie the parts of downloads that broke off, which the next one continues, and folders being filled,
which it removes.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from paddlex_triton import paths
from paddlex_triton.checksums import sha256_of_file

_NOTES = "fetched.json"


class Fetched(BaseModel):
    """Where a network's files came from: `fetched.json` beside them.

    Attributes:
        hub: its name.
        package: what the hub calls the network.
        url: of the archive, or of the folder the files were in.
        url_sha256: of the archive, or of the list of the files and their SHA-256.
        files: name -> SHA-256.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    hub: str
    package: str
    url: str
    url_sha256: str
    files: dict[str, str]

    def save(self, folder: Path) -> None:
        """Write the notes beside the files."""
        (folder / _NOTES).write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")


class CachedNetwork:
    """The place of one network.

    Args:
        name: of the network.
        cache: folder of what was downloaded, `downloads` in the product's home by default.
    """

    def __init__(self, name: str, cache: Path | None = None) -> None:
        self.folder = (cache if cache is not None else paths.home() / "downloads") / "official" / name

    @property
    def model(self) -> Path:
        """The folder of its files, called after it: messages on what is in it say so."""
        return self.folder / self.folder.name

    def is_there(self) -> bool:
        """Return whether it was fetched before. Whether it is undamaged shows when it is loaded."""
        return (self.model / _NOTES).is_file()

    def load(self) -> Fetched | None:
        """Return what was fetched before, if it is undamaged."""
        try:
            fetched = Fetched.model_validate_json((self.model / _NOTES).read_bytes())
            found = {name: sha256_of_file(self.model / name) for name in fetched.files}
        except (OSError, ValidationError):
            return None
        return fetched if found == fetched.files else None


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of all files of a folder, by name."""
    return {path.name: sha256_of_file(path) for path in sorted(folder.iterdir())}
