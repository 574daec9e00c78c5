"""How runs of networks share the cores of a CPU."""

import os

import pytest

from paddlex_triton.server.host.core_sharing import CoreSharing, put_into_module, put_into_network, share_cores
from paddlex_triton.server.host.errors import AssemblyError

NETWORK = """\
# One instance, count: 1 of them.
instance_group [ { count: 1 kind: KIND_CPU } ]
parameters { key: "thread_count" value { string_value: "0" } }
parameters { key: "take_turns" value { string_value: "1" } }
parameters { key: "kept_shapes" value { string_value: "4" } }
"""


@pytest.fixture(autouse=True)
def many_cores(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 32)


@pytest.mark.parametrize(
    ("cores", "instances", "threads"), [(1, 1, 1), (2, 1, 2), (4, 1, 4), (7, 1, 7), (8, 2, 4), (12, 3, 4), (32, 8, 4)]
)
def test_runs_have_four_threads_where_there_are_many_cores(cores, instances, threads):
    assert share_cores(cores=cores) == CoreSharing(instances, threads)


@pytest.mark.parametrize(("wanted", "threads"), [(1, 0), (2, 16), (3, 10), (32, 1)])
def test_so_many_instances_as_were_asked_for(wanted, threads):
    assert share_cores(wanted, cores=32) == CoreSharing(wanted, threads)


@pytest.mark.parametrize("wanted", [-1, 0, 3])
def test_each_instance_needs_a_core(wanted):
    with pytest.raises(AssemblyError, match=f"^{wanted} instances of each network on 2 cores: 1 to 2 are possible$"):
        share_cores(wanted, cores=2)


def test_one_instance_on_all_cores_is_as_export_writes_it():
    assert put_into_network(NETWORK, CoreSharing()) == NETWORK


def test_a_network_gets_instances_threads_and_turns():
    text = put_into_network(NETWORK, CoreSharing(8, 4))
    assert text.splitlines()[0].startswith("# 8 x 4 threads")
    assert text.splitlines()[1:] == [
        "# One instance, count: 1 of them.",
        "instance_group [ { count: 8 kind: KIND_CPU } ]",
        'parameters { key: "thread_count" value { string_value: "4" } }',
        'parameters { key: "take_turns" value { string_value: "8" } }',
        'parameters { key: "kept_shapes" value { string_value: "4" } }',
    ]


@pytest.mark.parametrize(("instances", "count"), [(1, 2), (2, 2), (8, 8)])
def test_a_module_has_as_many_instances_as_networks_at_least(instances, count):
    text = put_into_module("instance_group [\n  {\n    count: 2\n    kind: KIND_CPU\n  }\n]\n", CoreSharing(instances))
    assert f"    count: {count}\n" in text
