"""The tab for songs: the corpora of the served runs, looked at as a whole, by artist and genre, and one song at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import gradio as gr

from lyrist.reports.blocks import Facts
from lyrist.reports.labels import visible
from lyrist.reports.page import fragment
from lyrist.serving.studio import browse
from lyrist.serving.studio.browse import Found, Shelved
from lyrist.serving.studio.reading import Pages, framed
from lyrist.serving.studio.shown import empty, failed, isolated, note, plain, short, shown
from lyrist.serving.studio.widgets import PRESSED, QUIET, panel, pressed
from lyrist.text import lines, repetition, words
from lyrist.text.rhyme import line_syllables

TO_SONG = """() => {
  const song = document.getElementById('opened');
  if (song && song.getBoundingClientRect().top > window.innerHeight * 0.8) song.scrollIntoView({block: 'start'});
}"""
"""On a phone the song stands below the list: go there."""
NOTHING_OPEN = empty("No song is open", "Choose one from the list to read it here.")


class Browser:
    """What the controls of the tab do."""

    def __init__(self, pages: Pages) -> None:
        self.pages, self.shelved = pages, list(pages.corpora)

    def opened(self, number: int) -> tuple[Any, ...]:
        """Return what is shown of a corpus that was chosen: figures, genres and artists to choose from, no song."""
        each = self.shelved[number]
        try:
            genres, artists = _choices("any genre", each.genres), _choices("any artist", each.artists)
            about = fragment([_facts(each)])
        except Exception as error:
            none = gr.Dropdown([("any", "")], value="")
            return failed(error), none, none, NOTHING_OPEN, ""
        return about, gr.Dropdown(genres, value=""), gr.Dropdown(artists, value=""), NOTHING_OPEN, ""

    def listed(
        self, number: int, words_: str, genre: str | None, artist: str | None, deep: bool, at: int = 0
    ) -> tuple[Any, ...]:
        """Return a page of songs, where it starts, and whether there are some before and after it."""
        try:
            corpus = self.shelved[number].corpus
            page = browse.search(
                corpus, words_ or "", genre=genre or "", artist=artist or "", lyrics=bool(deep), start=at
            )
        except Exception as error:
            return failed(error), 0, gr.Button(interactive=False), gr.Button(interactive=False)
        return _list(page, words_ or ""), at, gr.Button(interactive=at > 0), gr.Button(interactive=page.more)

    def further(
        self, number: int, words_: str, genre: str | None, artist: str | None, deep: bool, at: int
    ) -> tuple[Any, ...]:
        """Return the next page."""
        return self.listed(number, words_, genre, artist, deep, at + browse.PAGE)

    def earlier(
        self, number: int, words_: str, genre: str | None, artist: str | None, deep: bool, at: int
    ) -> tuple[Any, ...]:
        """Return the page before."""
        return self.listed(number, words_, genre, artist, deep, max(at - browse.PAGE, 0))

    def read(self, number: int, words_: str, event: gr.EventData) -> str:
        """Return the song whose button was pressed."""
        what = pressed(event)
        if what is None or what[0] != "open":
            return NOTHING_OPEN
        try:
            song = browse.song(self.shelved[number].corpus, what[1])
        except Exception as error:
            return failed(error)
        return NOTHING_OPEN if song is None else _song(song, words_ or "")

    def drawn(self, number: int) -> Iterator[str]:
        """Yield the page about the whole corpus, after a word about the wait."""
        yield note("Reading the songs; a large corpus takes a minute.", "busy")
        try:
            yield framed(self.pages.explore(number), "the page of this corpus")
        except Exception as error:
            yield failed(error)


def build(pages: Pages, demo: gr.Blocks) -> None:
    """Put the tab's controls where Gradio stands, and say what they do."""
    browser = Browser(pages)
    if not browser.shelved:
        panel(empty("No corpus", "Runs that read pictures have none; serve a run that was fitted on lyrics as well."))
        return
    panel(
        '<p class="lede">The songs that the served runs were fitted on: search them, open one, or look at them all.</p>'
    )
    names = [(plain(each.name), number) for number, each in enumerate(browser.shelved)]
    chosen = gr.Dropdown(names, value=0, label="Corpus", visible=len(names) > 1)
    facts = panel(elem_classes="page")
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=300):
            sought = gr.Textbox(label="Search", placeholder="words in a title, a name or a lyric", max_length=200)
            with gr.Row():
                genre, artist = (
                    gr.Dropdown(
                        [(f"any {what}", "")], value="", label=what.capitalize(), allow_custom_value=True, min_width=130
                    )
                    for what in ("genre", "artist")
                )
            deep = gr.Checkbox(True, label="Look into the lyrics too", container=False)
            found = panel(js_on_load=PRESSED, elem_id="songs")
            with gr.Row():
                back = gr.Button("Earlier songs", size="sm", interactive=False, min_width=120)
                on = gr.Button("More songs", size="sm", interactive=False, min_width=120)
        with gr.Column(scale=6, min_width=300, elem_classes="aside"):
            open_ = panel(NOTHING_OPEN, elem_id="opened")
    with gr.Accordion("Look at the whole corpus", open=False):
        panel(
            '<p class="lede">Who sings, about what, in which words, and what to beware of: what <code>lyrist explore</code> '
            "shows.</p>"
        )
        look = gr.Button("Draw its page", size="sm")
        whole = panel(elem_id="explored")
    start = gr.State(0)
    asked, told = [chosen, sought, genre, artist, deep], [found, start, back, on]
    changes = [sought.submit, sought.change, genre.change, artist.change, deep.change]
    gr.on(changes, browser.listed, asked, told, trigger_mode="always_last", **QUIET)
    on.click(browser.further, [*asked, start], told, **QUIET)
    back.click(browser.earlier, [*asked, start], told, **QUIET)
    found.click(browser.read, [chosen, sought], open_, **QUIET).then(None, js=TO_SONG)
    look.click(browser.drawn, chosen, whole, concurrency_limit=1, **QUIET)
    for event in (chosen.change, demo.load):
        event(browser.opened, chosen, [facts, genre, artist, open_, whole], **QUIET).then(
            browser.listed, asked, told, **QUIET
        )


def _choices(every: str, counted: list[tuple[str, int]]) -> list[tuple[str, str]]:
    return [(every, ""), *((f"{plain(name, 40)} ({count:,})", name) for name, count in counted)]


def _facts(shelved: Shelved) -> Facts:
    info = shelved.corpus.info
    counts, several = info["counts"], len(shelved.artists) == browse.LISTED
    splits = ", ".join(f"{name} {counts['splits'].get(name, 0):,}" for name in ("train", "validation", "test"))
    genres = shelved.genres
    told = [("songs", f"{counts['kept']:,}", splits)]
    told.append(("artists", f"{len(shelved.artists):,}{' and more' if several else ''}", ""))
    told.append(
        ("genres", f"{len(genres):,}", f"most songs: {plain(genres[0][0], 24)}" if genres else "none in the table")
    )
    told.append(
        ("rows read", f"{counts['read']:,}", f"{counts['read'] - counts['kept']:,} left out, each with a reason")
    )
    return Facts(told)


def _list(found: Found, sought: str) -> str:
    """Return a page of songs as a list of buttons."""
    if not found.songs:
        return empty("No song has this", "Try fewer words, another genre or artist, or look into the lyrics too.")
    rows = []
    for song in found.songs:
        more = " · ".join(short(song[key], 18) for key in ("genre", "year") if song[key] is not None)
        line = f'<span class="hit" dir="auto">{_highlit(song["line"], sought)}</span>' if song["line"] else ""
        title, by = short(song["title"] or "without a title", 70), short(song["artist"] or "nobody named", 50)
        rows.append(
            f'<li><button type="button" data-act="open" data-line="{int(song["id"])}"><span class="title">{title}</span>'
            f'<span class="by">{by}</span><span class="more">{more}</span>{line}</button></li>'
        )
    first, last = found.start + 1, found.start + len(found.songs)
    counted = f"Songs {first:,} to {last:,}{', and more' if found.more else ''}"
    return f'<p class="counted" role="status">{counted}</p><ul class="found">{"".join(rows)}</ul>'


def _song(song: dict[str, Any], sought: str) -> str:
    """Return a song to be read."""
    text = str(song["lyrics"] or "")
    kept = [
        f"{key} {short(song[key], 40)}" for key in ("genre", "year", "language", "split") if song.get(key) is not None
    ]
    count = len(words(text))
    verses = lines(text)
    beats = sum(line_syllables(line) or 0 for line in verses) / max(len(verses), 1)
    return (
        f'<article class="read" aria-label="The song"><header><h3 dir="auto">{isolated(song["title"] or "without a title")}</h3>'
        f'<p class="how">{isolated(song["artist"] or "nobody named")} · {" · ".join(kept)}</p></header>'
        f'<div class="text" dir="auto" tabindex="0">{_highlit(text, sought)}</div>'
        f"<footer>{count:,} words in {len(verses):,} lines, {beats:.1f} syllables a line; "
        f"{repetition(text):.0%} of the words stood there before</footer></article>"
    )


def _highlit(text: str, sought: str) -> str:
    """Return a text with what was looked for marked in it."""
    sought = visible(" ".join(sought.split()))
    if not sought:
        return shown(text)
    pieces = re.split(f"({re.escape(sought)})", visible(text), flags=re.IGNORECASE)
    return "".join(f"<mark>{shown(p)}</mark>" if n % 2 else shown(p) for n, p in enumerate(pieces))
