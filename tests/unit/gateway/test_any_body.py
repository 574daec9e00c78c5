"""Whatever is sent, no answer is a fault of the server."""

import json

import httpx
import pytest
from gateway_world import MODELS, answer, base64_of, picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paddlex_triton.client import async_pipeline
from paddlex_triton.client.transports.mock import AsyncMockTransport
from paddlex_triton.gateway import service
from paddlex_triton.gateway.app import create_app
from paddlex_triton.gateway.endpoints import ENDPOINTS
from paddlex_triton.gateway.settings import GatewaySettings

PAGE = base64_of(picture())
FIELDS = sorted(
    {
        field.alias or name
        for endpoint in ENDPOINTS
        for form in endpoint.forms
        for name, field in form.body.model_fields.items()
    }
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([PAGE, "min", "max", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
BODIES = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), ANYTHING, max_size=8)
# Most of what is drawn at random is refused for its file alone.
WITH_FILE = BODIES.map(lambda body: {**body, "file": PAGE, "image": PAGE, "fileType": 1})


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from([endpoint.path for endpoint in ENDPOINTS]),
    content=(BODIES | WITH_FILE).map(lambda body: json.dumps(body).encode()) | st.binary(max_size=60),
)
async def test_no_body_is_a_fault_of_the_server(path, content):
    transport = AsyncMockTransport(answer, models=MODELS)
    with pytest.MonkeyPatch.context() as patch:
        for module in (service, async_pipeline):
            patch.setattr(module, "open_async_transport", lambda endpoint: transport)
        app = create_app(GatewaySettings("127.0.0.1:1"))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as gateway:
            answered = await gateway.post(path, content=content)
    said = answered.json()
    assert answered.status_code in (200, 422), said
    assert said["errorCode"] == (0 if answered.status_code == 200 else 422)
