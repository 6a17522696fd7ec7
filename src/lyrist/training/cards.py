"""The model card: what a stranger who finds the model needs to know before using it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def card(info: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """Return the model card in Markdown, with the header that the Hugging Face Hub reads."""
    test = results["test"]
    accuracy, majority = test["accuracy"], results["majority"]["accuracy"]["value"]
    library = "transformers" if info.get("precision") else "scikit-learn"
    opening = (
        "AutoModelForSequenceClassification.from_pretrained(FOLDER), after import lyrist.models.auto"
        if library == "transformers"
        else "lyrist.training.runs.load_model(FOLDER)"
    )
    there = info.get("songs_available")
    drawn = f" (drawn at random from {there:,}, of each label alike)" if there else ""
    rows = [
        f"| test | {accuracy['value']:.3f} | {accuracy['low']:.3f} to {accuracy['high']:.3f} | {test['n']:,} "
        f"| {test['macro_f1']:.3f} | {test['loss']:.3f} |",
        f"| always the commonest label | {majority:.3f} | | {test['n']:,} | | |",
    ]
    return f"""---
library_name: {library}
pipeline_tag: text-classification
tags: [lyrics, lyrist]
---

# {info["recipe"]}: {_plain(info["target"])} from lyrics

Tells the {_plain(info["target"])} of a song from its lyrics, among {len(info["classes"]):,}. Fitted by Lyrist
{info["lyrist"]} on {info["songs"]["train"]:,} songs{drawn} of a corpus with the fingerprint `{info["fingerprint"]}`,
split by {info["split_by"]}.

| | accuracy | 95% interval | n | macro F1 | loss (nats) |
|---|---|---|---|---|---|
{rows[0]}
{rows[1]}

The test songs were read once, after the model had been chosen on validation. They come from the same table as the
training songs: on other songs expect less. Do not use it to decide who wrote a text.

Open it with `{opening}`, or with `lyrist classify`.

```json
{json.dumps(info["config"], indent=2, ensure_ascii=True)}
```
"""


def writer_card(info: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """Return the model card of a writer in Markdown, with the header that the Hugging Face Hub reads."""
    test = results["test"]
    cost = test["bits_per_byte"]
    known = "".join(f"\n- {_plain(column)}: {len(values):,} values" for column, values in info["conditions"].items())
    told = f"Before it writes it may be told:\n{known}" if known else "It is told nothing before it writes."
    kind, task = ("Seq2SeqLM", "text2text-generation") if info["seq2seq"] else ("CausalLM", "text-generation")
    return f"""---
library_name: transformers
pipeline_tag: {task}
tags: [lyrics, lyrist]
---

# {info["recipe"]}: a writer of lyrics

Fitted by Lyrist {info["lyrist"]} on {info["songs"]["train"]:,} songs of a corpus with the fingerprint `{info["fingerprint"]}`,
split by {info["split_by"]}. {told}

| | bits per byte | 95% interval | songs | perplexity a token |
|---|---|---|---|---|
| test | {cost["value"]:.3f} | {cost["low"]:.3f} to {cost["high"]:.3f} | {test["n"]:,} | {test["perplexity"]:.1f} |

The test songs were read once, after the model had been chosen on validation. What it writes can repeat the songs that it
learnt from: `lyrist write --original` redraws what does. Those songs belong to their owners.

Open it with `AutoModelFor{kind}.from_pretrained(FOLDER)`, after `import lyrist.models.auto`, or with `lyrist write`.

```json
{json.dumps(info["config"], indent=2, ensure_ascii=True)}
```
"""


def picture_card(info: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """Return the model card of a network for pictures in Markdown, with the header that the Hugging Face Hub reads."""
    test, paints = results["test"], "mse" in results["test"]
    if paints:
        head, what = "mean squared error", "paints pictures again from a code of a few numbers"
        row, opening = test["mse"], "AutoModel"
    else:
        head, what = "accuracy", f"tells {len(info['classes']):,} classes of pictures apart"
        row, opening = test["accuracy"], "AutoModelForImageClassification"
    counts = info["pictures"]
    return f"""---
library_name: transformers
{"" if paints else "pipeline_tag: image-classification"}
tags: [pictures, lyrist]
---

# {info["recipe"]}: {what}

Fitted by Lyrist {info["lyrist"]} on {counts["train"]:,} pictures of {info["side"]} x {info["side"]} pixels, of a set with the
fingerprint `{info["fingerprint"]}`, block {info["block"]} of its classes.

| | {head} | 95% interval | n |
|---|---|---|---|
| test | {row["value"]:.4f} | {row["low"]:.4f} to {row["high"]:.4f} | {test["n"]:,} |

{results["copies"]["with_copy_in_training"]:,} of the {counts["test"]:,} test pictures have a near-copy in training. The test
pictures were read once, after the weights had been chosen on validation.

Open it with `{opening}.from_pretrained(FOLDER)`, after `import lyrist.models.auto`, or with `lyrist classify`.

```json
{json.dumps(info["config"], indent=2, ensure_ascii=True)}
```
"""


def _plain(text: str) -> str:
    """Return a column name, harmless in Markdown."""
    return "".join(c for c in text if c.isalnum() or c in " -_.")
