"""Who imports whom, and what the commands import."""

from importlib import import_module

import typer

from paddlex_triton import cli


def test_every_command_is_listed_with_its_module():
    commands = typer.Typer()
    for module in set(cli._MODULES.values()):
        import_module(module).register(commands)
    assert set(typer.main.get_group(commands).commands) == set(cli._MODULES)
