"""The places PaddleX publishes its networks in, and in which order they are asked.

Order and choice follow PaddleX 3.7: Hugging Face, AI Studio, ModelScope, PaddleX's own store (BOS); the one that
`PADDLE_PDX_MODEL_SOURCE` names (any case) comes first. Those that do not answer are passed over, which is found out
with one request to each, made at once; `PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK` spares it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from paddlex_triton.export.errors import UsageError
from paddlex_triton.zoo import HubName, ZooEntry

CHOICE_VARIABLE = "PADDLE_PDX_MODEL_SOURCE"
NO_CHECK_VARIABLE = "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK"

# Seconds in which a hub has to say anything at all. Looking a name up can hang for longer than httpx allows for.
PROBE_TIMEOUT_S = 4.0


@dataclass(frozen=True)
class Hub:
    """One place.

    Attributes:
        name: PaddleX's name of it, as `PADDLE_PDX_MODEL_SOURCE` takes it.
        title: what people call it.
        endpoint: scheme and host, without a slash at the end.
        path: of an archive, with `{package}`, or of one file, with `{package}` and `{file}`.
        variables: environment variables that replace the endpoint, for mirrors; the first that is set counts.
    """

    name: HubName
    title: str
    endpoint: str
    path: str
    variables: tuple[str, ...]

    @property
    def gives_archives(self) -> bool:
        """Whether a network comes as one archive rather than file by file."""
        return "{file}" not in self.path

    def url(self, package: str, file: str = "") -> str:
        """Return where a package lies, or one of its files.

        Args:
            package: name of the network, with `_onnx` behind it for PaddleX's ONNX package.
            file: one of its files; nothing for hubs that give archives.
        """
        return f"{self.endpoint}/{self.path.format(package=package, file=file)}"

    def __str__(self) -> str:
        return f"{self.title} ({self.endpoint})"


# In PaddleX's order. Of the variables, the first of Hugging Face is PaddleX's own, the others are those of the hubs'
# own tools.
HUBS: tuple[Hub, ...] = (
    Hub(
        name="huggingface",
        title="Hugging Face",
        endpoint="https://huggingface.co",
        path="PaddlePaddle/{package}/resolve/main/{file}",
        variables=("PADDLE_PDX_HUGGING_FACE_ENDPOINT", "HF_ENDPOINT"),
    ),
    Hub(
        name="aistudio",
        title="AI Studio",
        endpoint="https://git.aistudio.baidu.com",
        path="api/v1/repos/PaddleX/{package}/media/{file}",
        variables=("STUDIO_GIT_HOST",),
    ),
    Hub(
        name="modelscope",
        title="ModelScope",
        endpoint="https://modelscope.cn",
        path="models/PaddlePaddle/{package}/resolve/master/{file}",
        variables=("MODELSCOPE_ENDPOINT", "MODELSCOPE_DOMAIN"),
    ),
    Hub(
        name="bos",
        title="PaddleX's store",
        endpoint="https://paddle-model-ecology.bj.bcebos.com",
        path="paddlex/official_inference_model/paddle3.0.0/{package}_infer.tar",
        variables=("PADDLEX_TRITON_BOS_ENDPOINT",),
    ),
)


# Networks whose archives are all named in one sentence.
_MOST_NAMED = 6


def manual_download_advice(entries: Sequence[ZooEntry]) -> str:
    """Return how to bring networks where there is no network: one sentence, with addresses."""
    store = next(hub for hub in HUBS if hub.gives_archives)
    urls = [store.url(entry.official.packages(entry.name)[0]) for entry in entries if entry.official]
    if len(urls) == 1:
        what, unpack, name = f"{urls[0]} elsewhere, unpack it into a", "it", entries[0].name
    else:
        named = ", ".join(urls) if len(urls) <= _MOST_NAMED else f"{store.url('NAME')} of each"
        what, unpack, name = f"{named} elsewhere, unpack each into its own", "them", "NAME"
    return (
        f"To bring {unpack} by hand: download {what} folder DIR, and run `paddlex-triton export --from-dir DIR --name "
        f"{name}`"
    )


def grouped_reasons(silent: Mapping[str, str]) -> str:
    """List hubs and why they are not asked, those with the same reason together."""
    hubs: dict[str, list[str]] = {}
    for hub, why in silent.items():
        hubs.setdefault(why, []).append(hub)
    return "; ".join(f"{', '.join(names)}: {why}" for why, names in hubs.items())


class Hubs:
    """The hubs in their order, and which of them answer. Each is asked once in an object's life.

    Args:
        environment: variables; those of the process by default.
        timeout_s: seconds in which a hub has to say anything.
    """

    def __init__(self, environment: Mapping[str, str] | None = None, timeout_s: float = PROBE_TIMEOUT_S) -> None:
        self._environment = os.environ if environment is None else environment
        self._timeout_s = timeout_s
        # Endpoint -> why it is not asked, None where it answers.
        self._asked: dict[str, str | None] = {}

    def in_order(self, names: Collection[HubName]) -> tuple[Hub, ...]:
        """Return the hubs of these names, the chosen one first.

        Raises:
            UsageError: `PADDLE_PDX_MODEL_SOURCE` names no hub, or a mirror's address has a password in it.
        """
        chosen = self._environment.get(CHOICE_VARIABLE, "").strip().lower()
        known = [hub.name for hub in HUBS]
        if chosen and chosen not in known:
            raise UsageError(f"{CHOICE_VARIABLE} is {chosen!r}; allowed: {', '.join(known)}")
        hubs = [self._at_its_endpoint(hub) for hub in HUBS if hub.name in names]
        return tuple(sorted(hubs, key=lambda hub: hub.name != chosen))

    def silent(self, names: Collection[HubName]) -> dict[str, str]:
        """Return the hubs that do not answer: hub in words -> why.

        Any answer is one, an error of HTTP too: whether a network is there shows when it is asked for.
        """
        hubs = self.in_order(names)
        if not self._checks():
            return {}
        self._ask([hub.endpoint for hub in hubs if hub.endpoint not in self._asked])
        return {str(hub): reason for hub in hubs if (reason := self._asked[hub.endpoint]) is not None}

    def answering(self, names: Collection[HubName]) -> tuple[Hub, ...]:
        """Return the hubs that answer, in their order."""
        silent = self.silent(names)
        return tuple(hub for hub in self.in_order(names) if str(hub) not in silent)

    def _at_its_endpoint(self, hub: Hub) -> Hub:
        for variable in hub.variables:
            if value := self._environment.get(variable, "").strip().rstrip("/"):
                if "@" in value:
                    # Addresses stand in messages and in network.json.
                    raise UsageError(f"{variable} has a user or password in it; put those into ~/.netrc")
                return replace(hub, endpoint=value if "://" in value else f"https://{value}")
        return hub

    def _checks(self) -> bool:
        return not self._environment.get(NO_CHECK_VARIABLE)

    def _ask(self, endpoints: Collection[str]) -> None:
        """Ask all at once. Threads that hang in a look-up of a name are left behind: nothing waits for them."""
        answers: dict[str, str | None] = {}
        threads = [
            threading.Thread(target=_probe, args=(endpoint, self._timeout_s, answers), daemon=True)
            for endpoint in set(endpoints)
        ]
        deadline = time.monotonic() + self._timeout_s
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for endpoint in endpoints:
            self._asked[endpoint] = answers.get(endpoint, f"no answer within {self._timeout_s:g} s")


def _probe(endpoint: str, timeout_s: float, answers: dict[str, str | None]) -> None:
    # Here, as the command line reads this module before it knows whether anything is fetched.
    import httpx

    try:
        httpx.head(endpoint, timeout=timeout_s)
    except (httpx.TransportError, httpx.InvalidURL, OSError) as error:
        answers[endpoint] = str(error) or type(error).__name__
    else:
        answers[endpoint] = None
