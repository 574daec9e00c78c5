"""Deployment files, as far as they can be proved without a container engine."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import deploy_tools
import pytest
import tomli
import yaml
from packaging.requirements import Requirement

from paddlex_triton import paths
from paddlex_triton.admin_api import restricting_arguments
from paddlex_triton.checksums import sha256_of
from paddlex_triton.pipelines import PIPELINES, find_preset
from paddlex_triton.server.host.container import ContainerSettings
from paddlex_triton.server.host.core_sharing import share_cores
from paddlex_triton.server.host.gpu_module_config import derive_gpu_config
from paddlex_triton.server.host.model_config import parse_config, read_config

ROOT = Path(__file__).resolve().parents[4]
COMPOSE = ROOT / "docker-compose.yml"
PORTS = ROOT / "docker-compose.ports.yml"
DOCKERFILE = ROOT / "docker" / "Dockerfile"
GATEWAY_DOCKERFILE = ROOT / "docker" / "gateway.Dockerfile"
EXPORT_DOCKERFILE = ROOT / "docker" / "export.Dockerfile"
ENTRYPOINT = ROOT / "docker" / "entrypoint.sh"
SERVICES = {"triton": "cpu", "triton-openvino": "openvino", "triton-gpu": "gpu"}
GATEWAYS = {"gateway": "triton", "gateway-openvino": "triton-openvino", "gateway-gpu": "triton-gpu"}
MONITORING = ("prometheus", "grafana")


def compose(path: Path = COMPOSE) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def check_schema(path: Path) -> subprocess.CompletedProcess:
    """Compare a file with the schema of the Compose Specification that check-jsonschema carries."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("path", [COMPOSE, PORTS], ids=lambda path: path.name)
def test_compose_files_follow_the_specification(path):
    result = check_schema(path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_specification_is_really_compared(tmp_path):
    broken = tmp_path / "docker-compose.yml"
    broken.write_text(COMPOSE.read_text().replace("shm_size:", "shared_memory:"))
    result = check_schema(broken)
    assert result.returncode == 1
    assert "shared_memory" in result.stdout + result.stderr


@pytest.mark.parametrize(("name", "flavour"), SERVICES.items())
def test_service(name, flavour):
    service = compose()["services"][name]
    chosen = {
        "cpu": "${PADDLEX_TRITON_CPU_FLAVOUR:-}",
        "openvino": "openvino",
        "gpu": "${PADDLEX_TRITON_GPU_FLAVOUR:-gpu}",
    }
    assert service["environment"]["PADDLEX_TRITON_FLAVOUR"] == chosen[flavour]
    assert ("PADDLEX_TRITON_TENSORRT" in service["environment"]) == (flavour == "gpu")
    assert service["environment"]["PADDLEX_TRITON_DEVICE"] == "${PADDLEX_TRITON_DEVICE:-}"
    assert service.get("profiles", []) == ([] if flavour == "cpu" else [flavour])
    assert "ports" not in service
    assert service["networks"] == ["inside"]
    command, check = service["healthcheck"]["test"][1:4], service["healthcheck"]
    assert command == ["python3", "-m", "paddlex_triton.probe"]
    # The check ends by itself before it is ended.
    assert float(check["test"][5]) < float(check["timeout"].rstrip("s"))
    assert service["environment"]["PADDLEX_TRITON_PROBE_FAILURES"] == "${PADDLEX_TRITON_PROBE_FAILURES:-3}"
    (networks,) = service["volumes"]
    assert (networks["target"], networks["read_only"]) == ("/networks", True)
    assert "network_mode" not in service
    assert "privileged" not in service


@pytest.mark.parametrize("name", [*SERVICES, *GATEWAYS, *MONITORING])
def test_containers_may_do_little_and_have_limits(name):
    service = compose()["services"][name]
    user, group = service["user"].split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert (service["read_only"], service["cap_drop"], service["security_opt"]) == (
        True,
        ["ALL"],
        ["no-new-privileges:true"],
    )
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & service.keys()
    assert {"cpus", "pids_limit", "mem_limit"} <= service.keys()
    assert service["memswap_limit"] == service["mem_limit"]
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    assert service["restart"] == "unless-stopped"
    assert {"test", "interval", "timeout", "retries", "start_period"} == service["healthcheck"].keys()
    for mount in service.get("tmpfs", ()):
        assert "size=" in mount


def test_what_is_written_is_in_memory_or_a_volume():
    """Paths below which a container writes, of its variables and its program."""
    services = compose()["services"]
    for name in SERVICES:
        assert services[name]["environment"]["HOME"] == "/tmp"
        places = {mount.partition(":")[0] for mount in services[name]["tmpfs"]}
        assert places == {"/tmp", str(ContainerSettings({}).models.parent)}
    for name in GATEWAYS:
        assert [mount.partition(":")[0] for mount in services[name]["tmpfs"]] == ["/tmp"]
        assert "HOME=/tmp" in GATEWAY_DOCKERFILE.read_text()
    assert "prometheus:/prometheus" in services["prometheus"]["volumes"]


def test_triton_reaches_nothing_and_is_reached_by_the_gateway_alone():
    whole = compose()
    assert whole["networks"]["inside"] == {"internal": True}
    outside = {name for name, service in whole["services"].items() if "outside" in service["networks"]}
    assert outside == {*GATEWAYS, "grafana"}
    assert {name for name, service in whole["services"].items() if "ports" in service} == outside
    for name in outside:
        (port,) = whole["services"][name]["ports"]
        assert port.startswith("${PADDLEX_TRITON_ADDRESS:-127.0.0.1}:")


def test_images_are_pinned_and_the_monitoring_ones_are_of_its_profile():
    services = compose()["services"]
    built = {name for name, service in services.items() if "build" in service}
    assert built == {*SERVICES, *GATEWAYS}
    assert {name for name, service in services.items() if service.get("profiles") == ["monitoring"]} == {*MONITORING}
    for name in MONITORING:
        assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", services[name]["image"])
    assert re.search(r":-nvcr\.io/nvidia/tritonserver:\d\d\.\d\d-py3}", COMPOSE.read_text())


@pytest.mark.parametrize("profile", [None, "gpu", "openvino", "monitoring"])
def test_compose_takes_the_file(profile):
    names = {"gpu": "gateway-gpu", "openvino": "gateway-openvino"}
    chosen = ["--profile", profile] if profile else []
    result = deploy_tools.run("docker-compose", "--file", str(COMPOSE), *chosen, "config", "--format", "json")
    assert result.returncode == 0, result.stderr
    services = json.loads(result.stdout)["services"]
    assert {"gateway", "triton", *([names[profile]] if profile in names else [])} <= services.keys()
    assert set(MONITORING) <= services.keys() if profile == "monitoring" else not set(MONITORING) & services.keys()
    assert services["triton"]["mem_limit"] == str(12 * 2**30)


def test_compose_takes_both_files():
    result = deploy_tools.run(
        "docker-compose", "--file", str(COMPOSE), "--file", str(PORTS), "config", "--format", "json"
    )
    assert result.returncode == 0, result.stderr
    triton = json.loads(result.stdout)["services"]["triton"]
    assert [port["target"] for port in triton["ports"]] == [8000, 8001, 8002]
    # An internal network publishes nothing.
    assert triton["networks"].keys() == {"inside", "outside"}


def test_gpu_is_reserved_by_the_gpu_service_alone():
    services = compose()["services"]
    (device,) = services["triton-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert [name for name, service in services.items() if "deploy" in service] == ["triton-gpu"]


@pytest.mark.parametrize(("name", "triton"), GATEWAYS.items())
def test_gateway(name, triton):
    services = compose()["services"]
    service = services[name]
    assert service["environment"]["PADDLEX_TRITON_GATEWAY_URL"] == f"grpc://{triton}:8001"
    assert service["depends_on"] == {triton: {"condition": "service_healthy"}}
    # Compose starts what a service depends on only if a profile of it is that service's.
    assert service.get("profiles") == services[triton].get("profiles")
    assert service["ports"] == ["${PADDLEX_TRITON_ADDRESS:-127.0.0.1}:${PADDLEX_TRITON_REST_PORT:-8080}:8080"]
    assert "127.0.0.1:8080/health" in service["healthcheck"]["test"][-1]
    assert service["volumes"] == services[triton]["volumes"]


@pytest.mark.parametrize("name", GATEWAYS)
def test_keys_are_a_secret_that_is_read_if_it_was_named(name):
    (secret,) = compose()["services"][name]["secrets"]
    default = compose()["secrets"][secret]["file"].removeprefix("${PADDLEX_TRITON_API_KEY_FILE:-").rstrip("}")
    assert (ROOT / default).is_file()
    settings = compose()["services"][name]["environment"]
    # Prometheus has none.
    assert settings["PADDLEX_TRITON_GATEWAY_OPEN_METRICS"] == "${PADDLEX_TRITON_GATEWAY_OPEN_METRICS:-true}"
    read = settings["PADDLEX_TRITON_GATEWAY_API_KEY_FILE"]
    assert read == f"${{PADDLEX_TRITON_API_KEY_FILE:+/run/secrets/{secret}}}"


@pytest.mark.parametrize("name", SERVICES)
def test_the_administrative_key_is_a_secret_that_is_read_if_it_was_named(name):
    service, secrets = compose()["services"][name], compose()["secrets"]
    (secret,) = service["secrets"]
    default = secrets[secret]["file"].removeprefix("${PADDLEX_TRITON_ADMIN_KEY_FILE:-").rstrip("}")
    assert (ROOT / default).is_file()
    read = service["environment"]["PADDLEX_TRITON_ADMIN_KEY_FILE"]
    assert read == f"${{PADDLEX_TRITON_ADMIN_KEY_FILE:+/run/secrets/{secret}}}"


def test_tritons_ports_are_published_by_the_second_file_alone():
    services = compose(PORTS)["services"]
    assert services.keys() == SERVICES.keys()
    for service in services.values():
        assert service.keys() == {"ports", "networks"}
        assert service["networks"] == ["outside"]
        assert [port.rsplit(":", 1)[1] for port in service["ports"]] == ["8000", "8001", "8002"]
        assert all(port.startswith("${PADDLEX_TRITON_ADDRESS:-127.0.0.1}:") for port in service["ports"])


# Megabytes of a request of 12 megapixels, by the formula in the file.
REQUEST_MB = {
    "doc_preprocessor": 15 * 12,
    "text_detection": 13 * 12,
    "layout_detection": 6 * 12,
    "seal_text_detection": 13 * 12,
    "text_recognition": 6 * 12 + 120,
    "human_detection": 6 * 12,
    "keypoint_detection": 6 * 12 + 90,
}


def shm_megabytes(pipelines: list[str], flavour: str) -> int:
    needed = 0
    specs = [PIPELINES[pipeline] for pipeline in pipelines]
    served = dict(pair for spec in specs for pair in zip(spec.models, spec.modules, strict=True))
    for module in served.values():
        path = paths.modules_repository() / module / "config.pbtxt"
        text = path.read_text()
        config = parse_config(derive_gpu_config(text, path) if flavour == "gpu" else text, path)
        instances = sum(group.count for group in config.instance_group)
        needed += instances * (50 + max(1, config.max_batch_size) * REQUEST_MB[module])
    return needed


@pytest.mark.parametrize(("name", "flavour"), SERVICES.items())
def test_shm_covers_the_formula_for_12_megapixels(name, flavour):
    default = compose()["services"][name]["shm_size"].partition(":-")[2].rstrip("}")
    assert default.endswith("gb")
    assert int(default[:-2]) * 1024 >= shm_megabytes(["OCR"], flavour)


@pytest.mark.parametrize(
    ("flavour", "stated"),
    [
        ("cpu", "1.8 GB, seal_recognition 2.1 GB, both 3.0 GB and human keypoints 1.55 GB"),
        ("gpu", "9.0, 10.4, 16.2 and 7.2 GB"),
    ],
)
def test_the_sizes_stated_are_those_of_the_formula(flavour, stated):
    choices = (["OCR"], ["seal_recognition"], ["OCR", "seal_recognition"], ["human_keypoint_detection"])
    gigabytes = [shm_megabytes(pipelines, flavour) / 1000 for pipelines in choices]
    numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", stated)]
    assert numbers == pytest.approx(gigabytes, rel=0.03)
    assert stated in prose()


def prose() -> str:
    lines = [line.lstrip("# ") for line in COMPOSE.read_text().splitlines() if line.startswith("#")]
    return " ".join(lines)


@pytest.mark.parametrize("path", [COMPOSE, PORTS], ids=lambda path: path.name)
def test_every_setting_is_described(path):
    text = path.read_text()
    head = "".join(itertools.takewhile(lambda line: line.startswith("#"), text.splitlines(keepends=True)))
    used = set(re.findall(r"\$\{(\w+)", text))
    assert used
    assert [name for name in used if name not in head] == []


def copied_files(dockerfile: Path = DOCKERFILE) -> list[str]:
    """The sources of a file's COPY instructions, less those from another stage."""
    copies = [line.split()[1:] for line in dockerfile.read_text().splitlines() if line.startswith("COPY ")]
    return [source for words in copies if not words[0].startswith("--from=") for source in words[:-1]]


def is_ignored(path: str) -> bool:
    """Whether .dockerignore leaves a path out: the last pattern that fits it or a folder above it decides."""
    ignored = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        candidates = ["/".join(path.split("/")[:depth]) for depth in range(1, path.count("/") + 2)]
        if pattern and not pattern.startswith("#") and any(fnmatch(name, pattern) for name in candidates):
            ignored = not line.startswith("!")
    return ignored


@pytest.mark.parametrize(
    "source", sorted({*copied_files(), *copied_files(GATEWAY_DOCKERFILE), *copied_files(EXPORT_DOCKERFILE)})
)
def test_what_the_dockerfile_copies_is_there(source):
    path = ROOT / source
    assert path.exists()
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    assert any(not is_ignored(file.relative_to(ROOT).as_posix()) for file in files)


def test_the_image_has_all_modules_and_no_network():
    for spec in PIPELINES.values():
        for module in spec.modules:
            assert not is_ignored(f"model_repository/{module}/1/model.py")
            assert not is_ignored(f"model_repository/{module}/config.pbtxt")
    assert is_ignored("model_repository/PP-OCRv4_mobile_rec/1/model.onnx")
    assert is_ignored("paddlex_triton/ops/__pycache__/db.cpython-311.pyc")
    assert is_ignored(".git/HEAD")
    assert is_ignored("client/examples/rest_client.py")
    exported = [path.relative_to(ROOT).as_posix() for path in paths.modules_repository().glob("*/network.json")]
    assert all(is_ignored(path) for path in exported)


def test_what_the_dockerfile_runs_is_copied():
    copied = copied_files()
    text = DOCKERFILE.read_text()
    assert "requirements/constraints-image.txt" in text
    assert "/opt/paddlex-triton/docker/entrypoint.sh" in text
    assert {"requirements", "docker", "paddlex_triton"} <= set(copied)
    assert os.access(ENTRYPOINT, os.X_OK)
    linked = [path.name for path in (ROOT / "paddlex_triton").iterdir() if path.is_symlink()]
    assert set(linked) <= set(copied)


@pytest.mark.parametrize("dockerfile", [GATEWAY_DOCKERFILE, EXPORT_DOCKERFILE], ids=lambda path: path.name)
def test_images_have_what_they_install(dockerfile):
    copied, text = set(copied_files(dockerfile)), dockerfile.read_text()
    project = tomli.loads((ROOT / "pyproject.toml").read_text())
    packages = {folder.split("/")[0] for folder in project["tool"]["setuptools"]["package-dir"].values()}
    assert packages | {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"]} <= copied
    assert "requirements" in copied
    assert (ROOT / "requirements" / "constraints.txt").is_file()
    assert "--constraint requirements/constraints.txt" in text
    (extras,) = re.findall(r"'\.\[(.*)\]'", text)
    assert set(extras.split(",")) <= project["project"]["optional-dependencies"].keys()


def test_the_exports_image_runs_it_as_nobody_special():
    last = EXPORT_DOCKERFILE.read_text().splitlines()
    assert "USER 1000:1000" in last
    assert 'ENTRYPOINT ["paddlex-triton", "export"]' in last


def test_the_gateways_image_runs_it_as_nobody_special():
    lines = GATEWAY_DOCKERFILE.read_text().splitlines()
    last = lines[max(index for index, line in enumerate(lines) if line.startswith("FROM ")) :]
    assert "USER 1000:1000" in last
    # Its addresses are the container's own.
    assert any("PADDLEX_TRITON_GATEWAY_PUBLISH=true" in line for line in last)
    assert "EXPOSE 8080" in last
    assert 'ENTRYPOINT ["paddlex-triton", "gateway"]' in last
    assert any("/health" in line for line in last)
    assert not [line for line in last if line.startswith("COPY ") and "--from=build" not in line]


def pins(name: str) -> dict[str, str]:
    """Package -> version under the image's Python."""
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    image = {"python_version": "3.12", "python_full_version": "3.12.3"}
    return {pin.name: str(pin.specifier) for pin in requirements if not pin.marker or pin.marker.evaluate(image)}


def test_image_is_pinned_to_what_is_tested():
    tested, image = pins("constraints.txt"), pins("constraints-image.txt")
    differing = {name for name, version in image.items() if tested.get(name) != version}
    # tritonclient 2.51.0 has no wheels of its dependencies for the image's Python 3.12.
    assert differing <= {"tritonclient", "geventhttpclient", "grpcio", "protobuf"}
    assert {"numpy", "opencv-python-headless", "pyclipper", "shapely"} <= image.keys()


@pytest.fixture
def container(tmp_path):
    """Runs the entrypoint with a tritonserver that writes down its arguments."""
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "tritonserver").write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$RECORD"\n')
    main = "from paddlex_triton.cli import main; main()"
    (commands / "paddlex-triton").write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{main}" "$@"\n')
    for command in commands.iterdir():
        command.chmod(0o755)

    def run(*arguments: str, **variables: str) -> tuple[subprocess.CompletedProcess, list[str]]:
        record = tmp_path / "arguments"
        record.unlink(missing_ok=True)
        environment = {
            **os.environ,
            "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
            "RECORD": str(record),
            "PADDLEX_TRITON_NETWORKS": str(tmp_path / "networks"),
            "PADDLEX_TRITON_MODELS": str(tmp_path / "state" / "models"),
            **variables,
        }
        result = subprocess.run(
            ["bash", str(ENTRYPOINT), *arguments], env=environment, capture_output=True, text=True, check=False
        )
        return result, record.read_text().splitlines() if record.exists() else []

    return run


@pytest.fixture
def networks(tmp_path):
    """Folders that look like the exported networks of all modules."""
    default = (name for spec in PIPELINES.values() for name in find_preset(spec).values())
    for name in dict.fromkeys(["mine", *default]):
        write_network(tmp_path / "networks" / name)


PREPARATION = {"PP-LCNet_x1_0_doc_ori", "UVDoc"}
KINDS = {
    "det": ("db_detection", None),
    "rec": ("ctc_recognition", None),
    "ori": ("image_classification", (["0", "90", "180", "270"], ["0_degree", "180_degree"])),
    "UVDoc": ("image_unwarping", None),
}
KIND_GPU = 1
KEY = "a-key-for-whoever-runs-it"
INSTANCES = 'name: "{name}" # {flavour}\ninstance_group [ {{ count: 1 kind: {kind} }} ]\n'


def write_network(folder: Path) -> None:
    for subfolder in ("1", "configs"):
        (folder / subfolder).mkdir(parents=True, exist_ok=True)
    (folder / "1" / "model.onnx").write_bytes(b"weights")
    (folder / "config.pbtxt").write_text(INSTANCES.format(name=folder.name, kind="KIND_CPU", flavour="cpu"))
    (folder / "configs" / "gpu.pbtxt").write_text(INSTANCES.format(name=folder.name, kind="KIND_GPU", flavour="gpu"))
    provenance = {"source": "test", "file": "x", "source_sha256": "", "opset": 13, "ir_version": 8}
    family, labels = KINDS.get(folder.name.rpartition("_")[2], ("dense_detection", None))
    info = {"name": folder.name, "family": family, "max_batch_size": 4, "provenance": provenance}
    info["sha256"] = sha256_of(b"weights")
    info["labels"] = labels["textline" in folder.name] if labels else None
    (folder / "network.json").write_text(json.dumps(info))


@pytest.mark.parametrize("pipelines", ["OCR", "OCR,ocr", " OCR ocr\n", ""])
@pytest.mark.parametrize("flavour", ["cpu", "gpu"])
def test_entrypoint_assembles_and_becomes_tritonserver(container, networks, tmp_path, pipelines, flavour):
    result, arguments = container(PADDLEX_TRITON_PIPELINES=pipelines, PADDLEX_TRITON_FLAVOUR=flavour)
    assert result.returncode == 0, result.stderr
    models = tmp_path / "state" / "models"
    assert (models / "ocr" / "config.pbtxt").is_file()
    assert ("# gpu" in (models / "PP-OCRv4_mobile_det" / "config.pbtxt").read_text()) is (flavour == "gpu")
    assert arguments == [
        f"--model-repository={models}",
        "--model-control-mode=none",
        "--exit-on-error=true",
        "--strict-readiness=true",
        "--exit-timeout-secs=30",
        "--backend-config=python,shm-default-byte-size=16777216",
        "--backend-config=python,shm-growth-byte-size=16777216",
        *restricting_arguments(arguments[-1].rpartition("=")[2]),
    ]


def test_entrypoint_asks_for_a_key_that_nobody_is_told(container, networks, tmp_path):
    file = tmp_path / "admin_key"
    file.write_text(f"{KEY}\n")
    result, given = container(PADDLEX_TRITON_ADMIN_KEY_FILE=str(file))
    assert given[-2:] == list(restricting_arguments(KEY))
    assert KEY not in result.stdout + result.stderr
    random = {container()[1][-1].rpartition("=")[2] for _ in range(2)}
    assert len(random) == 2
    assert all(len(key) == 64 for key in random)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "PADDLEX_TRITON_ADMIN_KEY_FILE: {file}: No such file or directory"),
        ("", "{file} holds no key"),
        ("only-15-letters", "a key has 15 characters; at least 16 are needed"),
        (f"{KEY}\nanother-key-for-the-server", "{file} holds 2 keys; Triton takes one"),
    ],
)
def test_entrypoint_does_not_start_without_the_key_it_was_told_of(container, networks, tmp_path, content, words):
    file = tmp_path / "admin_key"
    if content is not None:
        file.write_text(content)
    result, arguments = container(PADDLEX_TRITON_ADMIN_KEY_FILE=str(file))
    assert result.returncode == 1
    assert words.format(file=file) in result.stderr
    assert KEY not in result.stdout + result.stderr
    assert arguments == []


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({"PADDLEX_TRITON_PRESETS": "nopp-nolayout"}, {"PP-OCRv4_server_seal_det", "PP-OCRv4_server_rec"}),
        (
            {"PADDLEX_TRITON_MODEL_NAMES": "layout_detection=mine,text_recognition=PP-OCRv4_mobile_rec"},
            {"mine", "PP-OCRv4_server_seal_det", "PP-OCRv4_mobile_rec", *PREPARATION},
        ),
        (
            {
                "PADDLEX_TRITON_PRESETS": "nopp",
                "PADDLEX_TRITON_MODEL_NAMES": "text_recognition=PP-OCRv4_mobile_rec,PP-OCRv4_server_rec",
            },
            {"PP-DocLayout-L", "PP-OCRv4_server_seal_det", "PP-OCRv4_mobile_rec", "PP-OCRv4_server_rec"},
        ),
    ],
)
def test_entrypoint_takes_presets_and_single_networks(container, networks, tmp_path, variables, wanted):
    result, _ = container(PADDLEX_TRITON_PIPELINES="seal_recognition", **variables)
    assert result.returncode == 0, result.stderr
    served = {path.name for path in (tmp_path / "state" / "models").iterdir() if path.is_dir()}
    assert served == {"seal_recognition", *PIPELINES["seal_recognition"].models, *wanted}


OCR_FILE = """\
pipeline_name: OCR
text_type: general
use_doc_preprocessor: False
use_textline_orientation: False
SubModules:
  TextDetection: {module_name: text_detection, model_name: PP-OCRv4_mobile_det}
  TextRecognition: {module_name: text_recognition, model_name: PP-OCRv4_server_rec}
"""


def test_entrypoint_takes_pipeline_files(container, networks, tmp_path):
    path = tmp_path / "networks" / "my.yaml"
    path.write_text(OCR_FILE)
    result, _ = container(PADDLEX_TRITON_PIPELINES=f"seal_recognition,{path}", PADDLEX_TRITON_PRESETS="nopp")
    assert result.returncode == 0, result.stderr
    served = {path.name for path in (tmp_path / "state" / "models").iterdir() if path.is_dir()}
    assert {"ocr", "seal_recognition", "PP-OCRv4_mobile_det", "PP-OCRv4_server_rec"} <= served
    assert "PP-OCRv4_mobile_rec" not in served


@pytest.mark.parametrize(
    ("variables", "gpus"),
    [
        ({"PADDLEX_TRITON_DEVICE": "gpu:0,1"}, [0, 1]),
        ({"PADDLEX_TRITON_DEVICE": "gpu:1", "PADDLEX_TRITON_FLAVOUR": "gpu"}, [1]),
        ({"PADDLEX_TRITON_DEVICE": "cpu", "PADDLEX_TRITON_FLAVOUR": "cpu"}, None),
        # As the service of the compose file has them.
        ({"PADDLEX_TRITON_DEVICE": "", "PADDLEX_TRITON_FLAVOUR": "gpu"}, []),
    ],
)
def test_entrypoint_takes_devices(container, networks, tmp_path, variables, gpus):
    result, _ = container(**variables)
    assert result.returncode == 0, result.stderr
    (group,) = read_config(tmp_path / "state" / "models" / "PP-OCRv4_mobile_det" / "config.pbtxt").instance_group
    assert (group.kind == KIND_GPU, list(group.gpus)) == (gpus is not None, gpus or [])


def test_entrypoint_runs_and_watches_tritonserver(container, networks, tmp_path):
    # The key is another one every time.
    (tmp_path / "admin_key").write_text(KEY)
    key = {"PADDLEX_TRITON_ADMIN_KEY_FILE": str(tmp_path / "admin_key")}
    watched, arguments = container("--log-verbose=1", PADDLEX_TRITON_PROBE_FAILURES="3", **key)
    assert watched.returncode == 0, watched.stderr
    assert (arguments, arguments[-1]) == (container("--log-verbose=1", **key)[1], "--log-verbose=1")
    wrong, _ = container(PADDLEX_TRITON_PROBE_FAILURES="often")
    assert "PADDLEX_TRITON_PROBE_FAILURES is 'often'; a number is expected" in wrong.stderr


def test_entrypoint_hands_on_arguments_and_sizes_and_starts_again(container, networks):
    variables = {"PADDLEX_TRITON_SHM_START": "1", "PADDLEX_TRITON_SHM_GROWTH": "2"}
    for _ in range(2):
        result, arguments = container("--log-verbose=1", "--trace-config=a b", "--help", **variables)
        assert result.returncode == 0, result.stderr
        assert "--backend-config=python,shm-default-byte-size=1" in arguments
        assert "--backend-config=python,shm-growth-byte-size=2" in arguments
        assert arguments[-3:] == [
            "--log-verbose=1",
            "--trace-config=a b",
            "--help",
        ]


@pytest.mark.parametrize(("given", "count"), [("1", 1), ("", None)])
def test_entrypoint_takes_instances(container, networks, tmp_path, given, count):
    result, _ = container(PADDLEX_TRITON_INSTANCES=given, PADDLEX_TRITON_FLAVOUR="cpu")
    assert result.returncode == 0, result.stderr
    (group,) = read_config(tmp_path / "state" / "models" / "PP-OCRv4_mobile_det" / "config.pbtxt").instance_group
    assert group.count == (count or share_cores().instances)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"PADDLEX_TRITON_INSTANCES": "many"}, "PADDLEX_TRITON_INSTANCES is 'many'; a number is expected"),
        ({"PADDLEX_TRITON_INSTANCES": "0"}, "0 instances of each network on"),
        # The checkout's own networks may be there, so a flavour that nothing has stands for what is missing.
        ({"PADDLEX_TRITON_FLAVOUR": "tensorrt"}, "tensorrt"),
        ({"PADDLEX_TRITON_FLAVOUR": "quick"}, "quick"),
        ({"PADDLEX_TRITON_DEVICE": "npu:0"}, "supported are cpu, gpu, gpu:0 and gpu:0,1"),
        ({"PADDLEX_TRITON_DEVICE": "gpu:0", "PADDLEX_TRITON_FLAVOUR": "cpu"}, "flavour cpu is for CPUs"),
        ({"PADDLEX_TRITON_PIPELINES": "nowhere.yaml"}, "nowhere.yaml: no such file"),
        ({"PADDLEX_TRITON_PIPELINES": "no_such"}, "no_such"),
        ({"PADDLEX_TRITON_NETWORKS": "/nowhere"}, "PADDLEX_TRITON_NETWORKS: /nowhere is no folder"),
    ],
)
def test_entrypoint_does_not_start_what_is_incomplete(container, networks, variables, words):
    result, arguments = container(**variables)
    assert result.returncode != 0
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert arguments == []


def test_scripts_parse():
    assert subprocess.run(["bash", "-n", str(ENTRYPOINT)], check=False).returncode == 0
    shellcheck = shutil.which("shellcheck")
    if shellcheck:
        result = subprocess.run([shellcheck, str(ENTRYPOINT)], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout
