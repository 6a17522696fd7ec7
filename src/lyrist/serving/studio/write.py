"""The tab that writes: what to write and how, the song as it comes, its lines kept or drawn anew, drafts side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from lyrist.errors import UsageError
from lyrist.serving.inferenceengine import InferenceEngine
from lyrist.serving.studio import sheet
from lyrist.serving.studio.controls import conditions_of, controls, order_of
from lyrist.serving.studio.drafting import Order, WritingSessions, shape
from lyrist.serving.studio.sheet import Draft
from lyrist.serving.studio.shown import empty, failed, note, shown
from lyrist.serving.studio.widgets import PRESSED, QUIET, panel, pressed

KEPT = 12
"""Drafts that stand side by side at most."""
TO_SONG = """() => {
  const song = document.getElementById('song-sheet'), button = document.getElementById('write-song');
  if (song && song.getBoundingClientRect().top > window.innerHeight * 0.7) button.scrollIntoView({block: 'start'});
}"""
"""On a phone the song stands below the controls: go there, with the button that stops it in sight."""
BLANK = empty("Nothing is written yet", "Choose a writer, give it the first words or none, and press Write.")

NOT_LOOKED_UP = '<p class="copies none">Copied runs were not looked for: the training songs are not here.</p>'


class Writing:
    """What the buttons of the tab do."""

    def __init__(self, engine: InferenceEngine) -> None:
        self.engine, self.sessions = engine, WritingSessions(engine)

    def begin(self, request: gr.Request, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Write a new song."""
        try:
            order = order_of(self.engine, values)
        except Exception as error:
            yield failed(error), *[gr.skip()] * 6
            return
        yield from _frames(self.sessions, request, order, None)

    def again(self, request: gr.Request, draft: Draft | None, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Write the lines of a draft anew that are not kept."""
        try:
            order = order_of(self.engine, values)
            if draft is None:
                raise UsageError("Nothing is written yet; write a song first.")
            if None not in draft.sheet():
                raise UsageError("Every line is kept, so there is nothing to draw anew; let go of one.")
        except Exception as error:
            yield failed(error), *[gr.skip()] * 6
            return
        yield from _frames(self.sessions, request, order, draft)

    def halt(self, request: gr.Request) -> None:
        """Stop what is being written for this session."""
        self.sessions.stop(_session(request))

    def touched(self, draft: Draft | None, event: gr.EventData) -> tuple[Any, Any]:
        """Keep a line, or let it go."""
        what = pressed(event)
        if draft is None or what is None or what[0] != "lock":
            return draft, gr.skip()
        draft = draft.toggled(what[1])
        return draft, _page(draft)

    def keep(self, draft: Draft | None, kept: tuple[Draft, ...]) -> tuple[Any, ...]:
        """Put a draft beside the others."""
        if draft is None or draft in kept:
            return kept, gr.skip(), note("This draft stands below already." if draft else "Write a song first.")
        kept = (*kept, draft)[-KEPT:]
        return kept, _side_by_side(kept), ""

    def handled(self, draft: Draft | None, kept: tuple[Draft, ...], event: gr.EventData) -> tuple[Any, ...]:
        """Take a draft up again, or remove it."""
        what = pressed(event)
        if what is None or what[1] >= len(kept):
            return (draft, kept, *[gr.skip()] * 4)
        number = what[1]
        if what[0] == "drop":
            kept = kept[:number] + kept[number + 1 :]
            return draft, kept, gr.skip(), _side_by_side(kept), gr.skip(), gr.skip()
        draft, on = kept[number], gr.Button(interactive=True)
        return draft, kept, _page(draft), gr.skip(), on, on

    def conditions(self, name: str) -> tuple[gr.Dropdown, gr.Dropdown]:
        """Return what a writer can be told."""
        return conditions_of(self.engine.models.get(name, "write"))


def build(engine: InferenceEngine, demo: gr.Blocks) -> None:
    """Put the tab's controls where Gradio stands, and say what they do."""
    writers = engine.models.of("write")
    if not writers:
        way = "Train one with: lyrist train ngram CORPUS --target lyrics --out POET, and serve POET too."
        panel(empty("No writer is served", way))
        return
    writing = Writing(engine)
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300):
            asked = controls(writers, engine.limits.max_tokens)
            with gr.Row():
                write = gr.Button("Write", variant="primary", min_width=120, elem_id="write-song")
                stop = gr.Button("Stop", variant="stop", min_width=80, interactive=False, elem_id="stop-song")
        with gr.Column(scale=7, min_width=300):
            said = panel(elem_id="write-said")
            song = panel(BLANK, js_on_load=PRESSED, elem_id="song-sheet")
            with gr.Row():
                redraw = gr.Button(
                    "Redraw the lines that are not kept", interactive=False, min_width=220, elem_id="redraw"
                )
                keep = gr.Button("Keep this draft", interactive=False, min_width=140, elem_id="keep-draft")
    drafts = panel(js_on_load=PRESSED, elem_id="drafts")
    now, kept = gr.State(None), gr.State(())
    told = [said, song, now, write, stop, redraw, keep]
    write.click(writing.begin, asked.all(), told, concurrency_limit=64, **QUIET)
    write.click(None, js=TO_SONG)
    redraw.click(writing.again, [now, *asked.all()], told, concurrency_limit=64, **QUIET)
    stop.click(writing.halt, None, None, **QUIET)
    song.click(writing.touched, now, [now, song], **QUIET)
    keep.click(writing.keep, [now, kept], [kept, drafts, said], **QUIET)
    drafts.click(writing.handled, [now, kept], [now, kept, song, drafts, redraw, keep], **QUIET)
    asked.writer.change(writing.conditions, asked.writer, [asked.genre, asked.artist], **QUIET)
    demo.unload(writing.halt)


def _session(request: gr.Request) -> str:
    return str(request.session_hash)


def _frames(
    sessions: WritingSessions, request: gr.Request, order: Order, draft: Draft | None
) -> Iterator[tuple[Any, ...]]:
    """Yield what the tab shows while a song is written: message, song, the draft, and which buttons can be pressed."""
    same = [gr.skip()] * 5
    off, on = gr.Button(interactive=False), gr.Button(interactive=True)
    yield note("Writing.", "busy"), gr.skip(), gr.skip(), off, on, off, off
    new = None
    try:
        lines = shape(order, draft)
        for new, where in sessions.write(_session(request), order, draft):
            if where == "writing":
                yield gr.skip(), _page(new, busy=True, lines=lines), *same
            elif where == "looking":
                yield note("Looking for copied runs.", "busy"), _page(new), *same
    except Exception as error:
        held = draft or new
        yield (
            failed(error),
            _page(held) if held else BLANK,
            held,
            on,
            off,
            gr.Button(interactive=bool(held)),
            gr.Button(interactive=bool(held)),
        )
        return
    whole = new is not None and bool(new.lines)
    told = "" if whole else note("The writer ended before its first word; write again, or give it some words.")
    usable = gr.Button(interactive=whole)
    yield told, _page(new) if new and whole else BLANK, new if whole else None, on, off, usable, usable


def _page(draft: Draft, *, busy: bool = False, lines: tuple[bool, ...] = ()) -> str:
    """Return a draft as it stands on the right."""
    key = (
        '<p class="key"><span>lock: keep a line</span><span>letter and colour: what rhymes</span><span>number: syllables</span>'
        '<span><span class="copied">underlined</span>: five words or more in a row that stand in a training song</span></p>'
    )
    below = ""
    if not busy:
        below = (sheet.sources(draft) or NOT_LOOKED_UP) + key
        below += f"<footer>{sheet.download(draft, draft.title)}</footer>"
    lined = sheet.drawn(draft, busy=busy, to_come=lines[len(draft.lines) :])
    return (
        f'<article class="sheet" aria-label="The song"><header><p class="title" dir="auto">{shown(draft.title)}</p>'
        f'<p class="how">{shown(draft.settings) or "&nbsp;"}</p></header>{lined}{below}</article>'
    )


def _side_by_side(kept: tuple[Draft, ...]) -> str:
    if not kept:
        return ""
    cards = "".join(sheet.card(draft, number) for number, draft in enumerate(kept))
    return f'<h2 class="heading">Drafts</h2><div class="drafts">{cards}</div>'
