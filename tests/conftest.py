"""Fixtures shared by all tests."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
# PaddleX's own outputs, real weights and images, kept outside the repository.
SHARED = Path(os.environ.get("PADDLEX_TRITON_SHARED", ROOT.parent / "shared"))


# Hypothesis keeps examples; among the sources by default.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(ROOT / ".venv" / "cache" / "hypothesis"))
# What a script starts in the background is deaf to Ctrl-C, and so would be the programs that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark every test with the folder it is in: unit, packaging, server, examples or parity."""
    for item in items:
        item.add_marker(item.path.relative_to(TESTS).parts[0])


@pytest.fixture(scope="session", autouse=True)
def default_repository(tmp_path_factory) -> Iterator[Path]:
    """The folder that networks are exported to and looked for in unless a test says otherwise: not the checkout's."""
    from paddlex_triton import paths

    folder = tmp_path_factory.mktemp("default") / "model_repository"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "networks_repository", lambda: folder)
        yield folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with PaddleX's outputs, real weights and real images."""
    if not SHARED.is_dir():
        pytest.skip(f"no reference data: {SHARED.name}/ is not beside the checkout")
    return SHARED


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    """Say how many parity tests ran: silence about them would look like success."""
    counts = {
        outcome: sum(1 for report in terminalreporter.stats.get(outcome, []) if _is_parity(report))
        for outcome in ("passed", "failed", "skipped")
    }
    if sum(counts.values()):
        line = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        terminalreporter.write_line(f"parity with PaddleX: {line}")


def pytest_sessionfinish(session, exitstatus):
    """With the reference data there, a skipped parity test is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = [report for report in reporter.stats.get("skipped", []) if _is_parity(report)] if reporter else []
    if SHARED.is_dir() and skipped and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _is_parity(report) -> bool:
    nodeid = report.nodeid
    return nodeid.startswith("tests/parity/") and (report.when == "call" or report.outcome != "passed")


@pytest.fixture(scope="session")
def networks(default_repository) -> Path:
    """The repository with PP-OCRv4_mobile_det and PP-OCRv4_mobile_rec, exported once."""
    from paddlex_triton.export.api import export_network

    for name in ("PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec"):
        export_network(name)
    return default_repository


@pytest.fixture(scope="session")
def server(networks, tmp_path_factory):
    """A live Triton with the OCR pipeline alone, started once."""
    from paddlex_triton.server.host.launcher import EmbeddedServer

    log = tmp_path_factory.mktemp("triton") / "triton.log"
    # A preset that is named takes in nothing else that may be exported where the tests run.
    with EmbeddedServer(["OCR"], presets={"OCR": "PP-OCRv4_mobile"}, log_file=log) as running:
        yield running
