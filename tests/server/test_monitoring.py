"""What dashboards and alerts ask for is what a live server and gateway export."""

from __future__ import annotations

import base64
import json
import re
import time
from pathlib import Path

import httpx
import pytest

from paddlex_triton.gateway.running import Gateway
from paddlex_triton.gateway.settings import GatewaySettings

EXPORTED = json.loads((Path(__file__).parents[1] / "unit" / "deploy" / "exported_metrics.json").read_text())


@pytest.fixture
def gateway(server):
    made = Gateway(GatewaySettings(server.grpc_url), "127.0.0.1", 0)
    made.start()
    yield made
    made.stop()


def labels_by_metric(*urls: str) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for url in urls:
        for line in httpx.get(url, trust_env=False).text.splitlines():
            sample = re.fullmatch(r"(\w+)(?:\{(.*)\})? \S+", line)
            if sample and not sample[1].endswith("_created"):
                found.setdefault(sample[1], set()).update(re.findall(r'(\w+)="', sample[2] or ""))
    return {name: sorted(labels) for name, labels in sorted(found.items())}


def test_the_list_of_metrics_is_what_is_exported(server, gateway, sample):
    """The list is that of the embedded Triton; other releases may export more."""
    page = {"file": base64.b64encode(sample).decode(), "fileType": 1}
    assert httpx.post(f"{gateway.url}/ocr", json=page, timeout=60).status_code == 200
    assert httpx.post(f"{gateway.url}/ocr", json={"file": "AAAA", "fileType": 1}).status_code == 422
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{gateway.url}/ocr", json=page, timeout=0.05)
    deadline = time.monotonic() + 20
    while "paddlex_gateway_hung_up_total{" not in httpx.get(f"{gateway.url}/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    exported = labels_by_metric(server.metrics_url, f"{gateway.url}/metrics")
    assert {name: exported.get(name) for name in EXPORTED} == EXPORTED
