"""The embedded server: a real `tritonserver`, from PyPI, as a child process."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import httpx

from paddlex_triton.admin_api import new_admin_key, restricting_arguments
from paddlex_triton.network_choice import Models
from paddlex_triton.pipeline_file import PipelineFile
from paddlex_triton.processes import die_with_parent, end_process, exit_status
from paddlex_triton.server.backends.common.turns import TURNS_FILE
from paddlex_triton.server.host.assemble import Assembly, assemble
from paddlex_triton.server.host.errors import SICK_STATUS, AssemblyError, ServerEndedError, ServerStartError
from paddlex_triton.server.host.model_watch import ModelWatch
from paddlex_triton.server.host.preflight import (
    check_address,
    check_devices,
    check_directory,
    check_engine,
    check_environment,
    check_ports,
    free_ports,
)
from paddlex_triton.server.host.pytriton_runtime import link_backends, server_environment, tritonserver_root
from paddlex_triton.server.host.selfcheck import check_python_backend
from paddlex_triton.server.host.tritonserver_arguments import (
    EXIT_TIMEOUT_S,
    SICK_EXIT_S,
    memory_environment,
    serving_arguments,
)

logger = logging.getLogger(__name__)

# Seven modules and three networks were ready in under 10 s on two cores; slow disks take longer.
START_TIMEOUT_S = 180.0
# How often the processes of the models are looked at.
_WATCH_S = 2.0
_LOG_TAIL_LINES = 30


class EmbeddedServer:
    """A `tritonserver` child process serving an assembled directory.

    Usable as a context manager. Safe to stop more than once; stopped at interpreter exit.
    """

    def __init__(
        self,
        pipelines: Sequence[str] = (),
        *,
        presets: Mapping[str, str] | None = None,
        models: Models | None = None,
        files: Sequence[PipelineFile] = (),
        directory: Path | None = None,
        networks: Sequence[Path] = (),
        device: str | None = None,
        flavour: str | None = None,
        instances: int | None = None,
        max_megapixels: float | None = None,
        address: str = "127.0.0.1",
        publish: bool = False,
        http_port: int | None = None,
        grpc_port: int | None = None,
        metrics_port: int | None = None,
        admin_key: str | None = None,
        log_file: Path | None = None,
        extra_arguments: Sequence[str] = (),
        start_timeout_s: float = START_TIMEOUT_S,
    ) -> None:
        """Prepare a server; nothing runs before `start`.

        Args:
            pipelines: PaddleX's names of the pipelines to load; if there are none and no files, all those whose
                networks are there.
            presets: pipeline -> one of PaddleX's presets, where it is not the default one.
            models: step -> network, instead of the presets'; an empty name leaves an optional step off.
            files: more pipelines, each as a file of PaddleX's describes it.
            directory: an assembled directory to serve as it is; assembled in a temporary folder if None.
            networks: folders to look for networks in.
            device: where networks run, as PaddleX writes it. GPUs, here or in files, are refused by `start`.
            flavour: configuration flavour of networks, for each the fastest on a CPU if None. Those for GPUs are
                refused, too.
            instances: processes of each network, which share the cores; as many as suit these if None.
            max_megapixels: of a page, if less than what is possible.
            address: address to listen on.
            publish: whether that may be one that other machines reach: Triton's ports ask for no key.
            http_port, grpc_port, metrics_port: a free one if None.
            admin_key: what Triton's `RESTRICTED_APIS` ask for; a random one if None.
            log_file: where Triton's log goes; inherited stdout and stderr if None.
            extra_arguments: appended to tritonserver's command line.
            start_timeout_s: how long to wait for readiness.

        Raises:
            AssemblyError: a directory, which was assembled before, and something that decides how one is assembled.
            ServerStartError: other machines reach the address, and `publish` was not said.
        """
        check_address(address, publish)
        choices = (pipelines, presets, models, files, networks, device, flavour, instances, max_megapixels)
        if directory is not None and any(choices):
            raise AssemblyError(
                f"{directory} is served as it was assembled: pipelines, presets, models, networks, devices, flavour, "
                "instances and megapixels were chosen then"
            )
        self._pipelines = tuple(pipelines)
        self._presets = dict(presets or {})
        self._models = dict(models or {})
        self._files = tuple(files)
        self._device = device
        self._directory = directory
        self._networks = tuple(networks)
        self._flavour = flavour
        self._instances = instances
        self._max_megapixels = max_megapixels
        self._address = address
        self._wanted_ports = {"--http-port": http_port, "--grpc-port": grpc_port, "--metrics-port": metrics_port}
        self._ports: dict[str, int] = {}
        self._admin_key = admin_key or new_admin_key()
        self._log_file = log_file
        self._extra_arguments = tuple(extra_arguments)
        self._start_timeout_s = start_timeout_s
        self._shm_prefix = f"paddlex_triton_{uuid.uuid4().hex}_"
        self._owner = os.getpid()
        self._process: subprocess.Popen[bytes] | None = None
        self._models_watch: ModelWatch | None = None
        self._runtime: Path | None = None
        self.assembly: Assembly | None = None

    @property
    def http_url(self) -> str:
        """Base URL of the KServe v2 HTTP endpoint."""
        return f"http://{self._address}:{self._ports['--http-port']}"

    @property
    def grpc_url(self) -> str:
        """`host:port` of the gRPC endpoint."""
        return f"{self._address}:{self._ports['--grpc-port']}"

    @property
    def metrics_url(self) -> str:
        """URL of the Prometheus metrics."""
        return f"http://{self._address}:{self._ports['--metrics-port']}/metrics"

    @property
    def admin_key(self) -> str:
        """What requests to Triton's `RESTRICTED_APIS` must carry."""
        return self._admin_key

    @property
    def pid(self) -> int | None:
        """Process id of tritonserver, None when it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> EmbeddedServer:
        """Check, assemble, start and wait until every model is ready.

        Raises:
            ServerStartError: a check failed, no file can be written, or the server ended or was not ready in time.
            AssemblyError: the directory cannot be assembled.
        """
        if self.pid is not None:
            return self
        check_devices(self._device, self._flavour, self._files)
        check_engine(self._flavour)
        check_environment()
        if self._directory is not None:
            check_directory(self._directory)
        self._choose_ports()
        self._owner = os.getpid()
        self._models_watch = None
        atexit.register(self.stop)
        try:
            self._runtime = Path(tempfile.mkdtemp(prefix="paddlex-triton-"))
            self._launch(self._runtime)
            self._wait_until_ready()
            self._models_watch = ModelWatch(self._process.pid) if self._process else None
            check_python_backend(self.grpc_url)
        except OSError as error:
            where = f" in {self._runtime}" if self._runtime else ""
            self.stop()
            raise ServerStartError(f"the server cannot be put together{where}: {error}") from error
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End tritonserver and its stubs and remove what was made for them."""
        atexit.unregister(self.stop)
        # A forked process leaves its parent's server, and the files that it runs on, alone.
        if self._owner != os.getpid():
            return
        patience_s = SICK_EXIT_S if self.fault() else EXIT_TIMEOUT_S + 5
        process, self._process = self._process, None
        if process is not None and process.poll() is None and end_process(process, patience_s):
            logger.warning("tritonserver did not end within %d s and was killed", patience_s)
        if process is not None and process.returncode != 0:
            self._remove_leftovers(process.pid)
        runtime, self._runtime = self._runtime, None
        if runtime is not None:
            shutil.rmtree(runtime, ignore_errors=True)

    def _remove_leftovers(self, pid: int) -> None:
        """Remove what a killed server leaves behind: its stubs, which are of its process group, and their memory."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        for region in Path("/dev/shm").glob(f"{self._shm_prefix}*"):
            region.unlink(missing_ok=True)

    def wait(self) -> None:
        """Wait until the server ends in order.

        Raises:
            ServerEndedError: it ended in another way, or runs on without the process of a model and is to be stopped.
        """
        while (fault := self.fault()) is None and self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                if self._process.wait(_WATCH_S) == 0:
                    return
        if fault is not None:
            status = self._process.poll() if self._process else None
            raise ServerEndedError(fault, SICK_STATUS if status is None else exit_status(status))

    def fault(self) -> str | None:
        """Say what became of a server that was started and has ended, or lost the process of a model."""
        if self._process is None:
            return None
        status = self._process.poll()
        dead = self._models_watch.dead() if status is None and self._models_watch else []
        if dead:
            # Those of a server that is just ending may go before it does.
            with suppress(subprocess.TimeoutExpired):
                status = self._process.wait(_WATCH_S)
        if status is None:
            return f"{', '.join(dead)} lost {'its process' if len(dead) == 1 else 'their processes'}" if dead else None
        if status < 0:
            reason = ", as happens where memory is short" if status == -signal.SIGKILL else ""
            return f"tritonserver was ended by {signal.Signals(-status).name}{reason}"
        return f"tritonserver ended with status {status}" if status else None

    def __enter__(self) -> EmbeddedServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _choose_ports(self) -> None:
        given = {option: port for option, port in self._wanted_ports.items() if port is not None}
        check_ports(self._address, given)
        free = iter(free_ports(self._address, len(self._wanted_ports)))
        self._ports = {option: port or next(free) for option, port in self._wanted_ports.items()}

    def _launch(self, runtime: Path) -> None:
        if self._directory is None:
            self.assembly = assemble(
                runtime / "models",
                pipelines=self._pipelines,
                presets=self._presets,
                models=self._models,
                files=self._files,
                device=self._device,
                flavour=self._flavour,
                instances=self._instances,
                max_megapixels=self._max_megapixels,
                networks=self._networks,
            )
        backends = runtime / "backends"
        backends.mkdir()
        link_backends(backends)
        command = [
            *die_with_parent("TERM"),
            str(tritonserver_root() / "bin" / "tritonserver"),
            *self._arguments(self._directory or runtime / "models", backends),
        ]
        output = self._log_file.open("ab") if self._log_file else None
        try:
            # A session of its own: Ctrl-C reaches us alone, and we end the server in order.
            self._process = subprocess.Popen(
                command,
                env={**memory_environment(), **server_environment(), TURNS_FILE: str(runtime / "turns")},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                start_new_session=True,
            )
        finally:
            if output:
                output.close()

    def _arguments(self, models: Path, backends: Path) -> list[str]:
        return [
            *serving_arguments(models),
            *restricting_arguments(self._admin_key),
            f"--backend-directory={backends}",
            f"--http-address={self._address}",
            f"--grpc-address={self._address}",
            f"--metrics-address={self._address}",
            *(f"{option}={port}" for option, port in self._ports.items()),
            f"--backend-config=python,shm-region-prefix-name={self._shm_prefix}",
            # No GPU here: asking for its metrics only fills the log.
            "--allow-gpu-metrics=false",
            *self._extra_arguments,
        ]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._start_timeout_s
        assert self._process is not None
        while time.monotonic() < deadline:
            status = self._process.poll()
            if status is not None:
                raise ServerStartError(f"tritonserver ended with status {status} while starting{self._log_tail()}")
            try:
                if httpx.get(f"{self.http_url}/v2/health/ready", timeout=5, trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise ServerStartError(f"tritonserver was not ready within {self._start_timeout_s:.0f} s{self._log_tail()}")

    def _log_tail(self) -> str:
        if self._log_file is None:
            return "; its log is above"
        lines = self._log_file.read_text(errors="replace").splitlines()
        errors = [line for line in lines if line.startswith("E") or "error" in line.lower()]
        small = any("shared memory" in line for line in errors)
        reason = ": /dev/shm is too small for the processes of the models, or full" if small else ""
        return f"{reason}:\n" + "\n".join((errors or lines)[-_LOG_TAIL_LINES:])
