"""What can be asked of a writer: its controls, their ranges and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from lyrist.generation.config import SamplingOptions, options
from lyrist.serving.inferenceengine import InferenceEngine
from lyrist.serving.modelregistry import ServedModel
from lyrist.serving.studio.drafting import SEEDS, Order
from lyrist.serving.studio.shown import plain

HELP = {each.name: each.metadata["help"] for each in options(SamplingOptions)}
FORMS = (
    "verse,chorus,verse,chorus",
    "verse,verse,chorus,verse,chorus",
    "verse:8,chorus,verse:8,chorus",
    "intro,verse,chorus,verse,chorus,bridge,chorus,outro",
    "verse:4",
)
RHYMES = ("AABB", "ABAB", "ABCB", "AABA", "AAAA")
AS_IT_COMES = ("as it comes", "")


@dataclass(frozen=True)
class Controls:
    """The controls that say what is asked for."""

    writer: gr.Dropdown
    genre: gr.Dropdown
    artist: gr.Dropdown
    prompt: gr.Textbox
    form: gr.Dropdown
    rhyme: gr.Dropdown
    syllables: gr.Slider
    original: gr.Slider
    max_tokens: gr.Slider
    temperature: gr.Slider
    top_p: gr.Slider
    min_p: gr.Slider
    style: gr.Slider
    penalty: gr.Slider
    seed: gr.Number
    renew: gr.Checkbox

    def all(self) -> list[Any]:
        """Return them in the order in which `order_of` takes their values."""
        return list(vars(self).values())


def order_of(engine: InferenceEngine, values: tuple[Any, ...]) -> Order:
    """Return what the controls ask for; numbers that a client left out are as they are by default."""
    (
        writer, genre, artist, prompt, form, rhyme, syllables, original, max_tokens,
        temperature, top_p, min_p, style, penalty, seed, renew,
    ) = values  # fmt: skip
    conditions = engine.models.get(writer, "write").conditions
    given = {
        column: str(value) for column, value in (("genre", genre), ("artist", artist)) if value and column in conditions
    }
    sampling = SamplingOptions(
        float(temperature),
        top_p=float(top_p),
        min_p=float(min_p),
        style=float(style),
        repetition_penalty=float(penalty),
    )
    fixed = None if renew or seed is None else int(abs(seed)) % SEEDS
    return Order(
        writer, given, prompt or "", form or "", rhyme or "", int(syllables or 0), int(original or 0),
        int(max_tokens or 300), sampling, fixed,
    )  # fmt: skip


def controls(writers: list[ServedModel], most: int) -> Controls:
    """Put the controls where Gradio stands."""
    first = writers[0]
    writer = gr.Dropdown([(plain(each.name), each.name) for each in writers], value=first.name, label="Writer")
    with gr.Row():
        genre, artist = conditions_of(first)
    prompt = gr.Textbox(
        label="First words",
        placeholder="leave it empty to have the writer begin",
        lines=2,
        max_lines=8,
        max_length=4000,
    )
    with gr.Row():
        form = gr.Dropdown(
            [AS_IT_COMES, *((name.replace(",", ", "), name) for name in FORMS)], value="", label="Form",
            info="sections, or type your own", allow_custom_value=True, min_width=150,
        )  # fmt: skip
        rhyme = gr.Dropdown(
            [AS_IT_COMES, *RHYMES],
            value="",
            label="Rhyme",
            info="a letter for each line",
            allow_custom_value=True,
            min_width=110,
        )
    syllables = gr.Slider(0, 16, 0, step=1, label="Syllables of a line", info="0: as they come")
    with gr.Accordion("Dials", open=False):
        usual = SamplingOptions()
        temperature = gr.Slider(
            0,
            2,
            usual.temperature,
            step=0.05,
            label="Temperature",
            info=HELP["temperature"],
        )
        top_p = gr.Slider(
            0.05,
            1,
            usual.top_p,
            step=0.05,
            label="Top-p",
            info=HELP["top_p"],
        )
        min_p = gr.Slider(
            0,
            0.5,
            usual.min_p,
            step=0.01,
            label="Min-p",
            info=HELP["min_p"],
        )
        style = gr.Slider(
            0,
            5,
            usual.style,
            step=0.1,
            label="Style",
            info=HELP["style"],
        )
        penalty = gr.Slider(
            1,
            1.5,
            usual.repetition_penalty,
            step=0.01,
            label="Repetition penalty",
            info=HELP["repetition_penalty"],
        )
        max_tokens = gr.Slider(
            20,
            min(1000, most),
            300,
            step=10,
            label="Tokens at most",
            info="of a song that comes as it comes; a form knows its own end",
        )
        original = gr.Slider(
            0,
            12,
            0,
            step=1,
            label="Copied words at most",
            info="draw lines again that copy a longer run from a training song; 0: let them",
        )
        with gr.Row():
            seed = gr.Number(
                0,
                label="Seed",
                precision=0,
                minimum=0,
                maximum=SEEDS - 1,
                min_width=120,
                info="the same seed writes the same song",
            )
            renew = gr.Checkbox(True, label="A new seed each time", min_width=150)
    return Controls(
        writer,
        genre,
        artist,
        prompt,
        form,
        rhyme,
        syllables,
        original,
        max_tokens,
        temperature,
        top_p,
        min_p,
        style,
        penalty,
        seed,
        renew,
    )


def conditions_of(served: ServedModel) -> tuple[gr.Dropdown, gr.Dropdown]:
    """Return the choice of what the song is to be like; hidden where the writer was told nothing of it."""
    found = []
    for column in ("genre", "artist"):
        values = served.conditions.get(column, ())
        choices = [(f"any {column}", ""), *((plain(value, 40), value) for value in values)]
        found.append(gr.Dropdown(choices, value="", label=column.capitalize(), visible=bool(values), min_width=130))
    return found[0], found[1]
