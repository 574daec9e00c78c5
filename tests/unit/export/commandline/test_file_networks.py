"""`export --config FILE`: what PaddleX's pipeline files name, from the zoo and from folders of own weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from export_command import call
from hub_server import HubServer, tar_of
from preparation_graphs import textline_orientation_folder

from paddlex_triton.network import NetworkInfo
from paddlex_triton.pipeline_file import read_pipeline_file
from paddlex_triton.server.host.assemble import assemble

OFFICIAL = "PP-OCRv5_server_det"
STORE = "/paddlex/official_inference_model/paddle3.0.0"


def ocr(det: tuple[str, object], rec: tuple[str, object], **more: object) -> dict:
    """A pipeline file: (model_name, model_dir) of the two steps that are on."""
    modules = {"TextDetection": ("text_detection", *det), "TextRecognition": ("text_recognition", *rec)}
    return {
        "pipeline_name": "OCR",
        "text_type": "general",
        "use_doc_preprocessor": False,
        "use_textline_orientation": False,
        "SubModules": {
            key: {"module_name": module, "model_name": name, "model_dir": folder and str(folder)}
            for key, (module, name, folder) in modules.items()
        },
        **more,
    }


@pytest.fixture
def write(tmp_path):
    """Writes a pipeline file."""

    def written(content: dict, name: str = "my.yaml") -> str:
        path = tmp_path / name
        path.write_text(yaml.safe_dump(content))
        return str(path)

    return written


@pytest.fixture
def best(kit, weights_folder) -> Path:
    """Own weights of a recogniser."""
    return weights_folder(kit.recognizer(), kit.recognizer_yml("my_rec"), "best")


@pytest.fixture
def trained(kit, weights_folder) -> Path:
    """Own weights of a detector."""
    return weights_folder(kit.detector(), kit.detector_yml("my_det"), "trained")


@pytest.fixture
def store(kit, no_network):
    """PaddleX's store, on this machine, with one network."""
    with HubServer().running() as server:
        no_network(bos=server.url)
        yml = yaml.safe_dump(kit.detector_yml(OFFICIAL)).encode()
        files = {"inference.onnx": kit.detector().SerializeToString(), "inference.yml": yml}
        server.files[f"{STORE}/{OFFICIAL}_onnx_infer.tar"] = tar_of(files)
        yield server


def test_official_and_own_networks(write, best, store, tmp_path):
    """The networks that serving the file needs are exported."""
    repository, config = tmp_path / "repository", write(ocr((OFFICIAL, None), ("my_rec", best)))
    planned = call("export", "--config", config, "--into", str(repository), "--dry-run")
    assert planned.exit_code == 0, planned.output
    assert planned.stdout.splitlines() == [
        f"would export my_rec from the weights in {best} into {repository}: new",
        f"would export {OFFICIAL} (db_detection, 84.3 MB) from official (PaddleX's store) into {repository}: new",
    ]
    assert not repository.exists()
    assert not store.asked
    done = call("export", "--config", config, "--into", str(repository))
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    sources = {path.name: NetworkInfo.load(path / "network.json").provenance.source for path in repository.iterdir()}
    assert sources == {OFFICIAL: f"official:bos/{OFFICIAL}_onnx", "my_rec": "dir:best"}
    assembly = assemble(tmp_path / "models", files=[read_pipeline_file(Path(config))], networks=[repository])
    assert set(assembly.networks) == set(sources)
    assert not [remark for remark in assembly.remarks if "is made from" in remark]
    again = call("export", "--config", config, "--into", str(repository))
    assert (again.exit_code, again.stdout.count("there already and up to date")) == (0, 2)
    planned = call("export", "--config", config, "--into", str(repository), "--dry-run").stdout
    assert "there already, made from dir:best; --force replaces other weights than these" in planned


def test_beta_file_with_local_paths(write, best, trained, tmp_path, monkeypatch):
    """A path is relative to the working directory; inference.yml tells the name."""
    monkeypatch.chdir(tmp_path)
    content = {
        "Global": {"pipeline_name": "OCR"},
        "Pipeline": {"text_det_model": "./trained", "text_rec_model": str(best), "device": "gpu:0"},
    }
    done = call("export", "--config", write(content), "--into", "repository")
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    assert sorted(path.name for path in (tmp_path / "repository").iterdir()) == ["my_det", "my_rec"]


def test_steps_that_are_off_are_left_out(write, best, trained, tmp_path):
    content = ocr(("my_det", trained), ("my_rec", best))
    content["SubModules"]["TextLineOrientation"] = {
        "module_name": "textline_orientation",
        "model_name": "PP-LCNet_x1_0_textline_ori",
        "model_dir": None,
    }
    planned = call("export", "--config", write(content), "--into", str(tmp_path / "repository"), "--dry-run")
    assert [line.split()[2] for line in planned.stdout.splitlines()] == ["my_det", "my_rec"]


def test_remarks_are_shown(write, best, trained, tmp_path):
    config = write(ocr(("my_det", trained), ("my_rec", best), colour="red"))
    for words in (["--dry-run"], []):
        done = call("export", "--config", config, "--into", str(tmp_path / "repository"), *words)
        assert done.exit_code == 0, done.output
        assert done.stdout.splitlines()[0].startswith(f"{config}: colour is 'red': ")


def test_other_weights_of_the_same_name_need_force(write, kit, weights_folder, best, trained, tmp_path):
    repository = tmp_path / "repository"
    assert (
        call("export", "--from-dir", str(trained), "--name", "PP-OCRv4_mobile_det", "--into", str(repository)).exit_code
        == 0
    )
    other = weights_folder(kit.detector(opset=13), kit.detector_yml("PP-OCRv4_mobile_det"), "other")
    config = write(ocr(("PP-OCRv4_mobile_det", other), ("my_rec", best)))
    done = call("export", "--config", config, "--into", str(repository))
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "PP-OCRv4_mobile_det is there, made from dir:trained (SHA-256 " in done.stderr
    assert "--force replaces it by dir:other (" in done.stderr
    assert call("export", "--config", config, "--into", str(repository), "--force").exit_code == 0
    info = NetworkInfo.load(repository / "PP-OCRv4_mobile_det" / "network.json")
    assert info.provenance.source == "dir:other"
    # A file that means the official network leaves people's own of its name alone, and says so.
    official = write(ocr(("PP-OCRv4_mobile_det", None), ("my_rec", best)), "official.yaml")
    kept = call("export", "--config", official, "--into", str(repository))
    assert kept.exit_code == 0, kept.output
    assert "PP-OCRv4_mobile_det: there already, made from dir:other; --force replaces it" in kept.stdout


def test_family_that_inference_yml_does_not_tell(write, kit, weights_folder, best, tmp_path):
    """The step tells it, if it takes networks of one family alone."""
    bare = weights_folder(kit.detector(), {"Global": {"model_name": "bare"}}, "bare")
    config = write(ocr(("bare", bare), ("my_rec", best)))
    assert call("export", "--config", config, "--into", str(tmp_path / "repository")).exit_code == 0
    assert NetworkInfo.load(tmp_path / "repository" / "bare" / "network.json").family == "db_detection"


@pytest.mark.parametrize(
    ("det", "rec", "message"),
    [
        (("PP-OCRv5_servr_det", None), ("my_rec", "best"), "did you mean PP-OCRv5_server_det"),
        (("PP-OCRv5_servr_det", None), ("my_rec", "best"), "my.yaml: text_detection: no network 'PP-OCRv5_servr_det'"),
        (("xyz", None), ("my_rec", "best"), "with --from-dir, or named with their folder as model_dir"),
        (("my_det", "nowhere"), ("my_rec", "best"), "text_detection: nowhere is not a folder"),
        (
            ("my_det", "trained"),
            ("other_rec", "best"),
            "text_recognition: the file calls the network other_rec, and best/inference.yml calls it my_rec",
        ),
        (("PP-OCRv4_mobile_rec", None), ("my_rec", "best"), "takes a network of family db_detection"),
        (("my_rec", "best"), ("my_rec", "best"), "takes a network of family db_detection; my_rec is ctc_recognition"),
    ],
)
def test_what_cannot_be_exported_is_said_before_anything_is_done(
    write, best, trained, tmp_path, monkeypatch, det, rec, message
):
    monkeypatch.chdir(tmp_path)
    config = write(ocr(det, rec))
    before = sorted(path.name for path in tmp_path.iterdir())
    for words in (["--dry-run"], []):
        done = call("export", "--config", config, "--into", "repository", *words)
        assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.output
        assert message in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == before


TEXTLINE = "PP-LCNet_x1_0_textline_ori"


@pytest.mark.parametrize(
    ("name", "folder", "expected"),
    [
        (TEXTLINE, "first", f"would export {TEXTLINE} from the weights in first"),
        (TEXTLINE, "second", f"textline_orientation: {TEXTLINE} is in second, and in first for another step"),
        (TEXTLINE, None, f"{TEXTLINE} is the official network here, and own weights of another step"),
    ],
    ids=["the same folder", "two folders", "official and own"],
)
def test_a_name_has_one_source(write, best, trained, tmp_path, monkeypatch, name, folder, expected):
    """One name in a repository cannot be two networks."""
    monkeypatch.chdir(tmp_path)
    for each in ("first", "second"):
        textline_orientation_folder(tmp_path / each, TEXTLINE)
    content = ocr(("my_det", trained), ("my_rec", best), use_textline_orientation=True, use_doc_preprocessor=True)
    content["SubPipelines"] = {
        "DocPreprocessor": {
            "pipeline_name": "doc_preprocessor",
            "use_doc_orientation_classify": True,
            "use_doc_unwarping": False,
            "SubModules": {
                "DocOrientationClassify": {
                    "module_name": "doc_text_orientation",
                    "model_name": TEXTLINE,
                    "model_dir": "first",
                }
            },
        }
    }
    content["SubModules"]["TextLineOrientation"] = {
        "module_name": "textline_orientation",
        "model_name": name,
        "model_dir": folder,
    }
    done = call("export", "--config", write(content), "--into", "repository", "--dry-run")
    assert done.exit_code == (0 if folder == "first" else 2), done.output
    assert expected in (done.stdout if folder == "first" else done.stderr)
    assert done.stdout.count(TEXTLINE) == (1 if folder == "first" else 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--config", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["--config", "my.yaml", "--pipeline", "OCR"], "one of the five"),
        (["--config", "my.yaml", "--from-dir", "best"], "one of the five"),
        (["--config", "my.yaml", "--all"], "one of the five"),
        (["--config", "my.yaml", "my_rec"], "one of the five"),
        (["--config", "my.yaml", "--preset", "nopp"], "--preset belongs to --pipeline"),
        (["--config", "my.yaml", "--name", "x"], "--family and --name belong to --from-dir"),
    ],
)
def test_wrong_usage(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    done = call("export", *words, "--into", "repository")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.output
    assert message in done.stderr
    assert not list(tmp_path.iterdir())
