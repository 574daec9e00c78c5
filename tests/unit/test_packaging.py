"""The contents of an installed wheel besides Python packages."""

import runpy
from pathlib import Path

import pytest
import tomli

from paddlex_triton.export.sources.shipped import NETWORKS
from paddlex_triton.pipelines import PIPELINES

ROOT = Path(__file__).resolve().parent.parent.parent
MODULES = sorted({module for spec in PIPELINES.values() for module in spec.modules})


PYPROJECT = tomli.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_is_packaged_and_in_git(module):
    assert f"{module}/**/*" in PYPROJECT["package-data"]["paddlex_triton.model_repository"]
    assert f"!/model_repository/{module}/" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_networks_that_come_along_are_packaged_with_their_card():
    assert "networks/**/*" in PYPROJECT["package-data"]["paddlex_triton.export"]
    names = {str(path.relative_to(NETWORKS)) for path in NETWORKS.rglob("*") if path.is_file()}
    assert names == {"README.md", "offline_seal_layout/inference.yml", "offline_seal_layout/model.onnx"}


def test_every_package_is_listed():
    places = {name: ROOT / folder for name, folder in PYPROJECT["package-dir"].items()}
    found = {
        ".".join((name, *path.parent.relative_to(place).parts))
        for name, place in places.items()
        for path in place.rglob("__init__.py")
        if not path.parent.is_symlink()
    }
    assert sorted(found | {"paddlex_triton.ensembles", "paddlex_triton.model_repository"}) == PYPROJECT["packages"]


@pytest.mark.parametrize("folder", ["client", "export"])
def test_a_folder_at_the_top_has_one_name_to_import(folder):
    with pytest.raises(ImportError, match=f"paddlex_triton.{folder}: import that"):
        runpy.run_path(str(ROOT / folder / "__init__.py"), run_name=folder)


@pytest.mark.parametrize("path", sorted((ROOT / "model_repository").glob("*/1/model.py")), ids=lambda p: p.parts[-3])
def test_modules_stay_thin(path):
    assert len(path.read_text().splitlines()) < 100
