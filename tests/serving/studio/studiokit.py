"""What the tests of the studio share: hostile songs, and a person with a browser."""

from typing import Any

HOSTILE = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>${window.hit=1}{{#each}}\u202e\x1b[31m'
"""In titles, names, genres, and a lyric: whatever is made of it, the window has no ``hit`` afterwards."""
KIND = "<i>rai</i>"


class Visit:
    """A person with a browser of their own, and whatever went wrong in it."""

    def __init__(self, browser: Any, url: str, **how: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1600, "height": 1000}, **how})
        self.context.set_default_timeout(120_000)  # only ends a test that has failed
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda asked: self._asked(asked.url, url))
        self.page.on(
            "response", lambda found: self.wrong.append(f"{found.status} {found.url}") if found.status > 399 else None
        )
        self.page.goto(url)
        self.page.wait_for_selector("#write-song")

    def _asked(self, address: str, own: str) -> None:
        if not address.startswith((own, "data:", "about:", f"blob:{own}")):
            self.wrong.append(f"asked {address}")

    def tab(self, name: str) -> Any:
        self.page.get_by_role("tab", name=name).click()
        return self.page

    def pick(self, label: str, choice: str) -> None:
        """Choose from the list with this label that is visible."""
        box = self.page.get_by_label(label, exact=True).locator("visible=true").first
        box.click()
        self.page.get_by_role("option").filter(has_text=choice).locator("visible=true").first.click()

    def leave(self) -> None:
        """End the visit: nothing went wrong, nothing hostile ran."""
        hit = self.page.evaluate("'hit' in window")
        self.context.close()
        assert not hit
        assert self.wrong == [], self.wrong
