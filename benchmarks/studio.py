"""The screenshot of the studio in the README and the docs: a song of a few lines with takes, on the built-in songbook.

    python benchmarks/studio.py [--out docs/studio.png] [--dark]

Fits an n-gram writer to the songbook, serves it, and has Chromium (Debian's, driven by Playwright) type and ask for takes.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

import lyrist
from lyrist.songbook import write_songbook

TITLE = "The last ferry"
SONG = """[Verse 1]
The lanterns on the water lean
A ferry bell, a rusted chain
I count the lights I've never seen
And sing them back against the rain

[Chorus]
Carry me over, carry me slow
There is a house that I used to know
The river remembers, the river is wide
"""


def main() -> None:
    """Make the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/studio.png"))
    parser.add_argument("--dark", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = fitted(Path(folder))
        command = [sys.executable, "-m", "lyrist", "serve", *map(str, runs), "--port", "0"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
            url = next(found[0] for line in server.stderr or [] if (found := re.search(r"http://\S+", line)))
            try:
                picture(url, given.out, "dark" if given.dark else "light")
            finally:
                server.terminate()


def fitted(folder: Path) -> list[Path]:
    """Fit a writer and a classifier to the songbook."""
    table, corpus = folder / "songbook.csv", str(folder / "songbook")
    write_songbook(table)
    lyrist.prepare(str(table), out=corpus)
    lyrist.train("ngram", corpus, out=str(folder / "writer"), target="lyrics", condition="genre,artist")
    lyrist.train("nb-svm", corpus, out=str(folder / "singers"), target="artist")
    return [folder / "writer", folder / "singers"]


def picture(url: str, out: Path, scheme: str) -> None:
    """Paste a song with a plan, ask for takes of its next line, and take the picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1360, "height": 900}, color_scheme=scheme)
        page.goto(url)
        page.locator("song-sheet .text").wait_for()
        page.get_by_label("Title of the song").fill(TITLE)
        page.locator("song-sheet .text").click()
        paste(page, SONG)
        page.get_by_role("tab", name="Plan").click()
        for section, rhyme, syllables in (("Verse 1", "ABAB", "8"), ("Chorus", "AABB", "10")):
            row = page.get_by_role("group", name=section, exact=True)
            row.get_by_label("Rhyme").fill(rhyme)
            row.get_by_label("Syllables").fill(syllables)
        page.locator("song-sheet .text").last.click()
        page.keyboard.press("End")
        page.keyboard.press("Enter")
        page.keyboard.press("Control+Enter")
        page.get_by_text("Click a take or press its number").wait_for(timeout=120_000)
        page.locator(".letter.perfect").first.wait_for()
        page.locator("song-sheet .text").last.focus()
        page.mouse.move(5, 5)
        page.screenshot(path=out)
        browser.close()


def paste(page: Page, text: str) -> None:
    """Paste a text into the focused line."""
    page.evaluate(
        """text => { const clipboardData = new DataTransfer(); clipboardData.setData('text/plain', text);
        document.activeElement.dispatchEvent(new ClipboardEvent('paste', {clipboardData, bubbles: true, cancelable: true})); }""",
        text,
    )


if __name__ == "__main__":
    main()
