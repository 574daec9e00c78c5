"""`export --config FILE`: the networks that one of PaddleX's pipeline files names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from paddlex_triton.export.errors import UsageError
from paddlex_triton.export.inference_file.inference_settings import FILE_NAME, InferenceSettings, read_inference_yml
from paddlex_triton.export.lookup import find_network
from paddlex_triton.network import Family
from paddlex_triton.pipeline_file import PipelineFileError, read_pipeline_file
from paddlex_triton.pipelines import Step


@dataclass(frozen=True)
class OwnWeights:
    """A folder of people's own weights.

    Attributes:
        folder: holds a model and, usually, inference.yml.
        name: of the network; None for what inference.yml says.
        family: of the network; None for what inference.yml says, or the graph.
    """

    folder: Path
    name: str | None = None
    family: Family | None = None


@dataclass(frozen=True)
class FileNetworks:
    """The networks that a pipeline file names, each once.

    Attributes:
        names: of the zoo.
        own: of folders.
        remarks: what in the file has no meaning here.
    """

    names: tuple[str, ...]
    own: tuple[OwnWeights, ...]
    remarks: tuple[str, ...]


def networks_of_file(path: Path) -> FileNetworks:
    """Read which networks a pipeline file names, and see that each is in the zoo or in a folder.

    Raises:
        UsageError: the file cannot be honoured, or names a network that is nowhere, that its step does not take, or
            that is called otherwise in its folder.
        InferenceFileError: a folder's inference.yml cannot be read.
    """
    try:
        file = read_pipeline_file(path)
        names = {step: name for step, name in file.models().items() if name}
    except PipelineFileError as error:
        raise UsageError(str(error)) from None
    official: dict[str, str] = {}
    own: dict[str, OwnWeights] = {}
    for step, name in names.items():
        where, folder = f"{file.origin}: {step}", file.networks[step].folder
        if folder is None:
            _require_known(name, file.spec.steps[step], where)
            official.setdefault(name, where)
        else:
            found = _own_weights(folder, name, file.spec.steps[step], where)
            _refuse_two_folders(own.setdefault(name, found), found, where)
    if both := official.keys() & own.keys():
        name = min(both)
        raise UsageError(f"{official[name]}: {name} is the official network here, and own weights of another step")
    return FileNetworks(tuple(official), tuple(own.values()), file.remarks)


def _require_known(name: str, step: Step, where: str) -> None:
    try:
        entry = find_network(name)
    except UsageError as error:
        raise UsageError(f"{where}: {error}, or named with their folder as model_dir") from None
    _require_family(entry.family, name, step, where)


def _own_weights(folder: Path, name: str, step: Step, where: str) -> OwnWeights:
    """Return the weights in a folder, if they are those of the network that the file means."""
    if not folder.is_dir():
        raise UsageError(f"{where}: {folder} is not a folder")
    file = folder / FILE_NAME
    settings = read_inference_yml(file) if file.is_file() else InferenceSettings()
    if settings.model_name not in (None, name):
        raise UsageError(
            f"{where}: the file calls the network {name}, and {file} calls it {settings.model_name} "
            "(Global.model_name): PaddleX takes them only if they agree"
        )
    if settings.family is not None:
        _require_family(settings.family, name, step, where)
    # Where a step takes one kind of network, nothing else has to tell it.
    told = step.families[0] if settings.family is None and len(step.families) == 1 else None
    return OwnWeights(folder, name, told)


def _require_family(family: Family, name: str, step: Step, where: str) -> None:
    if family not in step.families:
        raise UsageError(f"{where} takes a network of family {' or '.join(step.families)}; {name} is {family}")


def _refuse_two_folders(first: OwnWeights, second: OwnWeights, where: str) -> None:
    if first.folder.resolve() != second.folder.resolve():
        raise UsageError(
            f"{where}: {second.name} is in {second.folder}, and in {first.folder} for another step: a network has one "
            "name, give one of them another (model_name, and Global.model_name of its inference.yml)"
        )
