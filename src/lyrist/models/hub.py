"""The one place where `transformers` opens networks and tokenizers: of a run, a folder, a GGUF file or the hub.

What is opened may come from a stranger, so nothing of it is run (a test over the source finds any other call):

- ``trust_remote_code`` is False, and the configuration is read here, without the keys that name code or other files;
- weights are safetensors or GGUF; older formats are pickles, which run code;
- a run's tokenizer is ``tokenizer.json`` with a few settings and its chat template, not a class that
  ``tokenizer_config.json`` names;
- a run of one of Lyrist's own networks opens as that and as nothing else.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import math
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import constants
from safetensors import safe_open
from tokenizers import Tokenizer
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from lyrist import files
from lyrist.errors import LyristError, needed_by
from lyrist.models import adapter, fetch
from lyrist.models.network import fast_bf16, hushed

CONFIG, TOKENIZER, CHAT = "config.json", "tokenizer.json", "chat_template.jinja"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
"""Endings of weights that are pickles."""

IGNORED = ("auto_map", "attn_implementation", "experts_implementation", "kernel_config", "transformers_weights")
"""Keys of a configuration that name code or files, beside those that begin with an underscore."""

KEPT = (
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "model_max_length",
    "padding_side", "truncation_side", "clean_up_tokenization_spaces", "split_special_tokens", "model_input_names",
)  # fmt: skip
"""Keys of ``tokenizer_config.json`` that are read with a run."""

LARGEST = 1 << 20
"""A number in the configuration of an own network may be this large, or as large as its number of weights; the same goes for
the length of a text in tokens."""

MOST_TOKENS = 10_000_000
"""Largest number of a token: the tokenizers library takes time in proportion to it, whatever the number of tokens."""

OWN = "lyrist-"
"""How the types of Lyrist's networks begin."""


def open_network(kind: Any, folder: Path, *, own: bool = False) -> PreTrainedModel:
    """Return the network in the folder of a run, in evaluation mode.

    Parameters
    ----------
    kind
        One of transformers' ``AutoModel`` classes.
    folder
        ``config.json`` and ``model.safetensors``.
    own
        Only a network of Lyrist is expected.

    Raises
    ------
    LyristError
        A file is missing or damaged, the weights do not fill the network, or something in it is not opened.
    """
    _there(folder, CONFIG)
    if not list(folder.glob("model*.safetensors")):
        _there(folder, WEIGHTS)

    def read() -> tuple[PreTrainedModel, dict[str, Any]]:
        said = files.read_json(folder / CONFIG, "a saved network")
        config = _known(kind, _config(said, own=own))
        _check_sizes(said, folder, own)
        found: tuple[PreTrainedModel, dict[str, Any]] = _network(kind, folder, config, output_loading_info=True)
        return found

    model, report = _damaged(folder, read)
    broken = [*report["missing_keys"], *report["mismatched_keys"]]
    if broken:
        raise LyristError(f"The network in {folder} is damaged (weights without a value: {broken[0]}); train it again.")
    return model.eval()  # type: ignore[no-any-return]


def open_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Return the tokenizer in the folder of a run.

    Raises
    ------
    LyristError
        It is missing or damaged.
    """
    _there(folder, TOKENIZER)

    def read() -> PreTrainedTokenizerFast:
        path = folder / "tokenizer_config.json"
        said = files.read_json(path, "a saved network") if path.is_file() else {}
        kept = {key: said[key] for key in KEPT if said.get(key) is not None}
        tokens = {key: value["content"] for key, value in kept.items() if isinstance(value, dict)}
        if isinstance(kept.get("model_max_length"), int):
            kept["model_max_length"] = min(kept["model_max_length"], LARGEST)
        template = folder / CHAT
        if template.is_file():  # transformers renders it in a sandbox
            kept["chat_template"] = template.read_text(encoding="utf-8")
        backend = Tokenizer.from_file(str(folder / TOKENIZER))
        if (largest := max(backend.get_vocab().values(), default=0)) > MOST_TOKENS:
            raise ValueError(f"a token of {TOKENIZER} has the number {largest:,}")
        return PreTrainedTokenizerFast(tokenizer_object=backend, **kept | tokens)  # type: ignore[no-untyped-call]

    return _damaged(folder, read)  # type: ignore[no-any-return]


def pretrained_network(
    kind: Any, name: str, config: Mapping[str, Any] | None = None, *, download: bool = True, **settings: Any
) -> PreTrainedModel:
    """Return the pretrained network that a user names: a folder, a file ``*.gguf``, or a name on the Hugging Face hub.

    Parameters
    ----------
    kind
        One of transformers' ``AutoModel`` classes.
    name
        What the user gave as ``--model``.
    config
        What to change in its configuration.
    download
        Whether a name on the hub may be downloaded.
    settings
        Other arguments of ``from_pretrained``.

    Raises
    ------
    LyristError
        It is not there, or cannot be opened; the message says what to do.
    """

    def read(place: Path | str, where: Mapping[str, Any]) -> PreTrainedModel:
        if "gguf_file" in where:
            with contextlib.redirect_stderr(io.StringIO()):  # a progress bar that cannot be turned off
                found = _network(kind, place, None, **where, **settings)
            # Its weights are plain numbers now; saved as quantized they could not be opened again.
            found.hf_quantizer, found.is_quantized = None, False
            if hasattr(found.config, "quantization_config"):
                del found.config.quantization_config
            return found  # type: ignore[no-any-return]
        known = _known(kind, _config(_described(place, where), config or {}))
        return _network(kind, place, known, **where, **settings)  # type: ignore[no-any-return]

    return _named(name, read, download)  # type: ignore[no-any-return]


def pretrained_tokenizer(name: str) -> Any:
    """Return the tokenizer of the pretrained network that a user names.

    Raises
    ------
    LyristError
        It is not there, or cannot be opened; the message says what to do.
    """

    def read(place: Path | str, where: Mapping[str, Any]) -> Any:
        known = {} if "gguf_file" in where else {"config": _config(_described(place, where))}
        return AutoTokenizer.from_pretrained(place, use_fast=True, trust_remote_code=False, **known, **where)

    folder = Path(located(name))
    if (folder / adapter.CONFIG).is_file():
        return open_tokenizer(folder) if (folder / TOKENIZER).is_file() else pretrained_tokenizer(base_name(name))
    return _named(name, read)


def pretrained_causal(name: str, device: str = "cpu") -> tuple[PreTrainedModel, Any, dict[str, Any]]:
    """Return a pretrained causal language model, its tokenizer, and its card.

    Parameters
    ----------
    name
        A known model in the cache (see `lyrist.models.fetch`), a directory, a ``.gguf`` file, or a name on the hub.
    device
        The weights are bf16 if this device is fast at it, else float32.

    Returns
    -------
    model, tokenizer, card
        The card has at least ``name``; of a model in the cache also licence, source, revision and checksums.

    Raises
    ------
    LyristError
        It is not there, or cannot be opened; the message says what to do.
    """
    folder = Path(located(name))
    card = files.read_json(folder / fetch.CARD, "a model in the cache") if (folder / fetch.CARD).is_file() else {}
    return causal_network(name, device), pretrained_tokenizer(name), {"name": name, **card}


def licence_of(name: str) -> str | None:
    """Return the licence of a pretrained model by its card, in the cache or in its directory; None if there is none."""
    folder = Path(located(name))
    if (folder / fetch.CARD).is_file():
        return str(files.read_json(folder / fetch.CARD, "a model in the cache").get("licence") or "") or None
    card = folder / "README.md"
    found = (
        re.search(r"\A---\n(?:.*\n)*?license: *(\S+)", card.read_text("utf-8", "replace")) if card.is_file() else None
    )
    return found[1] if found else None


def causal_network(name: str, device: str = "cpu") -> PreTrainedModel:
    """Return the network of `pretrained_causal`; an adapter is merged into the weights of its pretrained model."""
    folder = Path(located(name))
    if (folder / adapter.CONFIG).is_file():
        additions = adapter.Adapter.load(folder)
        base = adapted_network(additions)
        model = _damaged(folder, lambda: additions.added_to(base).merge_and_unload())
    else:
        model = pretrained_network(AutoModelForCausalLM, name, dtype=writing_dtype(device))
    return model.to(device, writing_dtype(device)).eval()  # type: ignore[no-any-return]


def adapted_network(additions: adapter.Adapter) -> PreTrainedModel:
    """Return the pretrained model that an adapter belongs to; nothing is downloaded."""
    name = additions.config.base_model_name_or_path
    return pretrained_network(AutoModelForCausalLM, name, download=False, dtype=torch.float32)


def base_name(name: str) -> str:
    """Return the name of a pretrained model; of an adapter, that of the model that it belongs to."""
    folder = Path(located(name))
    return adapter.base_of(folder) if (folder / adapter.CONFIG).is_file() else name


def writing_dtype(device: str) -> torch.dtype:
    """Return the type of weights in which a pretrained model is scored and written with."""
    return torch.bfloat16 if fast_bf16(torch.device(device)) else torch.float32


def new_network(kind: Any, described: Mapping[str, Any], *, own: bool = True) -> PreTrainedModel:
    """Return the network that a configuration describes, with weights yet to be read; with ``own``, only one of Lyrist."""
    found: PreTrainedModel = kind.from_config(_known(kind, _config(described, own=own)), trust_remote_code=False)
    return found


def _known(kind: Any, config: PreTrainedConfig) -> PreTrainedConfig:
    """Return the configuration if ``kind`` knows it; transformers itself imports all its models to say that it does not."""
    if type(config) not in kind._model_mapping:
        raise ValueError(f"{CONFIG} is of a network '{config.model_type}', which is for another task")
    return config


def _network(kind: Any, place: Path | str, config: PreTrainedConfig | None, **settings: Any) -> Any:
    safe = {} if "gguf_file" in settings else {"use_safetensors": True, "config": config}
    if Path(place).is_dir():
        _check_weights(Path(place))
    return kind.from_pretrained(place, trust_remote_code=False, **{"local_files_only": True, **safe, **settings})


def _config(said: Any, changes: Mapping[str, Any] | None = None, *, own: bool = False) -> PreTrainedConfig:
    """Return a configuration without the keys that name code or files.

    Raises
    ------
    ValueError
        It is of no architecture that is known here, or of a quantized network.
    """
    kind = said.get("model_type") if isinstance(said, Mapping) else None
    if not isinstance(kind, str):
        raise ValueError(f"{CONFIG} names no model_type")
    if own and not kind.startswith(OWN):
        raise ValueError(f"{CONFIG} is of a network '{kind}', which is not the recipe's")
    if said.get("quantization_config"):
        raise ValueError("its weights are quantized; take the original weights, or a .gguf file")
    kept = {key: value for key, value in _plain(said).items() if key != "model_type"}
    return AutoConfig.for_model(kind, **{**kept, **(changes or {})})


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items() if k not in IGNORED and not str(k).startswith("_")}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _described(place: Path | str, where: Mapping[str, Any]) -> Any:
    """Return what the ``config.json`` of a folder or of a name on the hub says."""
    if Path(place).is_dir():
        return files.read_json(Path(place) / CONFIG, "a pretrained model")
    return PreTrainedConfig.get_config_dict(place, **where)[0]


def _check_weights(folder: Path) -> None:
    """Raise where the weights in a folder are pickles, or in other folders.

    Raises
    ------
    ValueError
        The message says what to do.
    """
    if (folder / adapter.CONFIG).exists():
        raise ValueError(
            f"it is an adapter ({adapter.CONFIG}) of another model; merge the two (peft: merge_and_unload) first"
        )
    if (folder / WEIGHTS).exists():
        return
    if (folder / INDEX).exists():
        index = files.read_json(folder / INDEX, "a saved network")
        for name in index["weight_map"].values():
            if Path(name).name != name or not name.endswith(".safetensors"):
                raise ValueError(f"{INDEX} names '{name}', which is not a safetensors file in this folder")
        return
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES)
    if pickles:
        raise ValueError(_no_pickle(pickles[0]))


def _check_sizes(said: Any, folder: Path, own: bool) -> None:
    """Raise where a configuration asks for a network that is far larger than its weights.

    Raises
    ------
    ValueError
        The message names the setting.
    """
    shapes = []
    for path in folder.glob("model*.safetensors"):
        with safe_open(path, "np") as weights:
            shapes += [weights.get_slice(name).get_shape() for name in weights.keys()]  # noqa: SIM118 - not a dict
    # The configurations of other networks have large numbers that are no sizes.
    largest = max(sum(map(math.prod, shapes)), LARGEST) if own else math.inf

    def check(key: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for name, item in value.items():
                check(str(name), item)
        elif isinstance(value, list):
            for item in value:
                check(key, item)
        elif isinstance(value, int) and key != "largest" and value > (len(shapes) if "layer" in key else largest):
            raise ValueError(f"{CONFIG} has {key} = {value}, which is more than its weights have")

    check("", said)


def _no_pickle(name: str) -> str:
    return (
        f"{name} is a pickle, which can run code when it is opened; get the model as safetensors or GGUF, or, where you trust "
        "it, convert it with from_pretrained(...).save_pretrained(FOLDER) of transformers"
    )


def located(name: str) -> str:
    """Return the directory of a model in the cache, or of a run; of any other name, the name.

    Raises
    ------
    LyristError
        A known model is not in the cache.
    """
    if Path(name).exists():
        inside = Path(name) / "model"
        return str(inside if (Path(name) / "run.json").is_file() and inside.is_dir() else name)
    if name in fetch.KNOWN or name.count("/") == 1:
        if found := fetch.cached(name):
            return str(found)
        if name in fetch.KNOWN:
            raise fetch.not_fetched(name)
    return name


def _named(name: str, read: Callable[[Path | str, Mapping[str, Any]], Any], download: bool = True) -> Any:
    """Read a folder, a GGUF file, or what was downloaded before; else download it, where the hub answers at all."""
    name = located(name)
    if name.endswith(".gguf"):
        with needed_by(f"The model {name}"):
            importlib.import_module("gguf")
    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")  # it would ask a service to convert pickles
    with hushed():
        try:
            if name.endswith(PICKLES):
                raise ValueError(_no_pickle(name))
            if name.endswith(".gguf"):
                return read(Path(name).parent, {"gguf_file": Path(name).name, "local_files_only": True})
            try:
                return read(name, {"local_files_only": True})
            except (OSError, ValueError):
                if Path(name).exists():
                    raise
            if not download or not hub_answers():
                reason = "the Hugging Face hub cannot be reached" if download else "an adapter downloads nothing"
                raise OSError(f"it was not downloaded before, and {reason}")
            return read(name, {"local_files_only": False})
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # the libraries raise anything, and tokenizers something that is no Exception
            raise LyristError(
                f"No pretrained model '{name}' could be opened ({_reason(error)}); {_way_out(name)}."
            ) from error


def _way_out(name: str) -> str:
    """Return what to do about a model that was not opened."""
    folder = "a folder with config.json, model.safetensors and tokenizer.json"
    if Path(name).exists() or name.endswith(".gguf"):
        return f"name {folder}, a .gguf file, or a known model: {', '.join(fetch.KNOWN)}"
    if name.count("/") == 1 and not name.startswith((".", "/")):
        return f"bring it with 'lyrist models fetch {name}' on a machine with a network and copy it, or name {folder}"
    return f"name {folder}, OWNER/NAME on the Hugging Face hub, or a known model: {', '.join(fetch.KNOWN)}"


def hub_answers() -> bool:
    """Ask once, for a few seconds: the hub's own client tries five times, for a minute, and says so each time."""
    if constants.HF_HUB_OFFLINE:
        return False
    try:
        with urllib.request.urlopen(constants.ENDPOINT, timeout=5):  # noqa: S310 - the address is the library's
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _there(folder: Path, name: str) -> None:
    if not (folder / name).is_file():
        raise LyristError(f"{folder} is not a saved network: it has no {name}; train it again.")


def _damaged(folder: Path, read: Callable[[], Any]) -> Any:
    with hushed():
        try:
            return read()
        except (KeyboardInterrupt, SystemExit, LyristError):
            raise
        except BaseException as error:  # the libraries raise anything, and tokenizers something that is no Exception
            raise LyristError(f"The network in {folder} is damaged ({_reason(error)}); train it again.") from error


def _reason(error: BaseException) -> str:
    said = " ".join(str(error).split())[:240]
    return said if said and isinstance(error, LyristError | ValueError | OSError) else f"{type(error).__name__}: {said}"
