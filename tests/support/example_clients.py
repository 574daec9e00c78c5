"""The REST clients in client/examples: what each needs, how it is built, and how it is run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "client" / "examples"
GSON = "/usr/share/java/gson.jar"
NEWTONSOFT = "/usr/lib/cli/Newtonsoft.Json-5.0/Newtonsoft.Json.dll"


@dataclass(frozen=True)
class ExampleClient:
    """A client's source, with commands in which {source} is its path and {folder} one to build in.

    Attributes:
        packages: of Debian, with the toolchain.
        needs: commands and files that must be there.
        run: arguments follow it.
        build: none if the source is run as it is.
    """

    source: str
    packages: str
    needs: tuple[str, ...]
    run: str
    build: str = ""

    def missing(self) -> str:
        """Return why the client cannot be run here, or an empty text."""
        absent = [each for each in self.needs if not (Path(each).exists() if "/" in each else shutil.which(each))]
        return f"{self.source}: no {', '.join(absent)}; Debian: apt install {self.packages}" if absent else ""

    def prepare(self, folder: Path) -> list[str]:
        """Build the client in a folder, and return the command that runs it."""
        places = {"source": EXAMPLES / self.source, "folder": folder, "python": sys.executable}
        if self.build:
            command = self.build.format(**places).split()
            # Go keeps what it has compiled below HOME.
            built = subprocess.run(
                command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
            )
            assert built.returncode == 0, built.stderr
        return self.run.format(**places).split()


def environment(home: Path) -> Mapping[str, str]:
    """Return variables of a process that knows of no proxy and of no key."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}


CLIENTS = (
    ExampleClient("rest_client.py", "python3", (), "{python} {source}"),
    ExampleClient("rest_client.mjs", "nodejs", ("node",), "node {source}"),
    ExampleClient("rest_client.php", "php-cli", ("php",), "php {source}"),
    ExampleClient("rest_client.go", "golang-go", ("go",), "{folder}/rest_client", "go build -o {folder} {source}"),
    ExampleClient(
        "rest_client.cpp",
        "g++ libcpp-httplib-dev nlohmann-json3-dev",
        ("g++", "/usr/include/httplib.h", "/usr/include/nlohmann/json.hpp"),
        "{folder}/rest_client",
        "g++ -std=c++17 -Wall -Wextra -Werror -o {folder}/rest_client {source} -lcpp-httplib -lssl -lcrypto",
    ),
    ExampleClient(
        "RestClient.java",
        "default-jdk-headless libgoogle-gson-java",
        ("javac", GSON),
        f"java -cp {GSON} {{source}}",
    ),
    ExampleClient(
        "RestClient.cs",
        "mono-mcs libmono-system-net-http4.0-cil libnewtonsoft-json5.0-cil",
        ("mcs", "mono", NEWTONSOFT),
        "mono {folder}/RestClient.exe",
        f"mcs -out:{{folder}}/RestClient.exe -r:System.Net.Http.dll -r:{NEWTONSOFT} {{source}}",
    ),
)
