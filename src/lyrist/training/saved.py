"""Saved writers, opened: a Hugging Face directory of which nothing may be missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedModel

from lyrist.errors import LyristError
from lyrist.models.network import hushed


def opened(kind: Any, folder: Path) -> tuple[PreTrainedModel, Any]:
    """Return the model, opened by one of transformers' ``AutoModel`` classes, and the tokenizer in ``folder``.

    Raises
    ------
    LyristError
        A file is missing or damaged, or the weights do not fill the model.
    """
    missing = [name for name in ("config.json", "tokenizer.json") if not (folder / name).is_file()]
    if missing:
        raise LyristError(f"{folder} is not a saved writer: it has no {missing[0]}; train it again.")
    with hushed():
        try:
            model, report = kind.from_pretrained(
                folder, output_loading_info=True, local_files_only=True, use_safetensors=True
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # the library has no error of its own for a damaged file
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise LyristError(f"The writer in {folder} is damaged ({reason}); train it again.") from error
    broken = [*report["missing_keys"], *report["mismatched_keys"]]
    if broken:
        raise LyristError(f"The writer in {folder} is damaged (weights without a value: {broken[0]}); train it again.")
    return model, tokenizer
