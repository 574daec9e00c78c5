"""Devices in an assembled directory: flavours, GPUs, and contradictions that are refused."""

from __future__ import annotations

import json

import pytest
import typer
from stand_in_networks import write_network
from typer.testing import CliRunner

from paddlex_triton import paths
from paddlex_triton.devices import parse_device
from paddlex_triton.export.families import FAMILIES
from paddlex_triton.flavours import FLAVOURS
from paddlex_triton.pipeline_file import NetworkReference, PipelineFile
from paddlex_triton.pipelines import PIPELINES
from paddlex_triton.server.host.assemble import assemble
from paddlex_triton.server.host.cli import register
from paddlex_triton.server.host.errors import AssemblyError, ServerStartError
from paddlex_triton.server.host.launcher import EmbeddedServer
from paddlex_triton.server.host.model_config import read_config, set_gpus

DET, REC = "PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec"
KIND_CPU, KIND_GPU = 2, 1


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Networks that no other folder can stand in for."""
    folder = tmp_path / "networks"
    write_network(folder, DET, "db_detection")
    write_network(folder, REC, "ctc_recognition")
    monkeypatch.setattr(paths, "networks_repository", lambda: tmp_path / "nowhere")
    return folder


@pytest.fixture
def put(repository, tmp_path):
    """Assembles OCR; gives the assembly and what its networks run on: name -> (kind, ids of GPUs)."""

    def assembled(**options):
        pipelines = [] if options.get("files") else ["OCR"]
        assembly = assemble(tmp_path / "models", pipelines=pipelines, networks=[repository], **options)
        return assembly, {name: instances_of(tmp_path / "models" / name) for name in assembly.networks}

    return assembled


def instances_of(folder):
    (group,) = read_config(folder / "config.pbtxt").instance_group
    return group.kind, list(group.gpus)


def ocr_file(device=None, origin="my.yaml", **devices) -> PipelineFile:
    networks = {"text_detection": NetworkReference(DET), "text_recognition": NetworkReference(REC)}
    off = ("doc_orientation_classify", "doc_unwarping", "textline_orientation")
    return PipelineFile(origin, PIPELINES["OCR"], networks, off, device=device, devices=devices)


@pytest.mark.parametrize(
    ("device", "flavour", "wanted"),
    [
        (None, None, (KIND_CPU, [])),
        (None, "gpu", (KIND_GPU, [])),
        ("cpu", None, (KIND_CPU, [])),
        ("cpu", "cpu", (KIND_CPU, [])),
        ("gpu", None, (KIND_GPU, [0])),
        ("gpu:1", "gpu", (KIND_GPU, [1])),
        ("gpu:0,1", None, (KIND_GPU, [0, 1])),
    ],
)
def test_networks_go_where_they_are_asked_to(put, tmp_path, device, flavour, wanted):
    assembly, instances = put(device=device, flavour=flavour)
    assert instances == {DET: wanted, REC: wanted}
    assert assembly.flavour == ("gpu" if wanted[0] == KIND_GPU else "cpu")
    place = str(parse_device(device)) if device else None
    assert assembly.devices == ({DET: place, REC: place} if place else {})
    assert json.loads((tmp_path / "models" / "assembly.json").read_text())["devices"] == assembly.devices
    for module in assembly.modules:
        assert instances_of(tmp_path / "models" / module) == (KIND_CPU, [])
    # The modules' flavour for networks on GPUs takes several pages together.
    batches = read_config(tmp_path / "models" / "text_detection" / "config.pbtxt").max_batch_size
    assert batches == (4 if wanted[0] == KIND_GPU else 0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("gpus", [(0,), (2, 0), tuple(range(64))], ids=["one", "two", "most"])
def test_gpus_in_the_configuration_of_every_family(tmp_path, family, gpus):
    path = write_network(tmp_path, "net", family) / FLAVOURS["gpu"].config_file
    before = path.read_text()
    path.write_text(set_gpus(before, gpus))
    config = read_config(path)
    (group,) = config.instance_group
    assert (group.count, group.kind, list(group.gpus)) == (1, KIND_GPU, list(gpus))
    lines = path.read_text().splitlines()
    (index,) = [number for number, line in enumerate(lines) if line.startswith("instance_group")]
    assert lines[index - 1].startswith(f"# The device asked for is gpu:{','.join(map(str, gpus))}: ")
    assert len(lines[index - 1]) <= 120 or len(gpus) > 2
    # Nothing else has changed, comments too.
    added = {lines[index - 1], lines[index]}
    assert [line for line in lines if line not in added] == [
        line for line in before.splitlines() if not line.startswith("instance_group")
    ]


def test_gpus_where_a_group_is_written_on_several_lines(tmp_path):
    path = tmp_path / "config.pbtxt"
    path.write_text(
        '# No gpus: all of them, KIND_GPU.\nname: "net"\ninstance_group [\n  {\n    kind: KIND_GPU\n  }\n]\n'
    )
    path.write_text(set_gpus(path.read_text().replace("gpus:", "ids,"), (1,)))
    (group,) = read_config(path).instance_group
    assert (group.kind, list(group.gpus)) == (KIND_GPU, [1])


def test_gpus_beside_the_profiles_of_a_plan(tmp_path):
    path = tmp_path / "config.pbtxt"
    path.write_text(
        '# One.\n# Profiles.\ninstance_group [ { count: 1 kind: KIND_GPU profile: [ "0", "1" ] } ]\n', encoding="utf-8"
    )
    path.write_text(set_gpus(path.read_text(), (0, 1)))
    (group,) = read_config(path).instance_group
    assert (list(group.gpus), list(group.profile)) == ([0, 1], ["0", "1"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "instance_group [ { count: 1 kind: KIND_CPU } ]",
        "# kind: KIND_GPU\ninstance_group [ { count: 1 kind: KIND_CPU } ]",
        "instance_group [ { kind: KIND_GPU gpus: [ 0 ] } ]",
        "instance_group [\n { kind: KIND_GPU },\n { kind: KIND_GPU }\n]",
    ],
)
def test_gpus_that_cannot_be_put_anywhere_are_refused(text):
    with pytest.raises(AssemblyError, match="does not have one group of instances on all GPUs"):
        set_gpus(text, (0,))


@pytest.mark.parametrize(
    ("device", "flavour", "message"),
    [
        ("cpu", "gpu", "--device says cpu, and flavour gpu is for GPUs; flavours for cpu are cpu and openvino"),
        ("cpu", "tensorrt", "--device says cpu, and flavour tensorrt is for GPUs"),
        ("gpu:0", "cpu", "--device says gpu:0, and flavour cpu is for CPUs; flavours for gpu:0 are gpu and tensorrt"),
        ("gpu:0", "openvino", "--device says gpu:0, and flavour openvino is for CPUs"),
        ("cpu", "openvino", "has no 'openvino' flavour"),
        ("npu:0", None, "--device: 'npu:0' is not supported; supported are cpu, gpu, gpu:0 and gpu:0,1"),
        ("gpu:0,0", None, "--device: 'gpu:0,0' names a GPU twice"),
        ("gpu:0", "tensorrt", "has no 'tensorrt' flavour"),
        (None, "quick", "unknown flavour 'quick'; known: cpu, openvino, gpu, tensorrt"),
    ],
)
def test_contradictions_are_refused(put, tmp_path, device, flavour, message):
    with pytest.raises(AssemblyError) as refused:
        put(device=device, flavour=flavour)
    assert message in str(refused.value)
    assert not (tmp_path / "models").exists()


def test_a_file_s_device_and_a_step_s_own(put):
    assembly, instances = put(files=[ocr_file("gpu:1")])
    assert instances == {DET: (KIND_GPU, [1]), REC: (KIND_GPU, [1])}
    assembly, instances = put(files=[ocr_file("gpu:1", text_detection="cpu", text_recognition="gpu:2,3")])
    assert instances == {DET: (KIND_CPU, []), REC: (KIND_GPU, [2, 3])}
    assert (assembly.flavour, assembly.devices) == ("gpu", {DET: "cpu", REC: "gpu:2,3"})
    _, instances = put(files=[ocr_file(text_recognition="gpu:0")])
    assert instances == {DET: (KIND_CPU, []), REC: (KIND_GPU, [0])}


def test_the_command_line_s_device_wins_over_files(put):
    _, instances = put(files=[ocr_file("gpu:1", text_detection="gpu:2")], device="cpu")
    assert set(map(str, instances.values())) == {str((KIND_CPU, []))}
    # What is not taken is not looked at either.
    _, instances = put(files=[ocr_file("npu:0")], device="gpu:0")
    assert instances[DET] == (KIND_GPU, [0])


def test_a_file_s_device_that_contradicts_the_flavour_is_refused(put):
    with pytest.raises(
        AssemblyError, match=r"my.yaml says gpu:1, and flavour cpu is for CPUs.*--device says it for all networks"
    ):
        put(files=[ocr_file("gpu:1")], flavour="cpu")
    with pytest.raises(AssemblyError, match=r"my.yaml: text_detection: 'npu' is not supported"):
        put(files=[ocr_file(text_detection="npu")])
    # A step that the file keeps on the CPU stays there beside others on GPUs.
    _, instances = put(files=[ocr_file(text_detection="cpu")], flavour="gpu")
    assert instances == {DET: (KIND_CPU, []), REC: (KIND_GPU, [])}


def test_one_network_in_two_places_is_refused(repository, tmp_path):
    write_network(repository, "PP-OCRv4_mobile_seal_det", "db_detection")
    networks = {
        "seal_text_detection": NetworkReference("PP-OCRv4_mobile_seal_det"),
        "text_recognition": NetworkReference(REC),
    }
    off = ("doc_orientation_classify", "doc_unwarping", "layout_detection")
    seals = PipelineFile("seals.yaml", PIPELINES["seal_recognition"], networks, off, device="gpu:0")
    options = {"files": [ocr_file("gpu:1"), seals], "networks": [repository]}
    with pytest.raises(
        AssemblyError, match=f"{REC} is wanted in two places: my.yaml says gpu:1 and seals.yaml says gpu:0"
    ):
        assemble(tmp_path / "models", **options)
    assembly = assemble(tmp_path / "models", device="gpu:0,1", **options)
    assert set(assembly.devices.values()) == {"gpu:0,1"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "gpu:0"}, "--device says gpu:0, and the embedded server has no GPU backend"),
        ({"device": "gpu:0"}, "PADDLEX_TRITON_DEVICE=gpu:0 docker compose up --build gateway-gpu"),
        ({"device": "gpu:0,1"}, "has: PADDLEX_TRITON_GPUS=2 PADDLEX_TRITON_DEVICE=gpu:0,1 docker compose up"),
        ({"device": "gpu"}, "paddlex-triton assemble DIR --device gpu:0"),
        ({"device": "xpu"}, "--device: 'xpu' is not supported; supported are cpu"),
        ({"files": [ocr_file("gpu:1")]}, "my.yaml says gpu:1, and the embedded server has no GPU backend"),
        ({"files": [ocr_file("gpu:1")]}, "; --device cpu serves here, on the CPU"),
        ({"files": [ocr_file(text_detection="gpu:1")]}, "my.yaml: text_detection says gpu:1"),
        ({"flavour": "gpu"}, "--flavour gpu is for GPUs, and the embedded server has no GPU backend"),
        ({"flavour": "tensorrt"}, "PADDLEX_TRITON_GPU_FLAVOUR=tensorrt docker compose up --build gateway-gpu"),
        ({"flavour": "gpu", "device": "cpu"}, "paddlex-triton assemble DIR --flavour gpu"),
    ],
)
def test_the_embedded_server_refuses_gpus_before_anything_starts(monkeypatch, options, message):
    monkeypatch.setattr("paddlex_triton.server.host.launcher.assemble", None)
    server = EmbeddedServer(**options)
    with pytest.raises(ServerStartError) as refused:
        server.start()
    assert message in str(refused.value)
    assert server.pid is None


@pytest.mark.parametrize("device", ["gpu:0", "npu"])
def test_serve_refuses_in_one_message(device):
    app = typer.Typer()
    register(app)
    done = CliRunner().invoke(app, ["serve", "--device", device], env={"COLUMNS": "300", "TERM": "dumb"})
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("Error: --device")


@pytest.mark.parametrize(
    "options",
    [
        {"device": "cpu"},
        {"device": "cpu", "files": [ocr_file("gpu:0")]},
        {"files": [ocr_file("gpu:0", text_detection="cpu", text_recognition="cpu")]},
        {"files": [ocr_file("cpu")]},
        {"flavour": "cpu"},
    ],
)
def test_the_embedded_server_goes_on_where_nothing_is_for_gpus(monkeypatch, options):
    def reached() -> None:
        raise ServerStartError("past the devices")

    monkeypatch.setattr("paddlex_triton.server.host.launcher.check_environment", reached)
    with pytest.raises(ServerStartError, match="past the devices"):
        EmbeddedServer(**options).start()


@pytest.mark.parametrize("options", [{"device": "cpu"}, {"files": [ocr_file()]}, {"flavour": "cpu"}])
def test_what_was_assembled_is_served_as_it_is(tmp_path, options):
    with pytest.raises(AssemblyError, match="devices, flavour, instances and megapixels were chosen then"):
        EmbeddedServer(directory=tmp_path, **options)
