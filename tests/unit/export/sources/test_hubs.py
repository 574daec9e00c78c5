"""Which hubs are asked, in which order, and which of them answer."""

from __future__ import annotations

import re
import time

import pytest
from hub_server import NOBODY, Fault, HubServer

from paddlex_triton.export.errors import UsageError
from paddlex_triton.export.lookup import find_network
from paddlex_triton.export.sources.hubs import HUBS, Hubs, manual_download_advice
from paddlex_triton.zoo import HubName

ALL: tuple[HubName, ...] = tuple(hub.name for hub in HUBS)
VARIABLE = "PADDLE_PDX_MODEL_SOURCE"


def names(environment: dict[str, str], of=ALL) -> list[str]:
    return [hub.name for hub in Hubs(environment).in_order(of)]


@pytest.mark.parametrize("chosen", ["", "huggingface", "HuggingFace", " bos ", "BOS", "aistudio", "modelscope"])
def test_chosen_hub_comes_first(chosen):
    known = ["huggingface", "aistudio", "modelscope", "bos"]
    first = chosen.strip().lower() or "huggingface"
    assert names({VARIABLE: chosen}) == [first, *(name for name in known if name != first)]
    assert names({}) == known


def test_chosen_hub_that_has_nothing_of_it():
    assert names({VARIABLE: "modelscope"}, ("bos",)) == ["bos"]


def test_hub_that_is_not_known():
    with pytest.raises(UsageError, match=f"{VARIABLE} is 'github'; allowed: huggingface, aistudio, modelscope, bos"):
        names({VARIABLE: "GitHub"})


def test_addresses():
    found = {hub.name: hub.url("UVDoc_onnx", "" if hub.gives_archives else "inference.yml") for hub in HUBS}
    assert found == {
        "huggingface": "https://huggingface.co/PaddlePaddle/UVDoc_onnx/resolve/main/inference.yml",
        "aistudio": "https://git.aistudio.baidu.com/api/v1/repos/PaddleX/UVDoc_onnx/media/inference.yml",
        "modelscope": "https://modelscope.cn/models/PaddlePaddle/UVDoc_onnx/resolve/master/inference.yml",
        "bos": "https://paddle-model-ecology.bj.bcebos.com/paddlex/official_inference_model/paddle3.0.0/"
        "UVDoc_onnx_infer.tar",
    }


@pytest.mark.parametrize(
    ("hub", "variable"), [(hub.name, variable) for hub in HUBS for variable in hub.variables], ids=str
)
def test_mirrors(hub, variable):
    (found,) = Hubs({variable: "https://mirror.example/"}).in_order([hub])
    (original,) = [other for other in HUBS if other.name == hub]
    assert found.url("UVDoc", "a") == original.url("UVDoc", "a").replace(original.endpoint, "https://mirror.example")
    (found,) = Hubs({variable: "mirror.example"}).in_order([hub])
    assert found.endpoint == "https://mirror.example"


def test_mirror_with_a_password():
    with pytest.raises(
        UsageError, match=r"HF_ENDPOINT has a user or password in it; put those into ~/.netrc"
    ) as caught:
        Hubs({"HF_ENDPOINT": "https://me:secret@mirror.example"}).in_order(ALL)
    assert "secret" not in str(caught.value)


def test_paddlex_s_own_variable_goes_before_that_of_hugging_face():
    both = {"PADDLE_PDX_HUGGING_FACE_ENDPOINT": "https://first.example", "HF_ENDPOINT": "https://second.example"}
    assert Hubs(both).in_order(["huggingface"])[0].endpoint == "https://first.example"


def test_hubs_that_answer():
    with HubServer().running() as server:
        hubs = Hubs({"HF_ENDPOINT": NOBODY, "STUDIO_GIT_HOST": NOBODY, "PADDLEX_TRITON_BOS_ENDPOINT": server.url})
        asked: tuple[HubName, ...] = ("huggingface", "aistudio", "bos")
        assert [hub.name for hub in hubs.answering(asked)] == ["bos"]
        silent = hubs.silent(asked)
    assert list(silent) == [f"Hugging Face ({NOBODY})", f"AI Studio ({NOBODY})"]
    assert all("refused" in reason for reason in silent.values())
    # Each is asked once: the server is gone by now.
    assert [hub.name for hub in hubs.answering(asked)] == ["bos"]


def test_hub_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr("paddlex_triton.export.sources.hubs._probe", lambda *args: time.sleep(5))
    started = time.monotonic()
    assert list(Hubs({}, timeout_s=0.2).silent(ALL).values()) == ["no answer within 0.2 s"] * 4
    assert time.monotonic() - started < 2


def test_hubs_are_not_asked_where_paddlex_does_not_ask():
    hubs = Hubs({"HF_ENDPOINT": NOBODY, "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True"})
    assert hubs.silent(["huggingface"]) == {}


@pytest.mark.parametrize("fault", [Fault(status=503), Fault()])
def test_any_answer_is_one(fault):
    with HubServer().running() as server:
        server.faults["/"] = [fault]
        assert Hubs({"HF_ENDPOINT": server.url}).silent(["huggingface"]) == {}


def test_by_hand():
    """One network by its name; several by their archives; many by a pattern. The ONNX package where there is one."""
    one, two = find_network("UVDoc"), find_network("PP-DocLayout-S")
    assert re.findall(r"/([^/\s]+)_infer\.tar", manual_download_advice([one])) == ["UVDoc_onnx"]
    assert manual_download_advice([one]).endswith("`paddlex-triton export --from-dir DIR --name UVDoc`")
    assert re.findall(r"/([^/\s]+)_infer\.tar", manual_download_advice([one, two])) == ["UVDoc_onnx", "PP-DocLayout-S"]
    assert manual_download_advice([one, two]).endswith("--name NAME`")
    assert re.findall(r"/([^/\s]+)_infer\.tar", manual_download_advice([one, two] * 4)) == ["NAME"]
