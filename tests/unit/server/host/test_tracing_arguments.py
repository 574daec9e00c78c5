"""Triton's arguments for traces."""

import pytest

from paddlex_triton.server.host.container import ContainerSettings
from paddlex_triton.server.host.errors import AssemblyError, HostError
from paddlex_triton.server.host.tritonserver_arguments import tracing_arguments


@pytest.mark.parametrize("url", [None, ""])
def test_nothing_is_traced_without_a_collector(url):
    assert tracing_arguments(url) == ()


def test_every_request_is_sent_to_the_collector():
    arguments = tracing_arguments("http://collector:4318")
    assert "--trace-config=mode=opentelemetry" in arguments
    assert "--trace-config=opentelemetry,url=http://collector:4318/v1/traces" in arguments
    assert "--trace-config=rate=1" in arguments


def test_what_is_no_url_is_refused():
    with pytest.raises(HostError, match="the collector of traces is 'collector'"):
        tracing_arguments("collector")


def test_of_a_container():
    traced = ContainerSettings({"PADDLEX_TRITON_TRACE_URL": "http://collector:4318"}).tritonserver_command()
    assert set(tracing_arguments("http://collector:4318")) <= set(traced)
    assert not any("trace-config" in argument for argument in ContainerSettings({}).tritonserver_command())
    with pytest.raises(AssemblyError, match="PADDLEX_TRITON_TRACE_URL: the collector of traces is 'x'"):
        ContainerSettings({"PADDLEX_TRITON_TRACE_URL": "x"}).tritonserver_command()
