"""What an installed wheel carries besides Python packages."""

from pathlib import Path

import pytest

from paddlex_triton.export.sources.shipped import NETWORKS
from paddlex_triton.pipelines import PIPELINES

ROOT = Path(__file__).resolve().parent.parent.parent
MODULES = sorted({module for spec in PIPELINES.values() for module in spec.modules})


@pytest.mark.parametrize("module", MODULES)
def test_every_module_is_packaged_and_in_git(module):
    assert f'"model_repository/{module}/**/*"' in (ROOT / "pyproject.toml").read_text()
    assert f"!/model_repository/{module}/" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_networks_that_come_along_are_packaged_with_their_card():
    assert '"export/networks/**/*"' in (ROOT / "pyproject.toml").read_text()
    names = {str(path.relative_to(NETWORKS)) for path in NETWORKS.rglob("*") if path.is_file()}
    assert names == {"README.md", "offline_seal_layout/inference.yml", "offline_seal_layout/model.onnx"}


@pytest.mark.parametrize("link", ["bench", "client", "ensembles", "export", "model_repository", "ops", "server"])
def test_the_import_package_links_to_the_folders_at_the_top(link):
    path = ROOT / "paddlex_triton" / link
    assert path.is_symlink()
    assert path.resolve() == ROOT / link


@pytest.mark.parametrize("path", sorted((ROOT / "model_repository").glob("*/1/model.py")), ids=lambda p: p.parts[-3])
def test_modules_stay_thin(path):
    assert len(path.read_text().splitlines()) < 100
