"""Model cards in the format of the Hugging Face Hub."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lyrist.metrics.kinds import figures_of, interval_of, value_of


def card(info: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """Return the model card of a text classifier in Markdown, with the metadata header of the Hugging Face Hub."""
    library = "transformers" if info.get("precision") else "scikit-learn"
    opening = (
        "AutoModelForSequenceClassification.from_pretrained(FOLDER), after import lyrist.models.auto"
        if library == "transformers"
        else "lyrist.estimators.load(RUN)"
    )
    labels = ", ".join(_plain(str(label)) for label in info["classes"][:20])
    more = f" and {len(info['classes']) - 20:,} more" if len(info["classes"]) > 20 else ""
    languages = ", ".join(info.get("languages") or ["not recorded"])
    needs = (
        "With transformers alone the classes of Lyrist are unknown: `import lyrist.models.auto` registers them."
        if library == "transformers"
        else "The files are JSON and safetensors; opening them needs `import lyrist`."
    )
    return f"""---
library_name: {library}
pipeline_tag: text-classification
tags: [lyrics, lyrist]
---

# {info["recipe"]}: {_plain(info["target"])} from lyrics

Predicts the {_plain(info["target"])} of a song from its lyrics, among {len(info["classes"]):,} classes: {labels}{more}.

{_scores_of(info, results)}
{_base_of(info)}
## Intended use and limits

For labels of song lyrics in the languages of the training songs: {languages}. Other texts get a label as well; `lyrist label`
flags songs in another language and songs that are unlike the training songs. Songs of artists that are not in the training set
are labelled less accurately than the table says. Do not use it for authorship attribution. The lyrics belong to their owners.

## How to open it

`{opening}`, or `lyrist classify` and `lyrist label`. {needs}

```json
{json.dumps(info["config"], indent=2, ensure_ascii=True)}
```
"""


def _base_of(info: Mapping[str, Any]) -> str:
    """Return the pretrained model that a network is made of, with its licence, and how much of a song it reads."""
    lines = []
    if base := info.get("base"):
        licence = (
            f"licence {base['licence']}" if base["licence"] else "its licence is not recorded: look at its own card"
        )
        lines.append(
            f"It is made of the pretrained model `{base['name']}` ({licence}), whose terms hold for this model as well."
        )
    if tokens := info.get("tokens_of_test"):
        lines.append(
            f"It reads {tokens['read']:,} of the {tokens['of']:,} tokens of the test songs; {tokens['truncated']:,} are longer."
        )
    return "\n" + "\n".join(lines) + "\n" if lines else ""


def _scores_of(info: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """Return where the model comes from, and its scores if there are any."""
    if not results:
        return f"Fitted outside a corpus and saved by Lyrist {info['lyrist']}; it was not scored."
    test, majority, available = results["test"], results["majority"], info.get("songs_available")
    sampled = f" (a stratified random sample of {available:,})" if available else ""
    main, *others = figures_of(info)
    low, high = interval_of(test, main.key) or (float("nan"), float("nan"))
    names = "".join(f" {'loss (nats)' if figure.key == 'loss' else figure.name} |" for figure in others)
    values = "".join(f" {value_of(test, figure.key):.3f} |" for figure in others)
    empty = " |" * len(others)
    return f"""Fitted by Lyrist {info["lyrist"]} on {info["songs"]["train"]:,} songs{sampled} of a corpus with the fingerprint
`{info["fingerprint"]}`, split by {info["split_by"]}.

| | {main.name} | 95% interval | n |{names}
|---|---|---|---|{"---|" * len(others)}
| test | {value_of(test, main.key):.3f} | {low:.3f} to {high:.3f} | {test["n"]:,} |{values}
| {"majority" if main.key == "accuracy" else "constant"} baseline | {value_of(majority, main.key):.3f} | | {test["n"]:,} |{empty}

The model was selected on validation songs; the test songs were used once. They are from the same table as the training songs:
expect a lower accuracy on other songs."""


def writer_card(info: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """Return the model card of a language model in Markdown, with the metadata header of the Hugging Face Hub."""
    test = results["test"]
    cost = test["bits_per_byte"]
    known = "".join(f"\n- {_plain(column)}: {len(values):,} values" for column, values in info["conditions"].items())
    conditions = f"It can be conditioned on:\n{known}" if known else "It has no conditions."
    kind, task = ("Seq2SeqLM", "text2text-generation") if info["seq2seq"] else ("CausalLM", "text-generation")
    return f"""---
library_name: transformers
pipeline_tag: {task}
tags: [lyrics, lyrist]
---

# {info["recipe"]}: a language model for lyrics

Fitted by Lyrist {info["lyrist"]} on {info["songs"]["train"]:,} songs of a corpus with the fingerprint `{info["fingerprint"]}`,
split by {info["split_by"]}. {conditions}

| | bits per byte | 95% interval | songs | perplexity per token |
|---|---|---|---|---|
| test | {cost["value"]:.3f} | {cost["low"]:.3f} to {cost["high"]:.3f} | {test["n"]:,} | {test["perplexity"]:.1f} |

The model was selected on validation songs; the test songs were used once. Generated lyrics can repeat training songs,
which belong to their owners: `lyrist write --original` rejects lines that do.

{_opening(info, kind)}

```json
{json.dumps(info["config"], indent=2, ensure_ascii=True)}
```
"""


def _opening(info: Mapping[str, Any], kind: str) -> str:
    """Return how a language model is opened; with a prompt, how a song is requested."""
    prompt = info.get("prompt") or {"format": ""}
    if prompt["format"] != "chat":
        call = f"AutoModelFor{kind}.from_pretrained(FOLDER)"
        return f"Open it with `{call}`, after `import lyrist.models.auto`, or with `lyrist write`."
    adapter = f"It is a LoRA adapter of `{prompt['base']}`, in the files of peft. " if prompt["base"] else ""
    return f"""{adapter}Use it with `lyrist write`, or with transformers; the request has the details that are known:

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer, model = AutoTokenizer.from_pretrained(FOLDER), AutoModelForCausalLM.from_pretrained(FOLDER)
messages = {json.dumps(prompt["messages"], ensure_ascii=True)}
ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
print(tokenizer.decode(model.generate(**ids)[0]))
```"""


def picture_card(info: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """Return the model card of an image network in Markdown, with the metadata header of the Hugging Face Hub."""
    test, autoencoder = results["test"], "mse" in results["test"]
    if autoencoder:
        head, what = "mean squared error", "an image autoencoder"
        row, opening = test["mse"], "AutoModel"
    else:
        head, what = "accuracy", f"an image classifier with {len(info['classes']):,} classes"
        row, opening = test["accuracy"], "AutoModelForImageClassification"
    counts = info["pictures"]
    return f"""---
library_name: transformers
{"" if autoencoder else "pipeline_tag: image-classification"}
tags: [pictures, lyrist]
---

# {info["recipe"]}: {what}

Fitted by Lyrist {info["lyrist"]} on {counts["train"]:,} pictures of {info["side"]} x {info["side"]} pixels, of a data set with
the fingerprint `{info["fingerprint"]}`, block {info["block"]} of its classes.

| | {head} | 95% interval | n |
|---|---|---|---|
| test | {row["value"]:.4f} | {row["low"]:.4f} to {row["high"]:.4f} | {test["n"]:,} |

{results["copies"]["with_copy_in_training"]:,} of the {counts["test"]:,} test pictures have a near-copy in training. The
weights were selected on validation pictures; the test pictures were used once.

Open it with `{opening}.from_pretrained(FOLDER)`, after `import lyrist.models.auto`, or with `lyrist classify`.

```json
{json.dumps(info["config"], indent=2, ensure_ascii=True)}
```
"""


def _plain(text: str) -> str:
    """Return a column name without Markdown characters."""
    return "".join(c for c in text if c.isalnum() or c in " -_.")
