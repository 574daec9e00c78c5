"""Who may call what: Triton's administrative APIs on a live server, and where its key is not."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException

from paddlex_triton.admin_api import key_headers
from paddlex_triton.bench.compare.process_tree import tree_of

# Of each API, over HTTP. None of these changes anything where it is allowed.
HTTP = [
    ("POST", "/v2/repository/index"),
    ("POST", "/v2/repository/models/ocr/load"),
    ("POST", "/v2/repository/models/ocr/unload"),
    ("GET", "/v2/models/ocr/config"),
    ("GET", "/v2/models/ocr/versions/1/config"),
    ("GET", "/v2/logging"),
    ("POST", "/v2/logging"),
    ("GET", "/v2/trace/setting"),
    ("POST", "/v2/trace/setting"),
    ("GET", "/v2/models/ocr/trace/setting"),
    ("POST", "/v2/models/ocr/trace/setting"),
    ("GET", "/v2/systemsharedmemory/status"),
    ("POST", "/v2/systemsharedmemory/region/x/register"),
    ("POST", "/v2/systemsharedmemory/region/x/unregister"),
    ("GET", "/v2/cudasharedmemory/status"),
    ("POST", "/v2/cudasharedmemory/region/x/register"),
    ("POST", "/v2/cudasharedmemory/region/x/unregister"),
]
# And over gRPC.
GRPC = {
    "index": lambda client, **options: client.get_model_repository_index(**options),
    "load": lambda client, **options: client.load_model("ocr", **options),
    "unload": lambda client, **options: client.unload_model("ocr", **options),
    "config": lambda client, **options: client.get_model_config("ocr", **options),
    "log settings": lambda client, **options: client.get_log_settings(**options),
    "log change": lambda client, **options: client.update_log_settings({}, **options),
    "trace settings": lambda client, **options: client.get_trace_settings(**options),
    "trace change": lambda client, **options: client.update_trace_settings(settings={}, **options),
    "shared memory": lambda client, **options: client.get_system_shared_memory_status(**options),
    "map memory": lambda client, **options: client.register_system_shared_memory("x", "/no_such", 1, **options),
    "CUDA memory": lambda client, **options: client.get_cuda_shared_memory_status(**options),
    "map CUDA memory": lambda client, **options: client.register_cuda_shared_memory("x", b"", 0, 1, **options),
}
WRONG = "a-key-that-is-another-one"


@pytest.mark.parametrize(("method", "path"), HTTP)
def test_http_asks_for_the_key(server, method, path):
    def call(key: str | None) -> httpx.Response:
        content = b"{}" if method == "POST" else None
        url = server.http_url + path
        return httpx.request(method, url, content=content, headers=key_headers(key), trust_env=False)

    for key in (None, WRONG, server.admin_key[:-1], server.admin_key + "0"):
        assert call(key).status_code == 403
    assert call(server.admin_key).status_code != 403


@pytest.mark.parametrize("name", GRPC)
def test_grpc_asks_for_the_key(server, triton, name):
    def refused(headers: dict[str, str] | None) -> bool:
        try:
            GRPC[name](triton, headers=headers)
        except InferenceServerException as error:
            return "This protocol is restricted" in str(error)
        return False

    assert refused(None)
    assert refused(key_headers(WRONG, grpc=True))
    # The name of HTTP's header is another one.
    assert refused(key_headers(server.admin_key))
    assert not refused(key_headers(server.admin_key, grpc=True))


def test_what_callers_need_is_open(server, triton, ask, sample):
    for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/ocr", "/v2/models/ocr/stats"):
        assert httpx.get(server.http_url + path, trust_env=False).status_code == 200
    assert triton.is_server_ready()
    assert triton.get_model_metadata("ocr").name == "ocr"
    assert triton.get_inference_statistics("ocr").model_stats
    assert len(ask(sample)["texts"])


def test_the_key_is_in_no_log_no_environment_and_no_number(server):
    key = server.admin_key
    # A refusal and a call that is allowed have been logged by now, if anything of them ever is.
    with grpcclient.InferenceServerClient(server.grpc_url) as client:
        client.get_model_config("ocr", headers=key_headers(key, grpc=True))
    httpx.get(f"{server.http_url}/v2/models/ocr/config", trust_env=False)
    assert server._log_file is not None
    assert key not in server._log_file.read_text()
    assert key not in httpx.get(server.metrics_url, trust_env=False).text
    processes = tree_of(server.pid)
    assert len(processes) > 5
    for pid in processes:
        assert key.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
        # Only Triton itself is told, which takes it from its arguments alone.
        assert (key.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()) is (pid == server.pid)
