"""The languages that have rules for syllables, stress and rhyme."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from lyrist.errors import UsageError
from lyrist.text import spelling

SUPPORTED = ("en", "es", "pt", "fr", "it", "de")
NAMES = {"en": "English", "es": "Spanish", "pt": "Portuguese", "fr": "French", "it": "Italian", "de": "German"}

Sounds = tuple[str, ...]


def check_language(code: str) -> str:
    """Return the code of a language that has rules for syllables, stress and rhyme; its English name is accepted.

    Raises
    ------
    UsageError
        It has none.
    """
    given = code.strip().lower()
    found = next((each for each, name in NAMES.items() if given in (each, name.lower())), None)
    if found is None:
        known = ", ".join(f"{each} ({name})" for each, name in NAMES.items())
        raise UsageError(f"Rhymes and syllables have no rules for the language '{code}'; choose one of {known}.")
    return found


def main_language(counts: Mapping[str, int]) -> str | None:
    """Return the most frequent language by the numbers of its songs, which ``corpus.json`` has; None if none is known.

    The main language of the corpus of a writer is the language of its rhymes, so `check_language` follows.
    """
    known = {code: n for code, n in counts.items() if code != "und" and n}
    return max(known, key=known.__getitem__, default=None)


_LETTERS = "áéíóúàèìòùâêîôûãõäëïöüçñßœæÿ"
"""Letters with a sound of their own; other accents are left out."""


def is_latin(word: str) -> bool:
    """Return whether all letters of a word are Latin and all digits European."""
    return all(c < "\u0250" or "\u1e00" <= c <= "\u1eff" for c in word)


_RULES = {
    "es": spelling.spanish,
    "pt": spelling.portuguese,
    "fr": spelling.french,
    "it": spelling.italian,
    "de": spelling.german,
}


def sounds(word: str, language: str) -> tuple[Sounds, ...]:
    """Return the pronunciations of a word by the rules of a language other than English; none for other scripts."""
    rules = _RULES.get(language)
    plain = "".join(c if c in _LETTERS else unicodedata.normalize("NFD", c)[0] for c in word)
    word = re.sub(f"[^a-z{_LETTERS}']", "", plain).strip("'")
    if rules is None or not is_latin(word) or not word:
        return ()
    before, _, last = word.rpartition("'") if language != "fr" else ("", "", word)
    start = tuple(re.sub("[12]$", "0", sound) for sound in rules(before)[0]) if before else ()
    return tuple((*start, *said) for said in rules(last))


FUNCTION_WORDS: dict[str, frozenset[str]] = {
    language: frozenset(re.findall(r"[\w']+", listed))
    for language, listed in {
        "en": """
            a an the and or but nor so yet if as than that though while when where since till until because of to in on at
            by for from with into onto upon through about over under between around like without i'm i you he she it we
            they me him us them my your his its our their this these those who whom whose which what there here am is are
            was were be been being do does did have has had can could will would shall should may might must ain't isn't
            aren't wasn't don't won't can't let's i'll i've i'd you're you'll you've you'd he's she's it's we're we'll
            we've they're they'll they've that's there's what's just not no oh cause em gonna wanna gotta ya""",
        "es": """
            el la los las lo un una unos unas de del a al en y e o u ni que se me te le les nos os mi tu su mis tus
            sus es son era fue ser soy eres con sin por para pero como si no sí más muy ya yo tú él ella ellos ellas
            nosotros este esta esto ese esa eso aquel aquella cuando donde quien cual porque aunque hasta desde sobre
            entre también tan hay ha he han has""",
        "pt": """
            o a os as um uma uns umas de do da dos das em no na nos nas e ou que se me te lhe lhes vos meu minha teu
            tua seu sua meus minhas seus suas é são era foi ser sou com sem por para pra mas como não sim mais muito
            já eu tu ele ela eles elas nós este esta isto esse essa isso aquele aquela quando onde quem qual porque
            até desde sobre entre também tão há ao aos""",
        "fr": """
            le la les un une des de du à au aux en et ou ni que se me te lui leur leurs nous vous mon ton son ma ta sa
            mes tes ses notre votre nos vos est sont était être suis es avec sans par pour mais comme si ne pas plus
            très je tu il elle on ils elles ce cet cette ces quand où qui dont car jusqu'à sur sous dans entre aussi y
            a ai as ont c'est j'ai qu'il qu'elle n'est s'est d'un d'une""",
        "it": """
            il lo la i gli le l un uno una di del dello della dei degli delle d a al allo alla ai agli alle in nel
            nella nei e o né che si mi ti ci vi lui lei loro mio mia tuo tua suo sua miei mie è sono era essere sei
            con senza per ma come se non più molto già io tu noi voi questo questa quello quella quando dove chi cui
            perché fino su sul sulla tra fra anche ho hai ha""",
        "de": """
            der die das den dem des ein eine einen einem einer eines und oder aber von zu zum zur in im an am auf aus
            bei mit nach für durch um über unter vor ist sind war waren bin bist sein ich du er sie es wir ihr mich
            dich sich uns euch mir dir ihm ihn ihnen mein dein unser euer meine deine seine nicht kein keine nur so
            sehr auch noch schon wie wenn als dass weil ob wer was wo hier da dann denn doch hat habe haben""",
    }.items()
}
"""Words without stress inside a line, and that do not carry a rhyme well."""
