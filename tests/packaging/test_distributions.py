"""The distributions that users install: whole from a zip without links, and the client comes without a server."""

import json
import sys
import tarfile
import zipfile

import pytest

# MB on disk: 8.5 of its own, 6.4 of them the network that comes along, and 318 with what it needs, 142 OpenCV's.
OWN_SIZE, CLIENT_SIZE = 9, 350
MAPPED = ("client", "ensembles", "export", "model_repository")

IMPORT_ALL = """
import importlib, pkgutil, paddlex_triton
for module in pkgutil.walk_packages(paddlex_triton.__path__, "paddlex_triton."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        # Triton's own, there only inside of it.
        if error.name != "triton_python_backend_utils":
            raise
    print(module.name)
"""


def test_the_wheel_has_every_file_of_the_packages(built):
    mapped = {f"paddlex_triton/{file}" for file in built.tree_files if file.startswith(tuple(f"{m}/" for m in MAPPED))}
    own = {file for file in built.tree_files if file.startswith("paddlex_triton/")}
    # For readers of the sources.
    left_out = {name for name in mapped if name.startswith("paddlex_triton/client/examples/")}
    assert left_out
    left_out.add("paddlex_triton/model_repository/README.md")
    assert _contents(built.wheel).keys() == (mapped | own) - left_out


def test_the_wheel_built_from_the_sdist_is_the_same(built):
    assert _contents(built.wheel_from_sdist) == _contents(built.wheel)


def test_the_sdist_has_the_whole_tree(built):
    with tarfile.open(built.sdist) as files:
        names = {file.name.partition("/")[2] for file in files if file.isfile()}
    assert built.tree_files - names == set()
    assert not names & built.links


def test_everything_can_be_imported(full_environment):
    names = full_environment.run("python", "-c", IMPORT_ALL).split()
    assert {"paddlex_triton.client.pipeline", "paddlex_triton.export.api", "paddlex_triton.ops.ctc"} <= set(names)


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (("--help",), "assemble"),
        (("models",), "PP-OCRv4_mobile_det"),
        (("assemble", "--help"), "--flavour"),
        (("get-pipeline-config", "OCR"), "saved to: OCR.yaml"),
    ],
    ids=["help", "models", "assemble", "get-pipeline-config"],
)
def test_commands_run(full_environment, arguments, printed):
    assert printed in full_environment.run("paddlex-triton", *arguments)


@pytest.mark.parametrize(
    "statements",
    [
        "from paddlex_triton import client; [getattr(client, name) for name in client.__all__]",
        "from typer.testing import CliRunner; from paddlex_triton.cli import app; "
        "assert '--save_path' in CliRunner().invoke(app, ['predict', 'OCR', '--help']).stdout",
    ],
    ids=["import", "predict --help"],
)
def test_the_client_needs_and_loads_no_server(client_environment, statements):
    code = f"import json, sys; {statements}; print(json.dumps(list(sys.modules)))"
    loaded = set(json.loads(client_environment.run("python", "-c", code)))
    assert loaded.isdisjoint({"paddlex_triton.server", "onnx", "onnxruntime", "pytriton", "shapely", "pyclipper"})


def test_the_gateway_says_how_it_is_installed(client_environment):
    assert "--max-in-flight" in client_environment.run("paddlex-triton", "gateway", "--help")
    with pytest.raises(AssertionError, match=r"pip install 'paddlex-triton\[gateway\]'"):
        client_environment.run("paddlex-triton", "gateway", "--port", "0")


def test_the_client_is_small(client_environment, capsys):
    sizes: dict[str, float] = {each.name: _size(each) for each in client_environment.installed}
    own, total = sizes["paddlex-triton"], sum(sizes.values())
    with capsys.disabled():
        sys.stdout.write(f"\nthe client: {own:.1f} MB, with the {len(sizes) - 1} others it needs {total:.0f} MB\n")
    assert own < OWN_SIZE
    assert total < CLIENT_SIZE, sizes


def _size(distribution):
    """Return the megabytes of a distribution's files, less what running it compiles."""
    paths = [distribution.locate_file(file) for file in distribution.files if "__pycache__" not in file.parts]
    return sum(path.stat().st_size for path in paths if path.exists()) / 1e6


def _contents(wheel):
    """Return the bytes of a wheel's files by name, less its metadata."""
    with zipfile.ZipFile(wheel) as files:
        return {name: files.read(name) for name in files.namelist() if ".dist-info/" not in name}
