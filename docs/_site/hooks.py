"""The pages of the site that are generated: the reference, the notebooks and the files at the root of the repository.

The command line is described by its own help, the Python reference by the docstrings, and the HTTP API by its OpenAPI schema, so
that none of them can differ from the code.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import lyrist
from lyrist.cli import EPILOGUE, HELP, _app

ROOT = Path(__file__).parents[2]
PROJECT = {
    "README.md": "project/readme.md",
    "CHANGELOG.md": "project/changes.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "src/lyrist/songbook/README.md": "project/songbook.md",
    "LICENSE": "project/licence.md",
    "NOTICE": "project/notice.md",
}
"""Files outside ``docs``, and the pages that show them."""

OBJECTS = {
    "Corpora": ("lyrist.corpus.corpus.Corpus", "lyrist.corpus.prepare.Prepared", "lyrist.corpus.ledger.Ledger"),
    "Runs and results": (
        "lyrist.training.train.Fitted",
        "lyrist.training.runs.Run",
        "lyrist.training.predictions.Predictions",
        "lyrist.studies.study.Studied",
        "lyrist.evaluation.label.Labelled",
    ),
    "Explanations": ("lyrist.evaluation.explain.explain", "lyrist.evaluation.explain.Explanation"),
    "Writing": ("lyrist.generation.config.GenerationConfig",),
    "Errors": ("lyrist.errors.LyristError", "lyrist.errors.UsageError"),
}
"""The objects of the Python reference beside the commands and the estimators."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    made = {
        "reference/cli.md": command_line(),
        "reference/python.md": python(),
        "reference/http.md": http_api(),
        **{f"notebooks/{path.stem}.md": notebook(path) for path in (ROOT / "docs/notebooks").glob("*.ipynb")},
        **{page: project(ROOT / source) for source, page in PROJECT.items()},
    }
    for name, content in made.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links to files at the root of the repository to the pages that show them."""
    up = "../" * page.file.src_uri.count("/")
    markdown = re.sub(r"(\]\([\w/]+)\.ipynb\)", r"\1.md)", markdown)
    for source, target in PROJECT.items():
        markdown = markdown.replace(f"](../{source}", f"]({up}{target}").replace(f"]({source}", f"]({up}{target}")
    if page.file.src_uri.startswith("project/"):
        markdown = markdown.replace("](docs/", f"]({up}")
    return markdown


def project(path: Path) -> str:
    """Return a file of the repository as Markdown."""
    text = path.read_text(encoding="utf-8")
    return text if path.suffix else f"# {path.name.capitalize()}\n\n```text\n{text}\n```"


def command_line() -> str:
    """Return the reference of the command line: the help of each command."""
    app = _app()
    parts = ["# Command line", EPILOGUE, "Exit codes: 0 done, 1 failed, 2 wrong usage; an error is one sentence."]
    for name in HELP:
        text = app[name].generate_docs(heading_level=2, usage_name=f"lyrist {name}")
        parts.append(re.sub(r"^## .*$", f"## lyrist {name}", text, count=1, flags=re.MULTILINE))
    return "\n\n".join(parts)


def python() -> str:
    """Return the reference of the Python functions and objects, from their docstrings."""
    from lyrist.estimators import ESTIMATORS

    commands = [f"{module}.{name}" for name, module in lyrist.COMMANDS.items()]
    groups = {
        "Functions": commands,
        **OBJECTS,
        "Estimators": [*(f"{module}.{name}" for name, module in ESTIMATORS.items()), "lyrist.estimators.load",
                       "lyrist.estimators.save"],
    }  # fmt: skip
    intro = "Functions are imported from `lyrist`, estimators from `lyrist.estimators`. [From Python](../python.md) has examples."
    parts = ["# Python", intro]
    for title, names in groups.items():
        members = (
            "" if title != "Estimators" else "\n    options:\n      members: [fit, predict, predict_proba, transform]"
        )
        parts += [f"## {title}", *(f"::: {name}{members}" for name in names)]
    return "\n\n".join(parts)


def http_api() -> str:
    """Return the reference of the HTTP API, from its OpenAPI schema."""
    from lyrist.serving.access import ServerSettings
    from lyrist.serving.app import build
    from lyrist.serving.inferenceengine import InferenceEngine
    from lyrist.serving.modelregistry import ModelRegistry

    engine = InferenceEngine(ModelRegistry({}))
    schema = build(engine, ServerSettings(projects=str(ROOT / "build/projects"))).openapi()
    engine.close()
    parts = [
        "# HTTP API",
        "The API of [`lyrist serve`](../serve.md). A running server has this description at `/openapi.json`.",
    ]
    for path, methods in schema["paths"].items():
        for method, about in methods.items():
            parts.append(f"## {method.upper()} {path} {{ #{method}{re.sub(r'[^a-z0-9]+', '-', path)} }}")
            parts += [text for text in (about.get("summary"), about.get("description")) if text]
            given = about.get("parameters", [])
            if given:
                parts.append(table([(p["name"], p["schema"], p.get("description", "")) for p in given], schema))
            for kind, content in about.get("requestBody", {}).get("content", {}).items():
                parts.append(f"**Request** (`{kind}`): {named(content.get('schema', {}))}")
            for status, answer in about["responses"].items():
                kinds = ", ".join(named(c.get("schema", {})) for c in answer.get("content", {}).values())
                if status[0] == "2":
                    parts.append(f"**Response** {status}: {kinds or answer['description']}")
    parts.append("## Schemas { #schemas }")
    for name, about in schema["components"]["schemas"].items():
        parts += [f"### {name} {{ #{name.lower()} }}", about.get("description", "")]
        fields = about.get("properties", {})
        if fields:
            parts.append(table([(field, own, own.get("description", "")) for field, own in fields.items()], schema))
    return "\n\n".join(part for part in parts if part)


def table(rows: list[tuple[str, dict[str, Any], str]], schema: dict[str, Any]) -> str:
    """Return fields as a Markdown table: name, type, default and description."""
    lines = ["| name | type | default | |", "|---|---|---|---|"]
    for name, own, about in rows:
        default = "" if own.get("default") is None else f"`{json.dumps(own['default'])}`"
        lines.append(f"| `{name}` | {named(own)} | {default} | {' '.join(about.split())} |".replace("||", "| |"))
    return "\n".join(lines)


def named(schema: dict[str, Any]) -> str:
    """Return a JSON schema in a few words, with links to the schemas below."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema or "oneOf" in schema:
        return " or ".join(named(each) for each in schema.get("anyOf") or schema["oneOf"])
    if "const" in schema or "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {named(schema.get('items', {}))}"
    limits = [
        f"{word} {schema[key]}"
        for key, word in (("minimum", "at least"), ("maximum", "at most"), ("maxLength", "length at most"))
        if key in schema
    ]
    return " ".join([str(kind), *([f"({', '.join(limits)})"] if limits else [])])


def notebook(path: Path) -> str:
    """Return an executed notebook as Markdown: its text, code and outputs."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/html" in data:
                parts.append(f'<div class="output" markdown="0">{"".join(data["text/html"])}</div>')
            elif "image/svg+xml" in data:
                parts.append(f'<div class="output" markdown="0">{"".join(data["image/svg+xml"])}</div>')
            elif text := "".join(output.get("text", data.get("text/plain", ""))):
                parts.append(f"```text\n{text.rstrip()}\n```")
    where = f"This page is the notebook `docs/notebooks/{path.name}`, which the tests execute."
    return "\n\n".join([*parts, where])
