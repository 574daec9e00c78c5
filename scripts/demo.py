"""The demonstration behind `scripts/demo`: an embedded Triton reads the sample page and the seals of a contract."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from paddlex_triton import BaseResult, create_pipeline
from paddlex_triton.server.host.errors import HostError
from paddlex_triton.server.host.launcher import EmbeddedServer

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "samples" / "page.png"
CONTRACT = ROOT / "samples" / "contract.png"

HOW_TO_CALL = """
[bold]The server keeps running. From another terminal, in {root}:[/bold]

  curl (the file's own bytes behind a small JSON header, no base64):
    bash scripts/infer_with_curl samples/page.png {http}

  Python:
    .venv/bin/python -c 'from paddlex_triton import create_pipeline
for result in create_pipeline("OCR", url="{grpc}").predict("samples/page.png"): result.print()'

  Command line:
    .venv/bin/paddlex-triton predict OCR --input samples/page.png --save_path output --url {grpc}
    .venv/bin/paddlex-triton predict seal_recognition --input samples/contract.png --save_path output --url {grpc}

  perf_analyzer:
    .venv/bin/python -m paddlex_triton.bench.perf_analyzer samples/page.png --url {grpc} \\
      --admin-key-file {key} \\
      --arguments '--concurrency-range 1:4 --measurement-mode count_windows --measurement-request-count 20'

  Metrics: {metrics}

Ctrl-C stops the server."""


def main(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the server running and say how to call it.")] = False,
    save_path: Annotated[Path, typer.Option(help="Where the JSON and the picture go.")] = ROOT / "output",
) -> None:
    """Start an embedded Triton on free ports, read the samples, show what it read."""
    console = Console()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with (
            console.status("Starting Triton ..."),
            EmbeddedServer(["OCR", "seal_recognition"], log_file=_fresh_log(save_path)) as server,
        ):
            console.print(f"Triton is ready on {server.http_url} (HTTP) and {server.grpc_url} (gRPC).")
            read_page(server, save_path, console)
            read_seals(server, save_path, console)
            if keep:
                places = {"http": server.http_url, "grpc": server.grpc_url, "metrics": server.metrics_url}
                places["key"] = escape(str(_write_key(server, save_path)))
                console.print(HOW_TO_CALL.format(root=ROOT, **places), soft_wrap=True, highlight=False)
                server.wait()
    except KeyboardInterrupt:
        console.print("Stopping ...")
    except HostError as error:
        Console(stderr=True).print(f"[bold red]Error:[/bold red] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from None


def read_page(server: EmbeddedServer, save_path: Path, console: Console) -> None:
    """Run OCR on the sample page; print the lines, save the JSON and the picture."""
    table = Table("score", "text", title=f"The lines of {PAGE.relative_to(ROOT)}")
    with create_pipeline("OCR", url=server.grpc_url) as pipeline:
        for result in pipeline.predict(str(PAGE), text_det_limit_side_len=736, text_det_limit_type="min"):
            for text, score in zip(result["rec_texts"], result["rec_scores"], strict=True):
                table.add_row(f"{score:.3f}", escape(text))
            table.caption = _named_networks(result)
            result.save_all(str(save_path))
    _show(console, table, save_path, PAGE)


def read_seals(server: EmbeddedServer, save_path: Path, console: Console) -> None:
    """Run seal recognition on the contract; print each seal's lines, save the JSON and the pictures."""
    table = Table("seal", "score", "text", title=f"The seals of {CONTRACT.relative_to(ROOT)}")
    with create_pipeline("seal_recognition", url=server.grpc_url) as pipeline:
        for result in pipeline.predict(str(CONTRACT)):
            for number, seal in enumerate(result["seal_res_list"], 1):
                for text, score in zip(seal["rec_texts"], seal["rec_scores"], strict=True):
                    table.add_row(str(number), f"{score:.3f}", escape(text))
            table.caption = _named_networks(result)
            result.save_all(str(save_path))
    _show(console, table, save_path, CONTRACT)


def _named_networks(result: BaseResult) -> str:
    stages = (stage.get("networks", {}) for stage in result.settings.values())
    return f"by {', '.join(str(network['name']) for networks in stages for network in networks.values())}"


def _show(console: Console, table: Table, save_path: Path, page: Path) -> None:
    console.print(table)
    for path in sorted(save_path.glob(f"{page.stem}_*")):
        console.print(f"Saved {path}", soft_wrap=True)


def _fresh_log(save_path: Path) -> Path:
    save_path.mkdir(parents=True, exist_ok=True)
    log = save_path / "triton.log"
    log.unlink(missing_ok=True)
    return log


def _write_key(server: EmbeddedServer, save_path: Path) -> Path:
    """Write the key that perf_analyzer needs, for this user's eyes."""
    file = save_path / "admin_key"
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(f"{server.admin_key}\n", encoding="utf-8")
    return file


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    typer.run(main)
