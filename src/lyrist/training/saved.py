"""Saved networks, opened: Hugging Face directories of which nothing may be missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedModel

from lyrist.errors import LyristError
from lyrist.models.network import hushed

TOKENIZER = "tokenizer.json"


def opened(kind: Any, folder: Path) -> PreTrainedModel:
    """Return the network in ``folder``, in evaluation mode, opened by one of transformers' ``AutoModel`` classes.

    Raises
    ------
    LyristError
        A file is missing or damaged, or the weights do not fill the network.
    """
    _there(folder, "config.json")
    if not list(folder.glob("model*.safetensors")):
        _there(folder, "model.safetensors")
    model, report = _read(
        folder,
        lambda: kind.from_pretrained(folder, output_loading_info=True, local_files_only=True, use_safetensors=True),
    )
    broken = [*report["missing_keys"], *report["mismatched_keys"]]
    if broken:
        raise LyristError(f"The network in {folder} is damaged (weights without a value: {broken[0]}); train it again.")
    return model.eval()  # type: ignore[no-any-return]


def opened_tokenizer(folder: Path) -> Any:
    """Return the tokenizer in ``folder``.

    Raises
    ------
    LyristError
        It is missing or damaged.
    """
    _there(folder, TOKENIZER)
    return _read(folder, lambda: AutoTokenizer.from_pretrained(folder, local_files_only=True))


def _there(folder: Path, name: str) -> None:
    if not (folder / name).is_file():
        raise LyristError(f"{folder} is not a saved network: it has no {name}; train it again.")


def _read(folder: Path, read: Callable[[], Any]) -> Any:
    with hushed():
        try:
            return read()
        except Exception as error:  # the library has no error of its own for a damaged file
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise LyristError(f"The network in {folder} is damaged ({reason}); train it again.") from error
