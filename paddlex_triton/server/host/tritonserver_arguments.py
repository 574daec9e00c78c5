"""The arguments that every tritonserver of ours gets, embedded or in a container."""

from __future__ import annotations

from pathlib import Path

from paddlex_triton.server.host.errors import HostError
from paddlex_triton.trace_url import spans_url

# Triton finishes requests in flight for at most this long, then ends its stubs.
EXIT_TIMEOUT_S = 30
# One with dead processes waits for their answers for all of that: it gets so long for the answers of others.
SICK_EXIT_S = 5.0
# Shared memory a module's process starts with and grows by, bytes. Triton's default is 1 MiB; a page of five
# megapixels is 15 MB and would make it grow fifteen times.
SHM_STEP = 16 * 1024 * 1024


# Bytes of freed memory that a process keeps for the next page, until it has been idle for a while (`idle`), and bytes
# of the largest piece that can be kept, the most that glibc allows: an A4 page at 300 dpi is 26 MB. By itself glibc
# gives the pixels of every page back to the machine and takes them anew, a page fault for every 4 kB: a scan of four
# megapixels took twice as long to decode. Or, after a large page, it keeps up to 64 MB in each of its arenas.
_KEPT_BYTES = 64 * 1024 * 1024
_LARGEST_KEPT_BYTES = 32 * 1024 * 1024


def memory_environment() -> dict[str, str]:
    """Return the variables by which glibc manages the memory of tritonserver and of its models' processes."""
    return {
        "MALLOC_MMAP_THRESHOLD_": str(_LARGEST_KEPT_BYTES),
        "MALLOC_TRIM_THRESHOLD_": str(_KEPT_BYTES),
        # Triton's threads would fill an arena each with what requests leave behind.
        "MALLOC_ARENA_MAX": "2",
    }


def serving_arguments(
    models: Path, *, shm_start: int | str = SHM_STEP, shm_growth: int | str = SHM_STEP
) -> tuple[str, ...]:
    """Return the arguments with which an assembled directory is served whole: ready means that everything answers.

    Args:
        models: the directory.
        shm_start: bytes of /dev/shm that each module instance starts with.
        shm_growth: bytes by which one grows when a page does not fit.
    """
    return (
        f"--model-repository={models}",
        "--model-control-mode=none",
        "--exit-on-error=true",
        "--strict-readiness=true",
        f"--exit-timeout-secs={EXIT_TIMEOUT_S}",
        f"--backend-config=python,shm-default-byte-size={shm_start}",
        f"--backend-config=python,shm-growth-byte-size={shm_growth}",
    )


def tracing_arguments(url: str | None) -> tuple[str, ...]:
    """Return the arguments with which every request is traced, through modules to networks; none without a URL.

    Args:
        url: of a collector of OpenTelemetry.

    Raises:
        HostError: it is no URL.
    """
    if not url:
        return ()
    try:
        endpoint = spans_url(url)
    except ValueError as error:
        raise HostError(str(error)) from None
    settings = (
        "mode=opentelemetry",
        f"opentelemetry,url={endpoint}",
        "opentelemetry,resource=service.name=paddlex-triton",
        "level=TIMESTAMPS",
        "rate=1",
    )
    return tuple(f"--trace-config={setting}" for setting in settings)
