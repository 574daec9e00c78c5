"""Who imports whom. Imports for type checkers alone do not count; those inside functions do."""

from graphlib import CycleError, TopologicalSorter
from importlib import import_module

import grimp
import pytest
import typer

from paddlex_triton import cli

# What a package may import of ours; the modules at the top of paddlex_triton are the core, which imports no package.
# Some packages take only a part of the core.
CORE = "core"
MAY_IMPORT = {
    CORE: set(),
    "ops": {"errors", "limits"},
    "pipeline_file": {CORE},
    "probe": {"errors"},
    "client": {CORE, "ops", "pipeline_file"},
    "export": {CORE, "ops", "pipeline_file", "server.backends"},
    "gateway": {CORE, "ops", "client", "pipeline_file"},
    "server.backends": {CORE, "ops"},
    "server.modules": {CORE, "ops"},
    "server.host": {CORE, "pipeline_file", "gateway", "probe", "server.backends"},
    "bench": {CORE, "ops", "client", "export", "server.backends", "server.host"},
    "training": {CORE, "ops", "export"},
    "cli": {CORE, "pipeline_file", "client", "export", "gateway", "probe", "server.host"},
}
# In functions: `create_pipeline` without a server starts one, and `models --url` asks a server.
EXCEPTIONS = {("client.embedded", "server.host"), ("export.cli", "client"), ("exceptions", "client")}


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """For every module of ours, without `paddlex_triton.` in front, the modules it imports."""
    graph = grimp.build_graph("paddlex_triton", "training", exclude_type_checking_imports=True, cache_dir=None)
    if "paddlex_triton.client" not in graph.modules:
        pytest.skip("a checkout without links: client/ and export/ are not found below paddlex_triton/")
    found = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    return {_short(module): {_short(each) for each in found[module]} for module in found}


def test_no_module_imports_itself_by_way_of_others(imports):
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_packages_import_what_they_may(imports):
    wrong = {
        (module, imported)
        for module in imports
        for imported in imports[module]
        if not _allowed(module, imported) and (module, _package(imported)) not in EXCEPTIONS
    }
    assert not wrong


def test_no_exception_is_out_of_date(imports):
    used = {(module, _package(imported)) for module in imports for imported in imports[module]}
    assert used >= EXCEPTIONS


def test_what_packages_may_import_has_no_circle():
    TopologicalSorter(MAY_IMPORT).prepare()


def test_every_command_is_listed_with_its_module():
    commands = typer.Typer()
    for module in set(cli._MODULES.values()):
        import_module(module).register(commands)
    assert set(typer.main.get_group(commands).commands) == set(cli._MODULES)


def _short(module: str) -> str:
    return module.removeprefix("paddlex_triton.")


def _package(module: str) -> str:
    """Return the entry of MAY_IMPORT that a module belongs to."""
    found = [name for name in MAY_IMPORT if module == name or module.startswith(f"{name}.")]
    return found[0] if found else CORE


def _allowed(module: str, imported: str) -> bool:
    package = _package(module)
    return _package(imported) == package or not MAY_IMPORT[package].isdisjoint({imported, _package(imported)})
