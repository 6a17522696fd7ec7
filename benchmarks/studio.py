"""The screenshot of the studio in the README and the docs: a song with two kept lines, on the built-in songbook.

    python benchmarks/studio.py [--out docs/studio.png]

Fits an n-gram writer to the songbook, serves it, and has Chromium (Debian's, driven by Playwright) write with a given seed.
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
from songtables.fouracts import write_songbook

DIALS = {"Temperature": "0.8", "Syllables of a line": "8"}


def main() -> None:
    """Make the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/studio.png"))
    out: Path = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        runs = fitted(Path(folder))
        command = [sys.executable, "-m", "lyrist", "serve", *map(str, runs), "--port", "0"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
            url = next(found[0] for line in server.stderr or [] if (found := re.search(r"http://\S+", line)))
            try:
                picture(url, out)
            finally:
                server.terminate()


def fitted(folder: Path) -> list[Path]:
    """Fit a writer and a classifier to the songbook."""
    table, corpus = folder / "songbook.csv", str(folder / "songbook")
    write_songbook(table)
    lyrist.prepare(str(table), out=corpus)
    lyrist.train("ngram", corpus, out=str(folder / "writer"), target="lyrics", condition="genre,artist")
    lyrist.train("char-svm", corpus, out=str(folder / "char-svm"), target="artist")
    return [folder / "writer", folder / "char-svm"]


def picture(url: str, out: Path) -> None:
    """Write a song in the studio, keep two of its lines, and take the picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1360, "height": 900}, color_scheme="light")
        page.goto(url)
        page.wait_for_selector("#write-song")
        ask(page)
        page.locator("#write-song").click()
        page.wait_for_selector("#song-sheet .key", timeout=120_000)
        for line in (0, 5):
            page.locator(f"button.lock[data-line='{line}']").click()
            page.wait_for_selector(f"#song-sheet .line:nth-child({line + 1}).fast")
        page.mouse.move(5, 5)
        page.evaluate("document.activeElement.blur()")
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=out)
        browser.close()


def ask(page: Page) -> None:
    """Set the controls."""
    page.get_by_label("Genre", exact=True).locator("visible=true").click()
    page.get_by_role("option", name="folk").click()
    page.get_by_label("First words").fill("The lanterns on the water")
    page.get_by_label("Form").fill("verse,chorus,verse")
    page.keyboard.press("Enter")
    page.get_by_label("Rhyme", exact=True).fill("ABAB")
    page.keyboard.press("Enter")
    page.get_by_text("Dials").click()
    for label, value in DIALS.items():
        page.get_by_label(f"number input for {label}").fill(value)
        page.keyboard.press("Tab")
    page.get_by_label("A new seed each time").uncheck()
    page.get_by_label("Seed", exact=True).fill("9")
    page.keyboard.press("Tab")
    page.get_by_text("Dials").click()


if __name__ == "__main__":
    main()
