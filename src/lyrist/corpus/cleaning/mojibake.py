"""Repair of mojibake: UTF-8 that was once read as another encoding, so that ``don’t`` became ``donâ€™t``.

Unusual, and why: not the text as a whole but each damaged place is decoded, since scraped lyrics mix sound and damaged
lines; and a place counts as damaged only where true text would not look like it. Capital letters with an accent before
a curly quote or an ellipsis ("NÃO…", "CAFÉ”") are true Portuguese and French, yet decode well: such places are left
alone, and rarer first letters (Ä, Å, Ñ, Ð, é ...) must come in numbers to be believed.
"""

from __future__ import annotations

import re

_CP1252 = {bytes([b]).decode("cp1252", errors="ignore") or chr(b): b for b in range(0x80, 0x100)}
_BYTES = {chr(b): b for b in range(0x80, 0x100)} | _CP1252  # an undefined byte of cp1252 comes through as itself
_TAIL = "".join(re.escape(c) for c, b in _BYTES.items() if b < 0xC0)
_PLAIN = set("…‘’“”–—•‚„‹›«»¡¿·ªº°´\u00a0")  # what may well follow a letter in true text

TRIGGER = (
    rf"[Â-ß][{_TAIL}]|[à-ï][{_TAIL}][{_TAIL}]|â€|ð[Ÿ\u009f]|[├┬][^\s\w]|[ÔΓ]Ç|[\u0080-\u009f]"  # Rust and Python alike
)
"""Matches every text that `repair` can change."""

_PLACE = re.compile(rf"[Â-ß][{_TAIL}]|[à-ï][{_TAIL}]{{2}}|[ð-ô][{_TAIL}]{{3}}")
_DOS = re.compile(r"[├┬][^\s\w]|[ÔΓ]Ç[^\s]")
_LOST = re.compile(r"(?<![A-ZÀ-Þ])Ã(?=[ \n]|$)|Â(?=[ \n]|$)|â€")
_LEFT = {"Ã": "à", "Â": "", "â€": '"'}  # what damaged letters stand for whose second half was a space or undefined
_CONTROL = re.compile("[\u0080-\u009f]")


def repair(text: str) -> str:
    """Return ``text`` with its damaged places decoded; text that is not damaged comes back as it is."""
    mended = _DOS.sub(_from_dos, text)
    damaged = mended
    while (again := _mend(mended)) != mended:  # damage may have been done twice; each turn leaves fewer characters
        mended = again
    if mended != damaged:
        mended = _LOST.sub(lambda match: _LEFT[match.group()], mended)
    return _CONTROL.sub(lambda match: _windows(match.group()), mended)


def _mend(text: str) -> str:
    places = [match for match in _PLACE.finditer(text) if _decoded(match.group())]
    sure = {match.start() for match in places if _is_damage(match)}
    if len(places) - len(sure) >= 3 and any(_is_odd(match.group()) for match in places):
        sure = {match.start() for match in places}
    return _PLACE.sub(lambda match: _decoded(match.group()) if match.start() in sure else match.group(), text)


def _is_damage(place: re.Match[str]) -> bool:
    """Return whether true text would not look like this, from the place itself and the letter before it."""
    found, decoded = place.group(), _decoded(place.group())
    if found[0] == "ð":
        return True
    if found[0] == "â":
        return "\u2000" <= decoded <= "\u2bff" and (found[1] == "€" or _is_odd(found))
    if found[0] not in "ÂÃ":
        return False
    before = place.string[place.start() - 1 : place.start()]
    return _is_odd(found) or not before.isupper()


def _is_odd(found: str) -> bool:
    return any(c not in _PLAIN for c in found[1:])


def _decoded(found: str) -> str:
    """Return the one character that the place stands for, or an empty string when it stands for none."""
    try:
        decoded = bytes(_BYTES[c] for c in found).decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return decoded if len(decoded) == 1 and (decoded.isprintable() or decoded in "\u00a0\u00ad\u200b") else ""


def _from_dos(match: re.Match[str]) -> str:
    """Return what a place stands for that was read in a code page of DOS (850 in Europe, 437 in America)."""
    for page in ("cp850", "cp437"):
        try:
            decoded = match.group().encode(page).decode("utf-8")
        except UnicodeError:
            continue
        if len(decoded) == 1 and decoded.isprintable():
            return decoded
    return match.group()


def _windows(control: str) -> str:
    r"""Return what a control character of Latin-1 is in Windows' code page: ``\x92`` is an apostrophe there."""
    return control.encode("latin-1").decode("cp1252", errors="ignore")
