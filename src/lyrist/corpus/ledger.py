"""The ledger: every row that was read is a song that was kept, or was dropped for a reason that has a name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lyrist.errors import LyristError
from lyrist.text import counted

REASONS = {
    "malformed-row": "the row has more or fewer fields than the header",
    "unclosed-quote": "a quotation mark opens a field and nothing closes it",
    "invalid-utf8": "the row is not valid in the table's encoding",
    "damaged-json": "the line is not a JSON object",
    "oversized-record": "the record is longer than 16 MB",
    "truncated-file": "the file breaks off within this row",
    "unreadable-file": "the text file cannot be read",
    "unknown-structure": "the lyrics are a list or object of a kind that is not known",
    "cut-text": "the text was shortened by the program that wrote it",
    "many-songs": "the text file holds more than one song, and nothing marks where they begin",
    "stray-line": "a line of a song, and nothing says of which, or where in it",
    "empty": "there are no lyrics, or only a note that there are none",
    "instrumental": "the lyrics only say that the piece is instrumental",
    "non-song": "a list of dates, albums or tracks, or a translation, by its title and its lines",
    "too-short": "fewer words than --min-words",
    "too-long": "more words than --max-words",
    "other-language": "the language is not one of --languages",
    "unwanted-genre": "the genre is not one of --genres",
    "unlabelled": "no value in the column that is needed",
    "site-notice": "one text under many titles: a note of the site, no song",
    "exact-duplicate": "the same text as an earlier song, but for case, punctuation and layout",
    "near-duplicate": "at least half of all three-word sequences are shared with an earlier song",
    "medley": "contains three other songs or more, which otherwise have nothing in common",
    "contained": "at least half of its three-word sequences are in another song",
    "later-version": "a song of the test period that is a version of an earlier song, which is in training",
    "balance": "left out at random, so that each class has as many songs as the rarest",
}
"""Why rows are dropped, a line each. A stage that drops rows for another reason adds it here."""


@dataclass(frozen=True)
class Ledger:
    """How many rows were read, kept, and dropped for which reason.

    Two ledgers of different rows add up with ``+``.
    """

    read: int = 0
    kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    """Rows by reason."""

    def __add__(self, other: Ledger) -> Ledger:
        reasons = self.dropped | other.dropped
        dropped = {reason: self.dropped.get(reason, 0) + other.dropped.get(reason, 0) for reason in reasons}
        return Ledger(self.read + other.read, self.kept + other.kept, dropped)

    def check(self) -> None:
        """Raise `LyristError` unless every row read was kept or dropped: ``read == kept + sum(dropped)``."""
        gone = sum(self.dropped.values())
        if self.read != self.kept + gone:
            raise LyristError(
                f"The ledger does not add up: {self.read:,} rows read, {self.kept:,} kept and {gone:,} dropped. "
                "This is a fault in Lyrist, not in your table; please report it with the command that you ran."
            )

    def to_json(self) -> dict[str, Any]:
        """Return what ``ledger.json`` holds; the reason for which most were dropped comes first, none with 0."""
        ranked = sorted(self.dropped.items(), key=lambda item: (-item[1], item[0]))
        dropped = {reason: int(count) for reason, count in ranked if count}
        return {"read": int(self.read), "kept": int(self.kept), "dropped": dropped}

    @classmethod
    def from_json(cls, value: Any) -> Ledger:
        """Return the ledger that `to_json` gave as ``value``.

        Raises
        ------
        LyristError
            It has another form, a count below 0, or does not add up.
        """
        try:
            dropped = {str(reason): _count(count) for reason, count in value["dropped"].items()}
            ledger = cls(_count(value["read"]), _count(value["kept"]), dropped)
            ledger.check()
        except (LyristError, KeyError, TypeError, AttributeError, ValueError):
            raise LyristError("ledger.json is damaged: its counts do not add up; prepare the corpus again.") from None
        return ledger

    def sentences(self) -> list[str]:
        """Return the ledger in words: one sentence on the whole, then one for each reason, the commonest first."""
        gone = sum(self.dropped.values())
        share = f" ({gone / self.read:.1%})" if gone else ""
        sentences = [f"{counted(self.read, 'row')} read, {counted(self.kept, 'song')} kept, {gone:,} dropped{share}."]
        for reason, count in self.to_json()["dropped"].items():
            meaning = REASONS.get(reason)
            sentences.append(f"{counted(count, 'row')} dropped as {reason}{f': {meaning}' if meaning else ''}.")
        return sentences


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value
