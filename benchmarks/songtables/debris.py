"""What stands in real tables around a song and instead of one: the marks of lyric sites, and rows that hold no song."""

from __future__ import annotations

from collections.abc import Callable

DEBRIS: dict[str, Callable[[str, str, str, int], str]] = {
    "contributors": lambda text, title, artist, n: f"{n} Contributors{title} Lyrics{text}",
    "translations": lambda text, title, artist, n: f"{n} ContributorsTranslationsEspañolDeutsch{title} Lyrics{text}",
    "embed": lambda text, title, artist, n: f"{text}{n}Embed",
    "share": lambda text, title, artist, n: f"{text}EmbedShare URLCopyEmbedCopy",
    "you-might-also-like": lambda text, title, artist, n: _inside(text, "You might also like"),
    "tickets": lambda text, title, artist, n: _inside(text, f"See {artist} LiveGet tickets as low as ${n}"),
    "read-more": lambda text, title, artist, n: f"{text}\nRead More",
    "loading": lambda text, title, artist, n: f"Loading...\n{text}\nSave Cancel",
    "corrections": lambda text, title, artist, n: f"{text}\nSubmit Corrections",
    "not-for-sale": lambda text, title, artist, n: (
        f"{text}\n...\n\n******* This Lyrics is NOT for Commercial use *******\n(14096{n:08d})"
    ),
    "credits": lambda text, title, artist, n: f"Title: {title}\nArtist: {artist}\n{text}\nWriter(s): {artist}",
    "copyright": lambda text, title, artist, n: f"{text}\n© {1970 + n % 50} {artist} Music",
    "link": lambda text, title, artist, n: f"{text}\nFound at http://www.example.com/song/{n}",
    "all-at-once": lambda text, title, artist, n: _inside(
        f"{n} Contributors{title} Lyrics{text}{n + 3}Embed", "You might also like"
    ),
}
"""For each kind: ``(text, title, artist, number) -> text`` with the debris."""


def _inside(text: str, debris: str) -> str:
    """Put ``debris`` between two sections, glued to what follows, as the sites do; or at the end."""
    before, gap, after = text.partition("\n\n")
    return f"{before}\n{debris}{after}" if gap else f"{text}\n{debris}"


EMPTY = ("", "\n\n", "   ", "[Verse 1]\n\n[Chorus]\n\n[Verse 2]")
"""Lyrics that hold nothing."""

INSTRUMENTAL = (
    "[Instrumental]",
    "Instrumental",
    "(Instrumental)",
    "This song is an instrumental",
    "[Instrumental]\n\n[Instrumental]",
)
"""What stands for a song without words."""

SHORT = ("{} and {}", "Oh {}, oh {}", "{} {}!", "The {} of the {}", "We sell {} and {}")
"""Lyrics of fewer than ten words, of two words each."""
