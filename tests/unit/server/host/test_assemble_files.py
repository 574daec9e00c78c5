"""PaddleX's pipeline files in the place of a pipeline's name: their networks, for their pipeline alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from module_networks import networks_in
from stand_in_networks import write_network
from typer.testing import CliRunner

from paddlex_triton import paths
from paddlex_triton.network import Family, NetworkInfo
from paddlex_triton.own_weights import weights_sha256
from paddlex_triton.pipeline_file import read_pipeline_file
from paddlex_triton.server.host.assemble import assemble
from paddlex_triton.server.host.cli import register
from paddlex_triton.server.host.errors import AssemblyError
from paddlex_triton.server.host.network_selection import pipelines_of

OCR = """\
pipeline_name: OCR
text_type: general
use_doc_preprocessor: False
use_textline_orientation: False
SubModules:
  TextDetection: {module_name: text_detection, model_name: PP-OCRv5_mobile_det, model_dir: null, batch_size: 7}
  TextRecognition: {module_name: text_recognition, model_name: mine_rec, model_dir: DIR/best}
"""
SEALS = """\
Global: {pipeline_name: seal_recognition}
Pipeline:
  layout_model: seals_layout
  text_det_model: PP-OCRv4_mobile_seal_det
  text_rec_model: PP-OCRv4_mobile_rec
  device: cpu
"""
NETWORKS: dict[str, Family] = {
    "PP-OCRv5_mobile_det": "db_detection",
    "PP-OCRv4_mobile_det": "db_detection",
    "PP-OCRv4_mobile_seal_det": "db_detection",
    "PP-OCRv4_mobile_rec": "ctc_recognition",
    "mine_rec": "ctc_recognition",
    "seals_layout": "dense_detection",
    "UVDoc": "image_unwarping",
}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Networks that no other folder can stand in for."""
    folder = tmp_path / "networks"
    for name, family in NETWORKS.items():
        write_network(folder, name, family, source="dir:best" if name == "mine_rec" else "official:bos/x")
    monkeypatch.setattr(paths, "networks_repository", lambda: tmp_path / "nowhere")
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def write(tmp_path):
    """Writes a pipeline file."""

    def written(text: str, name: str = "ocr.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text.replace("DIR", str(tmp_path)))
        return path

    return written


def test_a_file_s_networks_and_switches(repository, write, tmp_path):
    file = read_pipeline_file(write(OCR))
    assembly = assemble(tmp_path / "models", files=[file], networks=[repository])
    # The only pipeline, although others could be served; and UVDoc stays out, although it is exported.
    assert assembly.pipelines == ("OCR",)
    assert set(assembly.networks) == {"PP-OCRv5_mobile_det", "mine_rec"}
    assert all(networks == () for networks in assembly.switches["OCR"].values())
    assert networks_in(tmp_path / "models", "text_recognition") == {"OCR": {"text_recognition": ("mine_rec",)}}
    assert any("SubModules.TextDetection.batch_size is 7" in remark for remark in assembly.remarks)


@pytest.mark.parametrize("names", [[], ["seal_recognition"]])
def test_two_pipelines_with_different_networks_for_one_role(repository, write, tmp_path, names):
    files = [read_pipeline_file(write(OCR))]
    if not names:
        files.append(read_pipeline_file(write(SEALS, "seals.yml")))
    models = {"layout_detection": "seals_layout", "seal_text_detection": "PP-OCRv4_mobile_seal_det"} if names else {}
    presets = dict.fromkeys(names, "nopp-lightweight")
    assembly = assemble(
        tmp_path / "models", pipelines=names, files=files, models=models, presets=presets, networks=[repository]
    )
    assert set(assembly.pipelines) == {"OCR", "seal_recognition"}
    assert networks_in(tmp_path / "models", "text_recognition") == {
        "OCR": {"text_recognition": ("mine_rec",)},
        "seal_recognition": {"text_recognition": ("PP-OCRv4_mobile_rec",)},
    }
    assert assembly.left_out == {}


def test_single_networks_win_over_a_file(repository, write, tmp_path):
    file = read_pipeline_file(write(OCR))
    models = {"text_recognition": "PP-OCRv4_mobile_rec,mine_rec", "doc_unwarping": "UVDoc"}
    assembly = assemble(tmp_path / "models", files=[file], models=models, networks=[repository])
    assert networks_in(tmp_path / "models", "text_recognition")["OCR"]["text_recognition"] == (
        "PP-OCRv4_mobile_rec",
        "mine_rec",
    )
    assert assembly.switches["OCR"]["use_doc_unwarping"] == ("UVDoc",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"presets": {"OCR": "PP-OCRv4_mobile"}}, "preset PP-OCRv4_mobile is given for OCR, whose networks"),
        ({"pipelines": ["ocr"]}, "OCR is given by its name and by"),
        ({"models": {"text_recognition": ""}}, "OCR cannot do without a network for text_recognition"),
        ({"models": {"layout_detection": "x"}}, "no step 'layout_detection' takes a network; known: doc_orientation"),
    ],
)
def test_what_does_not_go_with_a_file_is_refused(repository, write, tmp_path, options, message):
    with pytest.raises(AssemblyError, match=message):
        assemble(tmp_path / "models", files=[read_pipeline_file(write(OCR))], networks=[repository], **options)
    assert not (tmp_path / "models").exists()


def test_two_files_of_a_pipeline_are_refused(repository, write, tmp_path):
    files = [read_pipeline_file(write(OCR, name)) for name in ("a.yaml", "b.yaml")]
    with pytest.raises(AssemblyError, match=r"a.yaml and .*b.yaml are both of pipeline OCR: give one"):
        assemble(tmp_path / "models", files=files, networks=[repository])


def test_networks_that_are_not_exported_are_named_with_the_command(repository, write, tmp_path):
    ocr, seals = write(OCR), write(SEALS, "my seals.yaml")
    for name in ("mine_rec", "PP-OCRv4_mobile_rec"):
        (repository / name).rename(tmp_path / f"gone-{name}")
    with pytest.raises(AssemblyError) as refused:
        assemble(tmp_path / "models", files=[read_pipeline_file(ocr)], networks=[repository])
    assert "not exported: mine_rec (looked in" in str(refused.value)
    assert str(refused.value).endswith(f"Run: paddlex-triton export --config {ocr}")
    files = [read_pipeline_file(path) for path in (ocr, seals)]
    with pytest.raises(AssemblyError) as refused:
        models = {"layout_detection": "PP-DocLayout-S"}
        assemble(tmp_path / "models", files=files, models=models, networks=[repository])
    assert str(refused.value).endswith(
        f"Run: paddlex-triton export --config {ocr} && paddlex-triton export --config '{seals}' && "
        "paddlex-triton export PP-DocLayout-S"
    )


def onnx_file(folder: Path, content: bytes) -> None:
    (folder / "inference.onnx").write_bytes(content)


def paddle_model(folder: Path, content: bytes) -> None:
    (folder / "inference.json").write_bytes(b"{}")
    (folder / "inference.pdiparams").write_bytes(content)


@pytest.fixture(params=[onnx_file, paddle_model])
def trained(request) -> Callable[[Path, bytes], None]:
    """Writes weights into a new folder."""

    def write(folder: Path, content: bytes) -> None:
        folder.mkdir()
        request.param(folder, content)

    return write


def test_networks_made_from_something_else_are_said(repository, write, tmp_path, trained):
    assembly = assemble(tmp_path / "models", files=[read_pipeline_file(write(OCR))], networks=[repository])
    assert not [remark for remark in assembly.remarks if "is made from" in remark]
    other = write(OCR.replace("DIR/best", "DIR/second"))
    assembly = assemble(tmp_path / "models", files=[read_pipeline_file(other)], networks=[repository])
    (said,) = [remark for remark in assembly.remarks if "is made from" in remark]
    assert said == (
        f"{other}: text_recognition: mine_rec is made from dir:best, the file names dir:second: "
        f"paddlex-triton export --config {other} --force"
    )
    trained(tmp_path / "best", b"today's")
    assembly = assemble(tmp_path / "models", files=[read_pipeline_file(write(OCR))], networks=[repository])
    (said,) = [remark for remark in assembly.remarks if "is made from" in remark]
    assert f"mine_rec is made from other weights than those that are in {tmp_path / 'best'} now: " in said
    network = NetworkInfo.load(repository / "mine_rec" / "network.json")
    network.provenance.source_sha256 = weights_sha256(tmp_path / "best")
    (repository / "mine_rec" / "network.json").write_text(network.model_dump_json())
    assembly = assemble(tmp_path / "models", files=[read_pipeline_file(write(OCR))], networks=[repository])
    assert not [remark for remark in assembly.remarks if "is made from" in remark]
    official = write(OCR.replace("DIR/best", "null"))
    assembly = assemble(tmp_path / "models", files=[read_pipeline_file(official)], networks=[repository])
    assert any("made from dir:best, the file names the official weights" in remark for remark in assembly.remarks)


@pytest.mark.parametrize(
    ("thresholds", "said"),
    [
        ("", "text_det_limit_side_len, text_det_limit_type, text_det_unclip_ratio, text_recognition_batch_size"),
        ("limit_side_len: 64, limit_type: min, unclip_ratio: 1.5", "text_recognition_batch_size"),
    ],
)
def test_values_that_only_calls_bring_are_said(repository, write, tmp_path, thresholds, said):
    file = write(OCR.replace("batch_size: 7", thresholds or "batch_size: 1"))
    assembly = assemble(tmp_path / "models", files=[read_pipeline_file(file)], networks=[repository])
    assert assembly.remarks == (
        f"{file}: {said}: values come with calls, the server has its defaults; create_pipeline({str(file)!r}, url=...) "
        "sends the file's",
    )
    served = write(SEALS, "seals.yml")
    config = served.read_text().replace("device: cpu", "text_rec_batch_size: 1")
    served.write_text(config)
    assert assemble(tmp_path / "models", files=[read_pipeline_file(served)], networks=[repository]).remarks == ()


@pytest.fixture
def call(repository, tmp_path):
    """Runs `assemble`."""
    app = typer.Typer()
    register(app)

    def run(*arguments: str):
        words = ["assemble", str(tmp_path / "models"), "--networks", str(repository), *arguments]
        return CliRunner().invoke(app, words, env={"COLUMNS": "300", "TERM": "dumb"})

    return run


def test_the_command_takes_files_among_names(call, write, tmp_path):
    done = call("--pipeline", str(write(OCR)), "--pipeline", str(write(SEALS, "seals.yaml")), "--device", "gpu:0,1")
    assert done.exit_code == 0, done.output
    assert "(gpu) as ocr, seal_recognition" in done.stdout
    assert "  on gpu:0,1: PP-OCRv5_mobile_det, mine_rec, seals_layout, " in done.stdout
    assert "SubModules.TextDetection.batch_size is 7" in done.stdout
    done = call("--pipeline", "seal_recognition", "--pipeline", str(write(OCR)), "--preset", "nopp-lightweight")
    assert done.exit_code == 1
    assert "not exported: PP-DocLayout-L" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--pipeline", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["--pipeline", "ocr.yaml", "--preset", "PP-OCRv4_mobile"], "whose networks ocr.yaml names: give one; --model"),
        (["--pipeline", "ocr.yaml", "--device", "xpu"], "--device: 'xpu' is not supported"),
    ],
)
def test_refusals_are_one_message(call, write, words, message):
    write(OCR)
    done = call(*words)
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1), done.output
    assert message in done.stderr


def test_names_and_files_are_told_apart(write):
    path = write(SEALS, "seals.YML")
    names, (file,) = pipelines_of(["OCR", str(path)])
    assert (names, file.spec.name, file.origin) == (["OCR"], "seal_recognition", str(path))
    assert pipelines_of([]) == ([], [])
