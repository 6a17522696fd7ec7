"""LoRA adapters: low-rank additions to the weights of a pretrained causal model, stored as peft stores them.

An adapter is small (about 20 MB for 135 million weights); the model that it belongs to is named in ``adapter_config.json``.
peft and transformers open the folder. An adapter may come from a stranger, so here only the settings of plain LoRA are read
(a configuration of peft can also name code and files), nothing is downloaded, and a folder that it names is opened only if it
has the weights that the adapter was trained with.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from lyrist import files
from lyrist.errors import LyristError, needed_by
from lyrist.models import fetch

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"

BASE = "base"
"""Key of the metadata of the weights: a fingerprint of the pretrained model."""

KEPT = {
    "r": int, "lora_alpha": int, "lora_dropout": float, "use_rslora": bool, "fan_in_fan_out": bool, "target_modules": list,
}  # fmt: skip
"""Settings that are read, and their types."""


LARGEST_RANK = 4096


@dataclass(frozen=True)
class Adapter:
    """An adapter of a causal model."""

    config: Any
    """A ``peft.LoraConfig``."""
    weights: dict[str, Tensor]
    base: str = ""
    """Fingerprint of the weights of the pretrained model, if that is a folder."""

    @classmethod
    def of(cls, model: Any, name: str) -> Adapter:
        """Return the adapter of a ``peft.PeftModel``, whose pretrained model has this name."""
        from peft import get_peft_model_state_dict

        config = model.peft_config["default"]
        known = fetch.KNOWN.get(name)
        config.base_model_name_or_path = known.hub if known else name
        found = get_peft_model_state_dict(model, save_embedding_layers=False)
        weights = {key: value.detach().cpu().clone() for key, value in found.items()}
        return cls(config, weights, "" if known else _fingerprint(Path(name)))

    def save(self, folder: Path) -> None:
        """Write the two files of peft into ``folder``."""
        with files.explained(folder):
            self.config.inference_mode = True
            self.config.save_pretrained(folder)
            save_file(self.weights, folder / WEIGHTS, metadata={"format": "pt", BASE: self.base})

    @classmethod
    def load(cls, folder: Path) -> Adapter:
        """Load an adapter.

        Raises
        ------
        LyristError
            It is damaged, or is not plain LoRA.
        """
        with needed_by(f"The adapter {folder}"):
            from peft import LoraConfig
        stored = files.read_json(folder / CONFIG, "an adapter")
        try:
            if stored["peft_type"] != "LORA":
                raise ValueError(f"its type is {stored['peft_type']}, not LORA")
            unread = {
                name
                for name in ("modules_to_save", "use_dora", "layer_replication", "target_parameters")
                if stored.get(name)
            }
            if unread:
                raise ValueError(f"it uses {', '.join(sorted(unread))}, which is not supported")
            given = {name: kind(stored[name]) for name, kind in KEPT.items() if name in stored}
            if not 1 <= given["r"] <= LARGEST_RANK or not all(
                isinstance(each, str) for each in given["target_modules"]
            ):
                raise ValueError("its rank or its modules are wrong")
            config = LoraConfig(task_type="CAUSAL_LM", base_model_name_or_path=base_of(folder), **given)
            with safe_open(folder / WEIGHTS, "pt") as stored_weights:
                base = (stored_weights.metadata() or {}).get(BASE, "")
            return cls(config, load_file(folder / WEIGHTS), base)
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise LyristError(f"The adapter in {folder} is damaged ({error}); train it again.") from error

    def added_to(self, model: Any, trainable: bool = False) -> Any:
        """Return the ``peft.PeftModel`` of a pretrained model and the adapter.

        Raises
        ------
        ValueError
            The adapter does not belong to the model.
        """
        from peft import set_peft_model_state_dict

        self.config.inference_mode = not trainable
        found = with_lora(model, self.config)
        report: Any = set_peft_model_state_dict(found, dict(self.weights))
        missing = [name for name in report.missing_keys if "lora_" in name]
        if missing or report.unexpected_keys:
            raise ValueError(f"the adapter does not belong to this model: {[*missing, *report.unexpected_keys][0]}")
        return found


def base_of(folder: Path) -> str:
    """Return the name of the pretrained model of an adapter: the short one of a known model, else as it is stored.

    Raises
    ------
    LyristError
        The adapter names none, or a folder with other weights than those that it was trained with.
    """
    name = files.read_json(folder / CONFIG, "an adapter").get("base_model_name_or_path")
    if not isinstance(name, str) or not name or name.startswith(("//", "\\\\")):  # a machine in the network
        raise LyristError(f"The adapter in {folder} is damaged: it names no pretrained model; train it again.")
    if Path(name).exists():
        with safe_open(folder / WEIGHTS, "pt") as stored:
            expected = (stored.metadata() or {}).get(BASE)
        if not expected or _fingerprint(Path(name)) != expected:
            raise LyristError(
                f"The adapter in {folder} was trained with other weights than those in {name}; restore them, or train it again."
            )
    return next((model.name for model in fetch.KNOWN.values() if model.hub == name), name)


def _fingerprint(place: Path) -> str:
    """Return a checksum of the weights of a pretrained model in a folder or file; empty for a name on the hub."""
    weights = sorted(place.glob("model*.safetensors")) if place.is_dir() else [place] if place.is_file() else []
    return hashlib.sha256("".join(map(files.sha256, weights)).encode()).hexdigest() if weights else ""


def with_lora(model: Any, config: Any) -> Any:
    """Return the ``peft.PeftModel`` of a model with additions to train."""
    with needed_by("--lora"):
        from peft import get_peft_model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft warns about the transposed matrices of GPT-2, which it handles itself
        return get_peft_model(model, config)
