"""Model cards in the format of the Hugging Face Hub."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def card(info: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """Return the model card of a text classifier in Markdown, with the metadata header of the Hugging Face Hub."""
    test = results["test"]
    accuracy, majority = test["accuracy"], results["majority"]["accuracy"]["value"]
    library = "transformers" if info.get("precision") else "scikit-learn"
    opening = (
        "AutoModelForSequenceClassification.from_pretrained(FOLDER), after import lyrist.models.auto"
        if library == "transformers"
        else "lyrist.training.runs.load_model(FOLDER)"
    )
    available = info.get("songs_available")
    sampled = f" (a stratified random sample of {available:,})" if available else ""
    rows = [
        f"| test | {accuracy['value']:.3f} | {accuracy['low']:.3f} to {accuracy['high']:.3f} | {test['n']:,} "
        f"| {test['macro_f1']:.3f} | {test['loss']:.3f} |",
        f"| majority baseline | {majority:.3f} | | {test['n']:,} | | |",
    ]
    return f"""---
library_name: {library}
pipeline_tag: text-classification
tags: [lyrics, lyrist]
---

# {info["recipe"]}: {_plain(info["target"])} from lyrics

Predicts the {_plain(info["target"])} of a song from its lyrics, among {len(info["classes"]):,} classes. Fitted by Lyrist
{info["lyrist"]} on {info["songs"]["train"]:,} songs{sampled} of a corpus with the fingerprint `{info["fingerprint"]}`,
split by {info["split_by"]}.

| | accuracy | 95% interval | n | macro F1 | loss (nats) |
|---|---|---|---|---|---|
{rows[0]}
{rows[1]}

The model was selected on validation songs; the test songs were used once. They are from the same table as the training songs:
expect a lower accuracy on other songs. Do not use it for authorship attribution.

Open it with `{opening}`, or with `lyrist classify`.

```json
{json.dumps(info["config"], indent=2, ensure_ascii=True)}
```
"""


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

Open it with `AutoModelFor{kind}.from_pretrained(FOLDER)`, after `import lyrist.models.auto`, or with `lyrist write`.

```json
{json.dumps(info["config"], indent=2, ensure_ascii=True)}
```
"""


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
