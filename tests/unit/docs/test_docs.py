"""The documentation: tables that follow from the code are fresh, links lead somewhere, commands have those options."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from paddlex_triton.cli import main
from paddlex_triton.pipelines import PIPELINES
from scripts.generate_docs import BLOCKS, DOCS, MARKED, ROOT, pages, renewed

REPOSITORY = "https://github.com/paddlex-triton/paddlex-triton"
RAW = "https://raw.githubusercontent.com/paddlex-triton/paddlex-triton"
TEXTS = [
    ROOT / "README.md",
    ROOT / "client" / "examples" / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "SECURITY.md",
    *pages(),
]
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
SHELL = re.compile(r"^```bash\n(.*?)^```", re.DOTALL | re.MULTILINE)


def names(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", pages(), ids=names)
def test_generated_tables_are_fresh(page):
    assert renewed(page.read_text()) == page.read_text(), "run: python scripts/generate_docs.py"


def test_a_table_that_was_changed_by_hand_is_stale():
    text = (DOCS / "parameters.md").read_text()
    assert renewed(text.replace("`0.3`", "`0.4`")) == text


def test_every_table_has_a_place():
    found = [match["name"] for page in pages() for match in MARKED.finditer(page.read_text())]
    assert sorted(found) == sorted(BLOCKS)


@pytest.mark.parametrize("name", PIPELINES)
def test_every_pipeline_has_its_section(name):
    for page in ("pipelines.md", "parameters.md", "protocol.md"):
        assert f"\n### {name}\n" in (DOCS / page).read_text()


@pytest.mark.parametrize("text", TEXTS, ids=names)
def test_links_into_the_repository_lead_somewhere(text):
    for match in LINK.finditer(text.read_text()):
        target = match["target"].partition("#")[0]
        if target.startswith((f"{REPOSITORY}/blob/main/", f"{REPOSITORY}/tree/main/", f"{RAW}/main/")):
            assert (ROOT / target.split("/main/", 1)[1]).exists(), target
        elif target and not target.startswith("https://"):
            assert (text.parent / target).exists(), target


def test_links_of_the_readme_survive_on_pypi():
    text = (ROOT / "README.md").read_text()
    assert all(match["target"].startswith("https://") for match in LINK.finditer(text))
    assert len(text.splitlines()) <= 150


def _commands(text: str) -> list[list[str]]:
    """The calls of `paddlex-triton` in a page's shell blocks, without comments."""
    lines = "\n".join(SHELL.findall(text)).replace("\\\n", " ").splitlines()
    calls = [shlex.split(line, comments=True) for line in lines if line.startswith("paddlex-triton ")]
    return [call[1:] for call in calls]


def _help_of(command: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0, command
    return capsys.readouterr().out


@pytest.mark.parametrize("text", TEXTS, ids=names)
def test_commands_have_the_options_that_are_shown(text, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    for call in _commands(text.read_text()):
        # PaddleX's spelling names a pipeline, or its file, in place of a command.
        words = ["predict", *call[1:]] if call[0] == "--pipeline" else call
        command = ["predict", Path(words[1]).stem] if words[0] == "predict" else words[:1]
        shown = _help_of(command, capsys)
        for word in words:
            if word.startswith("--"):
                assert re.search(rf"{word.partition('=')[0]}\b", shown), (call, word)


def test_the_documentation_builds_without_warnings(tmp_path):
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        # mkdocs-material's note on its own future.
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "site" / "parameters" / "index.html").is_file()
