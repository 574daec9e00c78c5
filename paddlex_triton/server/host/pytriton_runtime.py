"""The `tritonserver` that nvidia-pytriton carries: its binary, its backends and the environment it needs."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import sysconfig
from pathlib import Path

from paddlex_triton.server.host.errors import ServerStartError

_STUB = "triton_python_backend_stub"
_OWN_BACKENDS = Path(__file__).resolve().parent.parent / "backends"


def tritonserver_root() -> Path:
    """Return the folder with `bin/`, `backends/`, `caches/` and `python_backend_stubs/`.

    Raises:
        ServerStartError: nvidia-pytriton is not installed, or is incomplete.
    """
    spec = importlib.util.find_spec("pytriton")
    if spec is None or not spec.submodule_search_locations:
        raise ServerStartError("nvidia-pytriton is not installed. Run: pip install 'paddlex-triton[serve]'")
    root = Path(next(iter(spec.submodule_search_locations))) / "tritonserver"
    if not (root / "bin" / "tritonserver").is_file():
        raise ServerStartError(f"nvidia-pytriton is incomplete: {root} has no bin/tritonserver")
    return root


def backend_folder(name: str) -> Path:
    """Return the folder of one of this product's backends, as it is laid beside Triton's own."""
    return _OWN_BACKENDS / name


def link_backends(directory: Path) -> None:
    """Fill an empty folder for `--backend-directory`: Triton's Python backend and this product's own backends.

    The stub process of the Python backend must be the one of the running Python and lie beside the backend's
    library, so the backend's folder is made of links.
    """
    root = tritonserver_root()
    stub = root / "python_backend_stubs" / f"{sys.version_info.major}.{sys.version_info.minor}" / _STUB
    if not stub.is_file():
        raise ServerStartError(f"nvidia-pytriton has no Python backend stub for Python {sys.version.split()[0]}")
    python = directory / "python"
    python.mkdir()
    for path in (root / "backends" / "python").iterdir():
        if path.suffix == ".so":
            # Triton refuses a backend library that is a link to another folder.
            shutil.copy2(path, python / path.name)
        elif path.name != _STUB:
            (python / path.name).symlink_to(path)
    (python / _STUB).symlink_to(stub)
    for backend in _OWN_BACKENDS.iterdir():
        if (backend / "model.py").is_file():
            (directory / backend.name).symlink_to(backend)


def server_environment() -> dict[str, str]:
    """Return the environment for `tritonserver`, made from this process's own.

    The stub takes its site-packages from the first Python on PATH and needs the wheel's bundled libraries (else it
    dies on libcudart) and Python's own library folder.
    """
    environment = dict(os.environ)
    bundled = tritonserver_root().parent.parent / "nvidia_pytriton.libs"
    libraries = [str(bundled), sysconfig.get_config_var("LIBDIR") or "", environment.get("LD_LIBRARY_PATH", "")]
    environment["LD_LIBRARY_PATH"] = os.pathsep.join(path for path in libraries if path)
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")])
    # Each stub is one of several processes: threads inside numpy would only compete.
    environment.setdefault("OMP_NUM_THREADS", "1")
    environment.setdefault("OPENBLAS_NUM_THREADS", "1")
    return environment
