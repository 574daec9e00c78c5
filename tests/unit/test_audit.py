"""`scripts/audit`: pip-audit on the pins, asking a service that answers by itself in OSV's form."""

import importlib.util
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "audit.py"
PINS = [
    Requirement(line)
    for name in ("constraints.txt", "constraints-image.txt")
    for line in (ROOT / "requirements" / name).read_text().splitlines()
    if line and not line.startswith("#")
]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("audit_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def service() -> Iterator[SimpleNamespace]:
    """A service: `known` is package -> its flaws, `asked` what it was asked about; `status` is what it answers."""
    told = SimpleNamespace(known={}, asked=set(), status=200)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = canonicalize_name(query["package"]["name"])
            told.asked.add((name, query["version"]))
            content = json.dumps({"vulns": told.known.get(name, [])}).encode()
            self.send_response(told.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        told.url = f"http://127.0.0.1:{server.server_address[1]}/v1/query"
        yield told
        server.shutdown()


@pytest.fixture
def audit(service) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the script against that service."""

    def run(*options: str, url: str = "") -> subprocess.CompletedProcess[str]:
        asked = ["--vulnerability-service", "osv", "--osv-url", url or service.url, *options]
        return subprocess.run(
            [sys.executable, SCRIPT, *asked], capture_output=True, text=True, timeout=120, check=False
        )

    return run


def flaw(package: str, identity: str, fixed: str) -> dict:
    affected = {
        "package": {"name": package, "ecosystem": "PyPI"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}],
    }
    return {"id": identity, "summary": "A flaw", "aliases": [], "affected": [affected]}


def test_every_pin_is_asked_about_those_of_other_pythons_too(audit, service):
    done = audit()
    assert done.returncode == 0, done.stderr
    assert "No known vulnerabilities found" in done.stdout + done.stderr
    wanted = {(canonicalize_name(pin.name), next(iter(pin.specifier)).version) for pin in PINS}
    assert service.asked == wanted
    assert len(wanted) > 80


def test_a_flaw_is_told_and_ends_with_1(audit, service):
    service.known["pillow"] = [flaw("pillow", "PYSEC-2099-1", "99.0")]
    done = audit()
    assert done.returncode == 1
    lines = [line.lower().split() for line in done.stdout.splitlines() if "PYSEC-2099-1" in line]
    versions = {str(pin.specifier).removeprefix("==") for pin in PINS if pin.name.lower() == "pillow"}
    assert sorted(lines) == [["pillow", version, "pysec-2099-1", "99.0"] for version in sorted(versions)]


def test_one_that_is_known_to_do_no_harm(audit, service):
    service.known["pillow"] = [flaw("pillow", "PYSEC-2099-1", "99.0")]
    assert audit("--ignore-vuln", "PYSEC-2099-1").returncode == 0


def test_a_service_that_fails_is_no_clean_bill(audit, service):
    service.status = 500
    assert audit().returncode != 0
    assert audit(url="http://127.0.0.1:1/v1/query").returncode != 0


def test_pins(script, tmp_path):
    (tmp_path / "a").write_text('# ours\nx==1; python_version < "3.11"\nx==2; python_version >= "3.11"\n\ny==3\n')
    (tmp_path / "b").write_text("y==3\nx==4\n")
    pins = script.read_pins([tmp_path / "a", tmp_path / "b"])
    assert pins == ["x==1", "x==2", "x==4", "y==3"]
    assert script.split_by_version(pins) == [["x==1", "y==3"], ["x==2"], ["x==4"]]
