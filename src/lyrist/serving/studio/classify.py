"""The tab that labels: lyrics that are pasted or a picture that is dropped, probabilities, and the words that decided."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import gradio as gr

from lyrist.errors import UsageError
from lyrist.evaluation.classify import Label, spans
from lyrist.reports.blocks import Lyrics
from lyrist.reports.page import fragment
from lyrist.serving.inferenceengine import InferenceEngine
from lyrist.serving.modelregistry import ServedModel
from lyrist.serving.studio.shown import empty, failed, note, plain, short, shown
from lyrist.serving.studio.widgets import panel

SHOWN = 8
"""Labels with a bar; the others are told as one."""
NOTHING = empty("Nothing is labelled yet", "Paste the words of a song, or some lines of one, and press Label it.")
NO_PICTURE = empty("Nothing is labelled yet", "Drop a picture, or choose a file; it is labelled at once.")

_DROP = """
<label class="drop"><input type="file" accept="image/*" class="unseen">
<img alt="The picture that was chosen" hidden><span>Drop a picture here, or press to choose a file</span></label>
"""
DROPPED = """
const most = %(most)d, input = element.querySelector('input'), image = element.querySelector('img');
const words = element.querySelector('span'), drop = element.querySelector('.drop');
const shrunk = async file => {
  const bitmap = await createImageBitmap(file), scale = Math.min(1, 1024 / Math.max(bitmap.width, bitmap.height));
  const canvas = Object.assign(document.createElement('canvas'), {width: bitmap.width * scale, height: bitmap.height * scale});
  canvas.getContext('2d').drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise(done => canvas.toBlob(done, 'image/jpeg', 0.95));
};
let last = 0;
const take = async file => {
  if (!file) return;
  const mine = ++last;
  try { if (file.size > most) file = await shrunk(file); } catch { file = null; }
  if (mine !== last) return;
  if (!file || file.size > most) { words.textContent = 'This file is too large, or no picture; choose another.'; return; }
  image.src = URL.createObjectURL(file);
  image.hidden = false;
  image.onerror = () => { image.hidden = true; };
  words.textContent = file.name || 'The picture, made smaller';
  const reader = new FileReader();
  reader.onload = () => { if (mine === last) trigger('upload', {picture: String(reader.result).split(',')[1] || ''}); };
  reader.readAsDataURL(file);
};
input.addEventListener('change', () => { take(input.files[0]); input.value = ''; });
drop.addEventListener('dragover', event => { event.preventDefault(); drop.classList.add('over'); });
drop.addEventListener('dragleave', () => drop.classList.remove('over'));
drop.addEventListener('drop', event => {
  event.preventDefault(); drop.classList.remove('over'); take(event.dataTransfer.files[0]);
});
"""
"""Sends a picture as it is, or smaller where it is larger than a request may be. Gradio's own control would open it on the
server with every decoder that there is; here the desk does, with the few that are safe."""


def build(engine: InferenceEngine) -> None:
    """Put the tab's controls where Gradio stands, and say what they do."""
    runs = engine.models.of("classify", "picture")
    if not runs:
        panel(
            empty(
                "No classifier is served",
                "Train one with: lyrist train nb-svm CORPUS --out SINGERS, and serve SINGERS too.",
            )
        )
        return
    first, most = runs[0], (engine.limits.body - 2**14) * 3 // 4
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=300):
            chosen = gr.Dropdown([(_told(each), each.name) for each in runs], value=first.name, label="Run")
            words, picture, artist, why = _inputs(first, most)
            label = gr.Button("Label it", variant="primary", visible=first.task == "classify", elem_id="label-it")
        with gr.Column(scale=6, min_width=300):
            answer = panel(NO_PICTURE if first.task == "picture" else NOTHING, elem_classes="page", elem_id="answer")

    def switched(name: str) -> tuple[Any, ...]:
        served = engine.models.get(name, "classify", "picture")
        reads = served.task == "picture"
        return (*_inputs(served, most), gr.Button(visible=not reads), NO_PICTURE if reads else NOTHING)

    def told(name: str, text: str, singer: str, explain: bool) -> Iterator[str]:
        if not (text or "").strip():
            yield note("There are no words to label; paste some lines.", "error")
            return
        yield note("Labelling." if not explain else "Labelling, and looking for the words that decided.", "busy")
        try:
            sings = (singer or "").strip() if takes_artist(engine.models.get(name, "classify")) else ""
            yield _answer(engine.classify(name, [text], artist=sings or None, explain=explain)[0])
        except Exception as error:
            yield failed(error)

    def looked(name: str, event: gr.EventData) -> Iterator[str]:
        yield note("Looking at it.", "busy")
        try:
            yield _bars(engine.classify_picture(name, _picture(event)))
        except Exception as error:
            yield failed(error)

    chosen.change(
        switched, chosen, [words, picture, artist, why, label, answer], show_progress="hidden", api_visibility="private"
    )
    label.click(told, [chosen, words, artist, why], answer, show_progress="hidden", api_visibility="private")
    picture.upload(  # what is dropped while another one is looked at is looked at next
        looked, chosen, answer, show_progress="hidden", api_visibility="private", trigger_mode="multiple"
    )


def _picture(event: gr.EventData) -> bytes:
    """Return the bytes of a picture that was dropped."""
    data: Any = getattr(event, "_data", None)
    given = data.get("picture") if isinstance(data, dict) else None
    try:
        return base64.b64decode(given if isinstance(given, str) else "", validate=True)
    except ValueError:
        raise UsageError("The picture did not arrive whole; drop it again.") from None


def takes_artist(served: ServedModel) -> bool:
    """Return whether a run was fitted with the artist as a feature."""
    config = served.run.info.get("config")
    features = config.get("features", "") if isinstance(config, dict) else ""
    return "artist" in str(features)


def _told(served: ServedModel) -> str:
    what = "pictures" if served.task == "picture" else str(served.run.info.get("target", "label"))
    return f"{plain(served.name, 40)} — {what}, {served.recipe}"


def _inputs(served: ServedModel, most: int) -> tuple[gr.Textbox, gr.HTML, gr.Textbox, gr.Checkbox]:
    """Return what a run is given: words (and who sings them), or a picture."""
    reads = served.task == "picture"
    words = gr.Textbox(
        label="Lyrics", lines=12, max_lines=24, visible=not reads, placeholder="paste the words here", max_length=20_000
    )
    picture = gr.HTML(
        _DROP,
        js_on_load=DROPPED % {"most": most},
        visible=reads,
        elem_id="picture",
        apply_default_css=False,
        padding=False,
    )
    artist = gr.Textbox(
        label="Artist", visible=takes_artist(served), placeholder="who sings it, if you know", max_length=200
    )
    why = gr.Checkbox(True, label="Find the words that decided", visible=not reads, container=False)
    return words, picture, artist, why


def _answer(found: Label) -> str:
    """Return labels with their probabilities, and the text with the words that decided marked."""
    html = _bars(found.probabilities)
    why = found.explanation
    if why is None:
        return html
    weights = "".join(
        f'<li class="{"for" if weight > 0 else "against"}">{short(word, 40)}<small>{weight:+.2f}</small></li>'
        for word, weight in why.words
    )
    marked = Lyrics(
        found.text,
        spans(found.text, why.words),
        title="In the words",
        note=f"Marked for {plain(why.label)}, dotted against it. By {why.method}.",
    )
    told = f'<p class="name">The words that decided</p><ul class="weights">{weights}</ul>' if weights else ""
    return f"{html}<br>{told}{fragment([marked])}"


def _bars(probabilities: dict[str, float]) -> str:
    """Return labels with a bar each, the most probable first."""
    first = list(probabilities.items())[:SHOWN]
    rest = len(probabilities) - len(first)
    rows = [
        f'<li><span class="label">{short(label, 60)}</span><span class="share">{share:.1%}</span>'
        f'<span class="bar" aria-hidden="true"><i style="width:{min(max(share, 0.0), 1.0):.2%}"></i></span></li>'
        for label, share in first
    ]
    others = 1 - sum(share for _, share in first)
    more = f'<p class="how">{rest:,} other labels together {shown(f"{max(others, 0.0):.1%}")}</p>' if rest else ""
    return f'<ol class="answers" aria-label="Labels">{"".join(rows)}</ol>{more}'
