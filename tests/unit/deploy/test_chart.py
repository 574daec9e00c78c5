"""The Helm chart, rendered by helm where it is installed, and the example for KServe."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import deploy_tools
import jsonschema
import pytest
import yaml

from paddlex_triton.probe.command import main as probe
from paddlex_triton.server.host.container import ContainerSettings
from paddlex_triton.version import __version__

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
CHART = ROOT / "deploy" / "helm" / "paddlex-triton"
KSERVE = ROOT / "deploy" / "kserve" / "paddlex-triton.yaml"
ALL_VALUES = HERE / "all_values.yaml"
DEFAULT, ALL = "default", "all"
PROBE = ["python3", "-m", "paddlex_triton.probe"]


def helm(*arguments: str) -> str:
    result = deploy_tools.run("helm", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def render(*arguments: str) -> dict[tuple[str, str], dict]:
    """Kind and name -> object."""
    objects = [each for each in yaml.safe_load_all(helm("template", "r", str(CHART), *arguments)) if each]
    found = {(each["kind"], each["metadata"]["name"]): each for each in objects}
    assert len(found) == len(objects)
    return found


@pytest.fixture(scope="module")
def rendered() -> dict[str, dict[tuple[str, str], dict]]:
    return {DEFAULT: render(), ALL: render("--values", str(ALL_VALUES))}


def deployment(objects: dict[tuple[str, str], dict], part: str) -> dict[str, Any]:
    return objects["Deployment", f"r-paddlex-triton-{part}"]


def pod(objects: dict[tuple[str, str], dict], part: str) -> dict[str, Any]:
    return deployment(objects, part)["spec"]["template"]["spec"]


def variables(container: dict[str, Any]) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container["env"]}


def test_values_follow_their_schema():
    """As helm checks them, without it."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    validator = jsonschema.Draft7Validator(schema)
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    validator.validate(defaults)
    validator.validate(yaml.safe_load(ALL_VALUES.read_text()))
    described = {name: value.get("properties", {}).keys() for name, value in schema["properties"].items()}
    described.pop("global")
    assert described.keys() == defaults.keys()
    for name, inner in described.items():
        assert not inner or inner == defaults[name].keys()


@pytest.mark.parametrize("values", [[], ["--values", str(ALL_VALUES)]], ids=[DEFAULT, ALL])
def test_helm_has_nothing_against_the_chart(values):
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), *values)


@pytest.mark.parametrize("version", ["1.27", "1.31", "1.34"])
@pytest.mark.parametrize("which", [DEFAULT, ALL])
def test_kubernetes_knows_the_fields(rendered, which, version):
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="scripts/deploy_tools fetches it")
    for (kind, _), each in rendered[which].items():
        # A kind of Prometheus' operator.
        if kind != "ServiceMonitor":
            kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "gateway.replica=1"], "replica"),
        (["--set", "triton.flavour=quick"], "triton.flavour"),
        (["--set", "triton.shmSize=2gb"], "triton.shmSize"),
        (["--set", "triton.connectionAgeSeconds=0"], "triton.connectionAgeSeconds"),
        (["--set", "gateway.maxBodyMegabytes=2049"], "gateway.maxBodyMegabytes"),
        (["--set-json", "pipelines=[]"], "pipelines"),
        (["--set", "traceUrl=collector:4318"], "traceUrl"),
        (
            ["--set", "serviceMonitor.enabled=true,gateway.openMetrics=false"],
            "the gateway asks for a key for its metrics",
        ),
        (["--set-json", 'gateway.configs=["/networks/a.yaml"]'], "networks.existingClaim must be set"),
        (
            ["--set", "autoscaling.enabled=true,autoscaling.minReplicas=5"],
            "autoscaling.minReplicas is above autoscaling.maxReplicas",
        ),
    ],
)
def test_wrong_values_are_refused(arguments, words):
    result = deploy_tools.run("helm", "template", "r", str(CHART), *arguments)
    assert result.returncode != 0
    assert words.replace(".", "") in result.stderr.replace(".", "").replace("/", "")


@pytest.mark.parametrize("which", [DEFAULT, ALL])
@pytest.mark.parametrize("part", ["triton", "gateway"])
def test_pods_may_do_little(rendered, which, part):
    check_pod_security(pod(rendered[which], part))


def check_pod_security(spec: dict[str, Any]) -> None:
    assert spec["automountServiceAccountToken"] is False
    whole = spec["securityContext"]
    assert (whole["runAsNonRoot"], whole["runAsUser"]) == (True, 1000)
    assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in [*spec["containers"], *spec.get("initContainers", ())]:
        check_container_security(container)
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert not [volume for volume in spec["volumes"] if "hostPath" in volume]
    for volume in spec["volumes"]:
        assert "sizeLimit" in volume.get("emptyDir", {"sizeLimit": ""})


def check_container_security(container: dict[str, Any]) -> None:
    own = container["securityContext"]
    assert (own["allowPrivilegeEscalation"], own["readOnlyRootFilesystem"]) == (False, True)
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert "memory" in container["resources"]["limits"]


def check_probes(container: dict[str, Any]) -> None:
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        command = container[name]["exec"]["command"]
        assert command[:3] == PROBE
        # The check ends by itself before it is ended.
        assert float(command[command.index("--timeout") + 1]) < container[name]["timeoutSeconds"]
        # Nobody listens there, but the options are understood.
        assert probe(["127.0.0.1:1", *command[3:]]) == 1


@pytest.mark.parametrize("which", [DEFAULT, ALL])
def test_triton(rendered, which):
    spec = pod(rendered[which], "triton")
    (container,) = spec["containers"]
    check_probes(container)
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert volumes[mounts["/dev/shm"]["name"]]["emptyDir"]["medium"] == "Memory"
    assert mounts["/networks"]["readOnly"] is True
    assert {"/tmp", str(ContainerSettings({}).models.parent)} <= mounts.keys()
    described = (ROOT / "paddlex_triton/server/host/container.py").read_text()
    assert all(name in described for name in variables(container) if name.startswith("PADDLEX"))
    assert container["args"][0] == "--grpc-max-connection-age=60000"
    # Longer than Triton takes to end, and to be forgotten before.
    assert spec["terminationGracePeriodSeconds"] >= 30 + 5


def test_values_reach_triton(rendered):
    (container,) = pod(rendered[ALL], "triton")["containers"]
    settings = ContainerSettings(variables(container)).assemble_options()
    assert settings["pipeline"] == ["OCR", "seal_recognition"]
    assert settings["preset"] == ["nopp-lightweight"]
    assert settings["model"] == ["layout_detection=A,B"]
    assert (settings["flavour"], settings["instances"], settings["max_megapixels"]) == ("gpu", 2, 12)
    assert container["args"][1:] == ["--log-verbose=1"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 2
    volumes = {volume["name"]: volume for volume in pod(rendered[ALL], "triton")["volumes"]}
    assert volumes["networks"]["persistentVolumeClaim"] == {"claimName": "networks", "readOnly": True}
    key = variables(container)["PADDLEX_TRITON_ADMIN_KEY_FILE"]
    (mount,) = [each for each in container["volumeMounts"] if each["name"] == "admin-key"]
    assert key == f"{mount['mountPath']}/{volumes['admin-key']['secret']['items'][0]['path']}"


def test_networks_are_exported_where_there_is_no_claim():
    spec = pod(render("--set-json", 'pipelines=["OCR","seal_recognition"]'), "triton")
    assert [container["args"] for container in spec["initContainers"]] == [
        ["--pipeline", "OCR", "--into", "/networks"],
        ["--pipeline", "seal_recognition", "--into", "/networks"],
    ]
    assert all(not mount.get("readOnly") for each in spec["initContainers"] for mount in each["volumeMounts"])
    assert "emptyDir" in {volume["name"]: volume for volume in spec["volumes"]}["networks"]


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://collector.tracing:4318", 4318),
        ("http://collector2/v1/traces", 80),
        ("https://traces.example.com", 443),
        ("http://[fd00::1]", 80),
    ],
)
def test_traces_reach_the_collector(url, port):
    objects = render("--set", f"traceUrl={url},networks.existingClaim=networks")
    for part, name in (("triton", "PADDLEX_TRITON_TRACE_URL"), ("gateway", "PADDLEX_TRITON_GATEWAY_TRACE_URL")):
        (container,) = pod(objects, part)["containers"]
        assert variables(container)[name] == url
        dns, collector = objects["NetworkPolicy", f"r-paddlex-triton-{part}"]["spec"]["egress"][-2:]
        assert [each["port"] for each in dns["ports"]] == [53, 53]
        assert collector == {"ports": [{"protocol": "TCP", "port": port}]}


def test_traces_go_only_where_it_was_said(rendered):
    for part in ("triton", "gateway"):
        collector = rendered[ALL]["NetworkPolicy", f"r-paddlex-triton-{part}"]["spec"]["egress"][-1]
        assert collector["to"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "tracing"}}}]
        assert collector["ports"] == [{"protocol": "TCP", "port": 4318}]


@pytest.mark.parametrize("which", [DEFAULT, ALL])
def test_the_gateway_finds_triton_and_its_keys(rendered, which):
    objects = rendered[which]
    spec = pod(objects, "gateway")
    (container,) = spec["containers"]
    set_ = variables(container)
    known = (ROOT / "paddlex_triton/gateway/cli.py").read_text()
    assert all(f'{{_VARIABLE}}{name.removeprefix("PADDLEX_TRITON_GATEWAY_")}"' in known for name in set_)
    host, port = set_["PADDLEX_TRITON_GATEWAY_URL"].removeprefix("grpc://").split(":")
    service = objects["Service", host]
    assert service["spec"]["clusterIP"] == "None"
    assert int(port) in [each["port"] for each in service["spec"]["ports"]]
    (mount,) = [each for each in container["volumeMounts"] if each["name"] == "api-keys"]
    assert set_["PADDLEX_TRITON_GATEWAY_API_KEY_FILE"] == f"{mount['mountPath']}/keys"
    # Prometheus has no key, unless it was given one.
    assert set_.get("PADDLEX_TRITON_GATEWAY_OPEN_METRICS") == {DEFAULT: "true", ALL: None}[which]
    (volume,) = [each for each in spec["volumes"] if each["name"] == "api-keys"]
    assert volume["secret"]["secretName"] == "paddlex-triton-keys"


def test_no_key_is_asked_for_only_if_that_was_said():
    spec = pod(render("--set", "gateway.apiKeys.existingSecret="), "gateway")
    assert "PADDLEX_TRITON_GATEWAY_API_KEY_FILE" not in variables(spec["containers"][0])
    assert [volume["name"] for volume in spec["volumes"]] == ["tmp"]


@pytest.mark.parametrize("which", [DEFAULT, ALL])
@pytest.mark.parametrize("part", ["triton", "gateway"])
def test_everything_that_selects_pods_selects_the_right_ones(rendered, which, part):
    objects = rendered[which]
    labels = deployment(objects, part)["spec"]["template"]["metadata"]["labels"]
    service = "r-paddlex-triton" + ("-triton" if part == "triton" else "")
    name = f"r-paddlex-triton-{part}"
    selectors = [
        deployment(objects, part)["spec"]["selector"]["matchLabels"],
        objects["Service", service]["spec"]["selector"],
        objects["PodDisruptionBudget", name]["spec"]["selector"]["matchLabels"],
        objects["NetworkPolicy", name]["spec"]["podSelector"]["matchLabels"],
    ]
    for selector in selectors:
        assert selector.items() <= labels.items()
        assert selector["app.kubernetes.io/component"] == part
    ports = {port["name"] for container in pod(objects, part)["containers"] for port in container["ports"]}
    assert {port["targetPort"] for port in objects["Service", service]["spec"]["ports"]} <= ports
    if which == ALL:
        monitor = objects["ServiceMonitor", name]["spec"]
        assert monitor["selector"]["matchLabels"].items() <= objects["Service", service]["metadata"]["labels"].items()
        assert monitor["endpoints"][0]["port"] in [
            port["name"] for port in objects["Service", service]["spec"]["ports"]
        ]
        assert objects["Service", service]["metadata"]["labels"][monitor["jobLabel"]] == part


def test_prometheus_has_a_key_where_one_is_asked_for(rendered):
    monitors = {part: rendered[ALL]["ServiceMonitor", f"r-paddlex-triton-{part}"] for part in ("triton", "gateway")}
    endpoints = {part: monitor["spec"]["endpoints"][0] for part, monitor in monitors.items()}
    assert endpoints["gateway"]["authorization"] == {"credentials": {"name": "scrape", "key": "key"}}
    assert "authorization" not in endpoints["triton"]
    opened = render("--set", "serviceMonitor.enabled=true")
    assert "authorization" not in opened["ServiceMonitor", "r-paddlex-triton-gateway"]["spec"]["endpoints"][0]


def test_only_gateways_reach_triton_and_triton_reaches_nothing(rendered):
    alone = render("--set", "networks.existingClaim=networks")
    assert alone["NetworkPolicy", "r-paddlex-triton-triton"]["spec"]["egress"] == []
    policy = rendered[ALL]["NetworkPolicy", "r-paddlex-triton-triton"]["spec"]
    gateways, bulk, monitoring = policy["ingress"]
    assert gateways["from"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "gateway"
    assert [port["port"] for port in gateways["ports"]] == ["grpc"]
    assert bulk["from"] == [{"podSelector": {"matchLabels": {"app": "bulk"}}}]
    assert [port["port"] for port in monitoring["ports"]] == ["metrics"]
    assert len(rendered[DEFAULT]["NetworkPolicy", "r-paddlex-triton-triton"]["spec"]["ingress"]) == 1
    assert not [kind for kind, _ in render("--set", "networkPolicy.enabled=false") if kind == "NetworkPolicy"]


def test_the_autoscaler_counts_instead_of_the_deployment(rendered):
    assert deployment(rendered[DEFAULT], "triton")["spec"]["replicas"] == 1
    assert "replicas" not in deployment(rendered[ALL], "triton")["spec"]
    scaler = rendered[ALL]["HorizontalPodAutoscaler", "r-paddlex-triton-triton"]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 6)
    assert scaler["scaleTargetRef"]["name"] == "r-paddlex-triton-triton"
    metric = scaler["metrics"][0]["object"]
    assert metric["metric"]["name"] in json.loads((HERE / "exported_metrics.json").read_text())
    assert ("Service", metric["describedObject"]["name"]) in rendered[ALL]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "kubectl --namespace ocr create secret generic paddlex-triton-keys --from-file=keys=FILE"),
        ([], "Every server exports its networks when it starts"),
        (["--set", "gateway.apiKeys.existingSecret="], "No API key is asked for"),
        (["--values", str(ALL_VALUES)], "/namespaces/ocr/services/r-paddlex-triton/paddlex_gateway_in_flight"),
    ],
)
def test_notes_say_what_is_to_be_done(tmp_path, arguments, words):
    """helm shows notes to a cluster alone: here they are part of an object."""
    chart = tmp_path / "paddlex-triton"
    shutil.copytree(CHART, chart)
    (chart / "templates" / "notes.yaml").write_text(
        'notes: |\n{{ include (print $.Template.BasePath "/NOTES.txt") . | indent 2 }}\n'
    )
    shown = helm("template", "r", str(chart), "--namespace", "ocr", "--show-only", "templates/notes.yaml", *arguments)
    notes = yaml.safe_load(shown)["notes"]
    assert words in notes
    assert "rollout status deployment/r-paddlex-triton-triton" in notes
    assert "<no value>" not in notes


def test_versions_are_the_packages():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__
    assert f"/paddlex-triton:{__version__}\n" in KSERVE.read_text()


def test_the_example_for_kserve():
    runtime, service = yaml.safe_load_all(KSERVE.read_text())
    (container,) = runtime["spec"]["containers"]
    check_container_security(container)
    check_probes(container)
    assert container["securityContext"]["runAsNonRoot"] is True
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in runtime["spec"]["volumes"]}
    assert mounts.keys() == {"/dev/shm", "/tmp", str(ContainerSettings({}).models.parent)}
    assert volumes[mounts["/dev/shm"]]["emptyDir"]["medium"] == "Memory"
    assert ContainerSettings(variables(container)).assemble_options()["networks"] == [Path("/mnt/models")]
    model = service["spec"]["predictor"]["model"]
    assert model["runtime"] == runtime["metadata"]["name"]
    assert model["modelFormat"]["name"] in [each["name"] for each in runtime["spec"]["supportedModelFormats"]]
    assert model["protocolVersion"] in runtime["spec"]["protocolVersions"]
