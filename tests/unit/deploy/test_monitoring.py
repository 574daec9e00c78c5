"""Prometheus' and Grafana's files: their queries name what is exported, and the tools take them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import deploy_tools
import pytest
import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
PROMETHEUS = MONITORING / "prometheus" / "prometheus.yml"
RULES = MONITORING / "prometheus" / "rules.yml"
DASHBOARD = MONITORING / "grafana" / "dashboards" / "paddlex-triton.json"
# Metric -> its labels, as a live server and gateway export them: tests/server/test_monitoring.py compares.
EXPORTED: dict[str, list[str]] = json.loads((HERE / "exported_metrics.json").read_text())
# What Prometheus itself knows of a target.
TARGET_LABELS = {"job", "instance"}
WORDS = {"sum", "by", "rate", "on", "group_left", "max", "and"}
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def dashboard() -> dict:
    return json.loads(DASHBOARD.read_text())


def panels() -> list[dict]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def rules() -> list[dict]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


QUERIES = [target["expr"] for panel in panels() for target in panel["targets"]] + [rule["expr"] for rule in rules()]


def metrics_of(query: str) -> dict[str, set[str]]:
    """Metric -> labels that a query selects it by."""
    found = re.findall(r"\b([a-z_]+)\{([^}]*)\}", query)
    return {name: set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", labels)) for name, labels in found}


def wrong_names(query: str, exported: dict[str, list[str]] = EXPORTED) -> set[str]:
    """Names in a query that nothing exports: metrics, and labels of them or that sums are made by."""
    metrics = metrics_of(query)
    # Every query selects with braces, so that no metric is left over.
    rest = re.sub(r"\{[^}]*\}|\[[^]]*\]", " ", query)
    bare = set(re.findall(r"\b[a-z]+_[a-z_]+\b(?!\s*\()", rest)) - metrics.keys() - WORDS
    groupings = set(re.findall(r"\w+", " ".join(re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", rest))))
    labels = {label for name in metrics for label in exported.get(name, ())} | TARGET_LABELS
    unknown = {f"{name}.{label}" for name, used in metrics.items() for label in used - labels}
    return {name for name in metrics if name not in exported} | unknown | (bare - groupings) | (groupings - labels)


@pytest.mark.parametrize("query", QUERIES)
def test_queries_name_what_is_exported(query):
    assert metrics_of(query) or query.startswith("absent(up")
    assert wrong_names(query) <= {"up"}


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ('sum by (stage) (rate(paddlex_page_total{job="triton"}[1m]))', {"paddlex_page_total", "stage"}),
        ('sum by (kind) (rate(paddlex_pages_total{job="triton"}[1m]))', {"kind"}),
        ('paddlex_pages_total{pipeline="OCR"}', {"paddlex_pages_total.pipeline"}),
        ("rate(paddlex_pages_total[1m])", {"paddlex_pages_total"}),
    ],
)
def test_wrong_names_are_found(query, wrong):
    assert wrong_names(query) == wrong


def test_the_dashboard_shows_what_it_must():
    shown = " ".join(target["expr"] for panel in panels() for target in panel["targets"])
    for metric in (
        "paddlex_gateway_pages_total",
        "paddlex_gateway_stage_seconds_bucket",
        "nv_inference_exec_count",
        "paddlex_errors_total",
        "paddlex_gateway_in_flight",
        "nv_cpu_memory_used_bytes",
        "paddlex_shm_used_bytes",
    ):
        assert f"{metric}{{" in shown
    assert len({panel["id"] for panel in dashboard()["panels"]}) == len(dashboard()["panels"])
    assert len({panel["title"] for panel in panels()}) == len(panels())


def test_panels_do_not_lie_on_each_other():
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in dashboard()["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24


def test_grafana_finds_its_files():
    (source,) = yaml.safe_load((MONITORING / "grafana/provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    assert {target["datasource"]["uid"] for panel in panels() for target in panel["targets"]} == {source["uid"]}
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((MONITORING / "grafana/provisioning/dashboards/paddlex-triton.yml").read_text())[
        "providers"
    ]
    service = COMPOSE["services"]["grafana"]
    mounted = dict(volume.split(":")[:2][::-1] for volume in service["volumes"])
    assert (ROOT / mounted[provider["options"]["path"]]).resolve() == DASHBOARD.parent
    assert (ROOT / mounted["/etc/grafana/provisioning"] / "datasources").is_dir()
    home = service["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (ROOT / mounted[str(Path(home).parent)] / Path(home).name).is_file()


def test_prometheus_asks_the_services_that_there_are():
    config = yaml.safe_load(PROMETHEUS.read_text())
    jobs = {job["job_name"]: job["dns_sd_configs"][0] for job in config["scrape_configs"]}
    services = COMPOSE["services"]
    assert sorted(jobs["triton"]["names"]) == sorted(name for name in services if name.startswith("triton"))
    assert sorted(jobs["gateway"]["names"]) == sorted(name for name in services if name.startswith("gateway"))
    assert (jobs["triton"]["port"], jobs["gateway"]["port"]) == (8002, 8080)
    assert config["rule_files"] == [RULES.name]


def test_every_alert_says_what_is_the_matter():
    for rule in rules():
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["labels"]["severity"] in ("warning", "critical")


def test_promtool_takes_the_configuration():
    result = deploy_tools.run("promtool", "check", "config", str(PROMETHEUS))
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(rules())} rules found" in result.stdout


def test_alerts_are_raised_when_they_should_be(tmp_path):
    text = (HERE / "alerts.yml").read_text()
    tested = tmp_path / "alerts.yml"
    tested.write_text(text.replace("[RULES]", f"[{RULES}]"))
    assert {rule["alert"] for rule in rules()} <= set(re.findall(r"alertname: (\w+)", text))
    result = deploy_tools.run("promtool", "test", "rules", str(tested))
    assert result.returncode == 0, result.stdout + result.stderr
