"""Checks before a server starts: everything that would fail later without a word, refused here with one."""

from __future__ import annotations

import importlib.util
import json
import platform
import socket
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from paddlex_triton.devices import DeviceError
from paddlex_triton.flavours import FLAVOURS, is_there
from paddlex_triton.listening import is_loopback
from paddlex_triton.pipeline_file import PipelineFile
from paddlex_triton.server.host.assemble import MARKER
from paddlex_triton.server.host.device_placement import requested_devices
from paddlex_triton.server.host.errors import ServerStartError
from paddlex_triton.server.host.model_files import ONNX_FILE, fault_of_file

# What nvidia-pytriton 0.7.0 carries Python backend stubs for and what this product is tested on.
PYTHON_VERSIONS = ((3, 10), (3, 11), (3, 12))
# tritonserver in the wheel is linked against it.
MIN_GLIBC = (2, 35)
_INSTALL = "pip install 'paddlex-triton[serve]'"
_NO_GPU = "and the embedded server has no GPU backend. NVIDIA's container has"
_COMPOSE_UP = "docker compose up --build gateway-gpu"


def check_environment() -> None:
    """Refuse a Python, platform or package set on which the embedded server cannot work.

    Raises:
        ServerStartError: says what is wrong and what is needed.
    """
    _check_python(sys.version_info[:2])
    _check_platform(platform.system(), platform.machine(), platform.libc_ver())
    if importlib.util.find_spec("pytriton") is None:
        raise ServerStartError(f"nvidia-pytriton, which carries tritonserver, is not installed. Run: {_INSTALL}")
    if importlib.util.find_spec("onnxruntime") is None:
        raise ServerStartError(f"onnxruntime is not installed. Run: {_INSTALL}")
    _check_numpy(metadata.version("numpy"))


def _check_python(version: tuple[int, ...]) -> None:
    if version not in PYTHON_VERSIONS:
        known = ", ".join(f"{major}.{minor}" for major, minor in PYTHON_VERSIONS)
        raise ServerStartError(f"the embedded server runs on Python {known}; this is {version[0]}.{version[1]}")


def _check_platform(system: str, machine: str, libc: tuple[str, str]) -> None:
    if (system, machine) != ("Linux", "x86_64"):
        raise ServerStartError(f"the embedded server runs on Linux x86_64; this is {system} {machine}. Use Docker")
    name, version = libc
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if name != "glibc" or numbers < MIN_GLIBC:
        needed = ".".join(map(str, MIN_GLIBC))
        raise ServerStartError(f"the embedded server needs glibc {needed} or newer; this is {name} {version}")


def _check_numpy(version: str) -> None:
    # Triton 24.10's Python backend answers with zero bytes and status OK under numpy 2.
    if int(version.split(".")[0]) >= 2:
        raise ServerStartError(
            f"numpy {version} is installed; the embedded server needs numpy<2 (its Python backend returns empty "
            "tensors otherwise). Run: pip install 'numpy<2'"
        )


def check_devices(device: str | None, flavour: str | None = None, files: Sequence[PipelineFile] = ()) -> None:
    """Refuse GPUs, which the embedded server has no backend for.

    Args:
        device: of all networks, as PaddleX writes it; None if it was not given.
        flavour: of all networks; None if it was not given.
        files: of pipelines, whose devices count where none was given.

    Raises:
        ServerStartError: says who asked for what, and where GPUs are served; or the device is not supported at all.
    """
    try:
        on_gpus = next((one for one in requested_devices(device, files) if one.device.kind == "gpu"), None)
    except DeviceError as error:
        raise ServerStartError(str(error)) from None
    if on_gpus is not None:
        # The container gets one unless told otherwise.
        count = f"PADDLEX_TRITON_GPUS={max(on_gpus.device.gpus) + 1} " if max(on_gpus.device.gpus) else ""
        here = "" if device is not None else "; --device cpu serves here, on the CPU"
        raise ServerStartError(
            f"{on_gpus.origin} says {on_gpus.device}, {_NO_GPU}: {count}PADDLEX_TRITON_DEVICE={on_gpus.device} "
            f"{_COMPOSE_UP}; for a Triton of your own, paddlex-triton assemble DIR --device {on_gpus.device}{here}"
        )
    if flavour in FLAVOURS and FLAVOURS[flavour].kind == "gpu":
        raise ServerStartError(
            f"--flavour {flavour} is for GPUs, {_NO_GPU}: PADDLEX_TRITON_GPU_FLAVOUR={flavour} {_COMPOSE_UP}; for a "
            f"Triton of your own, paddlex-triton assemble DIR --flavour {flavour}"
        )


def check_engine(flavour: str | None) -> None:
    """Refuse a flavour whose engine is not installed.

    Args:
        flavour: of all networks; None if it was not given.

    Raises:
        ServerStartError: says what to install.
    """
    wanted = FLAVOURS.get(flavour or "")
    if wanted is not None and not is_there(wanted):
        raise ServerStartError(f"--flavour {wanted.name} needs the package {wanted.package}. Run: {_INSTALL}")


def check_directory(directory: Path) -> None:
    """Refuse an assembled directory whose networks are not those that it was assembled of; any other is let pass.

    Raises:
        ServerStartError: names the file.
    """
    try:
        networks = json.loads((directory / MARKER).read_bytes())["networks"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for name, sha256 in networks.items():
        if fault := fault_of_file(directory / name / ONNX_FILE, sha256):
            raise ServerStartError(
                f"{fault}. Run: paddlex-triton assemble {directory}, with the same options as before"
            )


def check_address(address: str, publish: bool) -> None:
    """Refuse an address that other machines reach unless that was asked for.

    Args:
        address: address the server is going to listen on.
        publish: whether it may be any.

    Raises:
        ServerStartError: says what can be done instead.
    """
    if not (publish or is_loopback(address)):
        told = address or "an empty address"
        raise ServerStartError(
            f"{told} is no loopback address, and Triton's ports ask for no key: whoever reaches them may call. Publish "
            f"REST alone, with keys: --rest-address {address or '0.0.0.0'} --api-key-file FILE; or say --publish"
        )


def check_ports(address: str, ports: Mapping[str, int]) -> None:
    """Refuse ports that are taken, or named twice.

    Args:
        address: address the server is going to listen on.
        ports: option name -> port.

    Raises:
        ServerStartError: names the option and the port.
    """
    if ":" in address:
        raise ServerStartError(f"{address} is an IPv6 address; an IPv4 address or a host name is expected")
    seen: dict[int, str] = {}
    for option, port in ports.items():
        if not 0 < port < 65536:
            raise ServerStartError(f"{option} is {port}; a port is a number from 1 to 65535")
        if port in seen:
            raise ServerStartError(f"{option} and {seen[port]} are both {port}")
        seen[port] = option
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                raise ServerStartError(
                    f"cannot listen on {address}:{port} ({error.strerror}): choose another with {option}"
                ) from None


def free_ports(address: str, count: int) -> list[int]:
    """Return ports nobody listens on at the moment."""
    probes = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((address, 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
