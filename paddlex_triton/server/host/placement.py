"""Where networks run: the flavour and the GPUs of each, from the command line and from pipeline files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from paddlex_triton.devices import Device, DeviceError, parse_device
from paddlex_triton.pipeline_file import PipelineFile
from paddlex_triton.server.host.errors import AssemblyError
from paddlex_triton.server.host.selection import Selection

Flavour = Literal["cpu", "gpu", "tensorrt", "openvino"]
FLAVOURS: tuple[Flavour, ...] = ("cpu", "gpu", "tensorrt", "openvino")
DEFAULT_FLAVOUR: Flavour = "cpu"
# The kind of device each flavour is for. Modules come in these two flavours, and run on the CPU in both.
KIND_OF: dict[Flavour, Literal["cpu", "gpu"]] = {"cpu": "cpu", "openvino": "cpu", "gpu": "gpu", "tensorrt": "gpu"}


@dataclass(frozen=True)
class Placement:
    """Where one network runs.

    Attributes:
        flavour: which of its configurations it gets.
        device: what was asked for; None for the CPU, or for all GPUs, as the flavour has it.
        said_by: who asked.
    """

    flavour: Flavour
    device: Device | None = None
    said_by: str = ""

    @property
    def gpus(self) -> tuple[int, ...]:
        """The ids of its GPUs; none for the CPU or for all GPUs."""
        return self.device.gpus if self.device is not None else ()


@dataclass(frozen=True)
class Placements:
    """Where everything runs.

    Attributes:
        flavour: of the whole: of the modules, and of networks that nothing else is said of.
        networks: name -> its place.
    """

    flavour: Flavour
    networks: Mapping[str, Placement]


def place(
    selection: Selection,
    *,
    device: str | None = None,
    flavour: Flavour | None = None,
    files: Sequence[PipelineFile] = (),
) -> Placements:
    """Decide where networks run.

    Args:
        selection: pipelines and their networks.
        device: of all networks, as PaddleX writes it; wins over what files say.
        flavour: that of the device if None; the CPU's where no device is given either.
        files: of some of the pipelines, with devices of their own.

    Raises:
        AssemblyError: an unknown flavour, a device that is not supported or contradicts the flavour, or a network that
            two pipelines want in different places.
    """
    if flavour is not None and flavour not in FLAVOURS:
        raise AssemblyError(f"unknown flavour {flavour!r}; known: {', '.join(FLAVOURS)}")
    asked = _read(device, "--device") if device is not None else None
    by_pipeline = {file.spec.name: file for file in files}
    networks: dict[str, Placement] = {}
    for pipeline, steps in selection.networks.items():
        for step, names in steps.items():
            if not names:
                continue
            if asked is not None:
                placement = _placed(asked, flavour, "--device")
            else:
                placement = _by_file(by_pipeline.get(pipeline), step, flavour)
            for name in names:
                _refuse_two_places(name, networks.setdefault(name, placement), placement)
    if asked is not None:
        flavour = _placed(asked, flavour, "--device").flavour
    return Placements(flavour or _widest(networks), networks)


def _read(text: str, said_by: str) -> Device:
    try:
        return parse_device(text)
    except DeviceError as error:
        raise AssemblyError(f"{said_by}: {error}") from None


def _by_file(file: PipelineFile | None, step: str, flavour: Flavour | None) -> Placement:
    """The place of a step's network where the command line names no device."""
    if file is not None and step in file.devices:
        said_by = f"{file.origin}: {step}"
        device = _read(file.devices[step], said_by)
        # The flavour is for the networks on GPUs; a step that a file keeps off them stays off.
        on_cpu = device.kind == "cpu" and flavour is not None and KIND_OF[flavour] == "gpu"
        return _placed(device, None if on_cpu else flavour, said_by)
    if file is not None and file.device is not None:
        return _placed(_read(file.device, file.origin), flavour, file.origin)
    return Placement(flavour or DEFAULT_FLAVOUR)


def _placed(device: Device, flavour: Flavour | None, said_by: str) -> Placement:
    fitting: list[Flavour] = [name for name in FLAVOURS if KIND_OF[name] == device.kind]
    if flavour is not None and flavour not in fitting:
        instead = "" if said_by == "--device" else "; --device says it for all networks"
        raise AssemblyError(
            f"{said_by} says {device}, and flavour {flavour} is for {KIND_OF[flavour].upper()}s; flavours for {device} "
            f"are {' and '.join(fitting)}{instead}"
        )
    return Placement(flavour or fitting[0], device, said_by)


def _widest(networks: Mapping[str, Placement]) -> Flavour:
    """The modules' flavour where none is named: that for networks on GPUs if there is one."""
    for placement in networks.values():
        if KIND_OF[placement.flavour] == "gpu":
            return placement.flavour
    return DEFAULT_FLAVOUR


def _refuse_two_places(name: str, first: Placement, second: Placement) -> None:
    if (first.flavour, first.gpus) != (second.flavour, second.gpus):
        places = [f"{each.said_by or 'by default'} says {each.device or each.flavour}" for each in (first, second)]
        raise AssemblyError(f"{name} is wanted in two places: {' and '.join(places)}; --device says one for all")
