"""Deciding where networks run: the flavour and the GPUs of each, from the command line and from pipeline files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from paddlex_triton.devices import Device, DeviceError, parse_device
from paddlex_triton.flavours import DeviceKind, Flavour, find_flavour, flavours_for
from paddlex_triton.pipeline_file import PipelineFile
from paddlex_triton.pipelines import ChoiceError
from paddlex_triton.server.host.errors import AssemblyError
from paddlex_triton.server.host.network_selection import Selection

_OPTION = "--device"


@dataclass(frozen=True)
class RequestedDevice:
    """A device that somebody asked for.

    Attributes:
        device: which one.
        origin: who asked: the option, or the file and its step.
    """

    device: Device
    origin: str


@dataclass(frozen=True)
class Placement:
    """Where one network runs.

    Attributes:
        flavour: which of its configurations it gets; None for the one that is fastest for it on a CPU.
        requested: the device that was asked for; None for the CPU, or for all GPUs, as the flavour has it.
    """

    flavour: Flavour | None = None
    requested: RequestedDevice | None = None

    @property
    def kind(self) -> DeviceKind:
        """The kind of device."""
        return self.flavour.kind if self.flavour is not None else "cpu"

    @property
    def gpus(self) -> tuple[int, ...]:
        """The ids of its GPUs; none for the CPU or for all GPUs."""
        return self.requested.device.gpus if self.requested is not None else ()

    def __str__(self) -> str:
        """As in messages: who asked for what."""
        if self.requested is None:
            return f"by default says {self.flavour.name if self.flavour else self.kind}"
        return f"{self.requested.origin} says {self.requested.device}"


@dataclass(frozen=True)
class Placements:
    """Where everything runs.

    Attributes:
        kind: of device that modules work for.
        flavour: of all networks, where one was named or follows from the device; else the kind of device.
        networks: name -> its place.
    """

    kind: DeviceKind
    flavour: str
    networks: Mapping[str, Placement]


def requested_devices(device: str | None, files: Sequence[PipelineFile]) -> Iterator[RequestedDevice]:
    """Read the devices that count: the command line's, which wins, or else those of the files' steps.

    Args:
        device: of all networks, as PaddleX writes it; None if it was not given.
        files: of pipelines.

    Raises:
        DeviceError: one is not supported; the message names who asked.
    """
    if device is not None:
        yield _read_device(device, _OPTION)
        return
    for file in files:
        for step in file.networks:
            if (requested := _device_in_file(file, step)) is not None:
                yield requested


def place_networks(
    selection: Selection,
    *,
    device: str | None = None,
    flavour: str | None = None,
    files: Sequence[PipelineFile] = (),
) -> Placements:
    """Decide where networks run.

    Args:
        selection: pipelines and their networks.
        device: of all networks, as PaddleX writes it; wins over what files say.
        flavour: if None that of the device, and on CPUs the fastest for each network.
        files: of some of the pipelines, with devices of their own.

    Raises:
        AssemblyError: an unknown flavour, a device that is not supported or contradicts the flavour, or a network that
            two pipelines want in different places.
    """
    by_pipeline = {file.spec.name: file for file in files}
    networks: dict[str, Placement] = {}
    try:
        wanted = find_flavour(flavour) if flavour is not None else None
        of_all = _place(_read_device(device, _OPTION), wanted) if device is not None else None
        for pipeline, steps in selection.networks.items():
            for step, names in steps.items():
                if names:
                    placement = of_all or _place_step(by_pipeline.get(pipeline), step, wanted)
                    for name in names:
                        _refuse_two_places(name, networks.setdefault(name, placement), placement)
    except (ChoiceError, DeviceError) as error:
        raise AssemblyError(str(error)) from None
    of_whole = of_all or (Placement(wanted) if wanted else _widest(networks))
    return Placements(of_whole.kind, of_whole.flavour.name if of_whole.flavour else of_whole.kind, networks)


def _read_device(text: str, origin: str) -> RequestedDevice:
    try:
        return RequestedDevice(parse_device(text), origin)
    except DeviceError as error:
        raise DeviceError(f"{origin}: {error}") from None


def _device_in_file(file: PipelineFile, step: str) -> RequestedDevice | None:
    if step in file.devices:
        return _read_device(file.devices[step], f"{file.origin}: {step}")
    return _read_device(file.device, file.origin) if file.device is not None else None


def _place_step(file: PipelineFile | None, step: str, flavour: Flavour | None) -> Placement:
    """Place a step's network where the command line names no device."""
    requested = _device_in_file(file, step) if file is not None else None
    if file is None or requested is None:
        return Placement(flavour)
    # The flavour is for the networks on GPUs; a step that a file keeps off them stays off.
    kept_off = step in file.devices and requested.device.kind == "cpu" and flavour is not None and flavour.kind == "gpu"
    return _place(requested, None if kept_off else flavour)


def _place(requested: RequestedDevice, flavour: Flavour | None) -> Placement:
    fitting = flavours_for(requested.device.kind)
    if flavour is not None and flavour not in fitting:
        instead = "" if requested.origin == _OPTION else f"; {_OPTION} says it for all networks"
        raise AssemblyError(
            f"{requested.origin} says {requested.device}, and flavour {flavour.name} is for {flavour.kind.upper()}s; "
            f"flavours for {requested.device} are {' and '.join(each.name for each in fitting)}{instead}"
        )
    # The first of those for GPUs is the usual one; of those for CPUs it depends on the network.
    return Placement(flavour or (fitting[0] if requested.device.kind == "gpu" else None), requested)


def _widest(networks: Mapping[str, Placement]) -> Placement:
    """Return the place that modules work for where none is named: on GPUs if there is one."""
    return next((place for place in networks.values() if place.kind == "gpu"), Placement())


def _refuse_two_places(name: str, first: Placement, second: Placement) -> None:
    if (first.flavour, first.gpus) != (second.flavour, second.gpus):
        raise AssemblyError(f"{name} is wanted in two places: {first} and {second}; {_OPTION} says one for all")
