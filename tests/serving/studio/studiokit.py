"""What the tests of the studio share: hostile songs, a person with a browser, and answers of paths that need a large model."""

import json
import time
from collections.abc import Callable
from typing import Any

HOSTILE = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>${window.hit=1}{{#each}}\u202e\x1b[31m'
"""In titles, names, genres, and a lyric: whatever is made of it, the window has no ``hit`` afterwards."""
KIND = "<i>rai</i>"
WINDOW = {"width": 1440, "height": 900}
SONG = [
    "the ferryman is counting every light",
    "the river runs away from us tonight",
    "come down to the sea",
    "and sing with me",
]


class Visit:
    """A person with a browser of their own, and whatever went wrong in it."""

    EXPECTED = "Blocked script execution"
    """Reports are shown in frames in which nothing runs; the browser says so when a report has a script."""

    def __init__(self, browser: Any, url: str, path: str | None = "", **how: Any) -> None:
        self.context = browser.new_context(**{"viewport": WINDOW, **how})
        self.context.set_default_timeout(60_000)  # only ends a test that has failed
        self.url, self.wrong = url, list[str]()
        self.page = self._page()
        if path is not None:
            self._go(self.page, path)

    def tab(self, path: str = "") -> Any:
        """Open one more tab."""
        page = self._page()
        self._go(page, path)
        return page

    def begin(self) -> None:
        """Open the studio as in a new browser: nothing is stored, and no earlier tab is open."""
        for other in self.context.pages:
            if other != self.page:
                other.close()
        self.page.unroute_all()
        self.page.goto("about:blank")
        browser = self.context.new_cdp_session(self.page)
        browser.send("Storage.clearDataForOrigin", {"origin": self.url, "storageTypes": "all"})
        browser.detach()
        self.page.emulate_media(color_scheme="null")
        self.page.set_viewport_size(WINDOW)
        self.wrong.clear()
        self._go(self.page, "")

    def _page(self) -> Any:
        page = self.context.new_page()
        page.on("console", lambda said: self._said(said) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda made: self._requested(made.url))
        page.on("response", lambda got: self.wrong.append(f"{got.status} {got.url}") if got.status > 399 else None)
        return page

    def _go(self, page: Any, path: str) -> None:
        page.goto(f"{self.url}/{path}")
        page.wait_for_selector("song-sheet .text" if path in ("", "#/write") else "main h1, song-sheet")

    def _said(self, said: Any) -> None:
        if self.EXPECTED not in said.text:
            self.wrong.append(said.text)

    def _requested(self, address: str) -> None:
        if not address.startswith((self.url, "data:", "about:", f"blob:{self.url}")):
            self.wrong.append(f"requested {address}")

    def until(self, script: str, argument: Any = None) -> None:
        """Wait until a function of the page is true. (Playwright's own waiting needs eval, which the page's policy forbids.)"""
        end = time.monotonic() + 60
        while not self.page.evaluate(script, argument):
            assert time.monotonic() < end, script
            self.page.wait_for_timeout(20)

    def open(self, name: str) -> Any:
        """Go to a page by the navigation."""
        self.page.get_by_role("link", name=name, exact=True).first.click()
        self.page.get_by_role("heading", level=1, name=name).wait_for()
        return self.page

    def type(self, *lines: str) -> None:
        """Type lines into the sheet from the line of the cursor on."""
        for number, line in enumerate(lines):
            if number:
                self.page.keyboard.press("Enter")
            self.page.keyboard.type(line)

    def paste(self, text: str) -> None:
        """Paste a text into the focused line."""
        self.page.evaluate(
            """text => { const clipboardData = new DataTransfer(); clipboardData.setData('text/plain', text);
            const event = new ClipboardEvent('paste', {clipboardData, bubbles: true, cancelable: true});
            document.activeElement.dispatchEvent(event); }""",
            text,
        )

    @property
    def song(self) -> list[list[str]]:
        """The name and the lines of each section on the sheet."""
        script = """parts => parts.map(part => [part.querySelector('.name').value,
          ...[...part.querySelectorAll('.text')].map(line => line.textContent)])"""
        return list(self.page.locator("song-sheet .part").evaluate_all(script))

    @property
    def lines(self) -> list[str]:
        """All lines on the sheet."""
        return [line for _, *lines in self.song for line in lines]

    def check(self) -> None:
        """Nothing went wrong, nothing hostile ran."""
        assert not self.page.evaluate("'hit' in window")
        assert self.wrong == [], self.wrong

    def leave(self) -> None:
        """End the visit."""
        try:
            self.check()
        finally:
            self.context.close()


def takes(answer: Callable[[dict[str, Any], int], list[str]], seen: list[dict[str, Any]]) -> Callable[[Any], None]:
    """Return a handler of ``/v1/compose`` that answers five takes; requests are added to ``seen``."""

    def handle(route: Any) -> None:
        body = route.request.post_data_json
        seen.append(body)
        met = {"rhyme": "perfect", "syllables": [8], "copied": False, "uses": []}
        found = [{"lines": answer(body, number), "score": -float(number), "met": met} for number in range(5)]
        events = [*({"take": take} for take in found), {"takes": found}]
        text = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        route.fulfill(status=200, content_type="text/event-stream", body=text)

    return handle


def numbered(body: dict[str, Any], number: int) -> list[str]:
    """Return the lines of a take: ``take 1 of line 2`` for those that are written."""
    target = body["target"]
    lines = body["sheet"]["sections"][target["section"]]["lines"]
    if "line" in target:
        return [f"take {number + 1} of line {target['line'] + 1}"]
    return [
        line["text"] if line["locked"] else f"take {number + 1} of line {place + 1}" for place, line in enumerate(lines)
    ]
