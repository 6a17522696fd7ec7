"""The pronunciation of English words: a list of common words, and letter-to-sound rules for the others.

The rules are tried in order at each letter and the first match is used (the method of Elovitz and others, *Automatic translation
of English text to phonetics*, 1976). They are written for the end of the word, which rhyme needs. An ending (-s, -ed, -ing ...)
is added to the pronunciation of its stem, so that *lovin* and *moonlit* follow *love* and *lit*.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

Sounds = tuple[str, ...]

_COMPOUND = re.compile(
    r"^(.*[aeiouy].*?)(where|one|body|day|days|time|times|way|ways|man|thing|things|friend|friends|self|stand|stands|land|side|night|light|lights"
    r"|bow|line|room|ground|place|house|work|hood|ball|fire|shine|town|road|world|love|heart|boy|girl|mind|proof|sick|while|ever|more|fall|down|out)$"
)
"""Compounds: the second part, which is pronounced separately, has the stress that matters for rhyme."""

VOWELS = frozenset(["AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"])

_SUNG = """
    your Y AO1 R|ya Y AA1|yea Y EY1|yo Y OW1|ooh UW1|oh OW1|ah AA1|uh AH1
    huh HH AH1|whoa W OW1|woah W OW1|la L AA1|na N AA1|da D AA1|ha HH AA1
    ay EY1|hey HH EY1|wow W AW1|gonna G AA1 N AH0|wanna W AA1 N AH0|gotta G AA1 T AH0
    gimme G IH1 M IY0|lemme L EH1 M IY0
    kinda K AY1 N D AH0|outta AW1 T AH0|cause K AO1 Z|cuz K AH1 Z|cos K AO1 Z
    til T IH1 L|till T IH1 L|em AH0 M|ain't EY1 N T
    mama M AA1 M AH0|mamma M AA1 M AH0|papa P AA1 P AH0|momma M AA1 M AH0|ok OW2 K EY1|okay OW2 K EY1|alright AO2 L R AY1 T
    hallelujah HH AE2 L AH0 L UW1 Y AH0|goodbye G UH2 D B AY1|bye B AY1|lonesome L OW1 N S AH0 M|heartache HH AA1 R T EY2 K
    thee DH IY1|thou DH AW1|thy DH AY1|thine DH AY1 N|hath HH AE1 TH|doth D AH1 TH|ere EH1 R|o'er AO1 R|e'er EH1 R|ne'er N EH1 R
    the DH AH0|a AH0|an AH0 N|lovin L AH1 V IH0 N|y'all Y AO1 L|ya'll Y AO1 L|ma M AA1|pa P AA1|alleluia AA2 L AH0 L UW1 Y AH0
    lullaby L AH1 L AH0 B AY2|jealousy JH EH1 L AH0 S IY0|ecstasy EH1 K S T AH0 S IY0|loneliness L OW1 N L IY0 N AH0 S
    lollipop L AA1 L IY0 P AA2 P|whiskey W IH1 S K IY0|o'clock AH0 K L AA1 K
    b B IY1|c S IY1|d D IY1|e IY1|f EH1 F|g JH IY1|h EY1 CH|j JH EY1|k K EY1|l EH1 L|m EH1 M|n EH1 N|p P IY1|q K Y UW1|r AA1 R
    s EH1 S|t T IY1|u Y UW1|v V IY1|w D AH1 B AH0 L Y UW0|x EH1 K S|y W AY1|z Z IY1
"""

SUNG: dict[str, str] = {
    word: sounds
    for word, _, sounds in (e.strip().partition(" ") for line in _SUNG.split("\n") for e in line.split("|"))
    if word
}
"""Words of songs, as they are sung; these come before a dictionary."""


@lru_cache(maxsize=1)
def common() -> dict[str, str]:
    """Return common English words in order of frequency, with their pronunciations: ``"R EH1 D|R IY1 D"``.

    These are 30,000 words of the CMU Pronouncing Dictionary (``english.txt``, made by `benchmarks/vocabulary.py`) and words of
    songs.
    """
    lines = (files("lyrist.text") / "english.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split(" ", 1) for line in lines) | SUNG


def _first(word: str) -> Sounds:
    """Return the first pronunciation of a common word."""
    return tuple(common()[word].partition("|")[0].split())


_NUMBERS: list[str] = re.findall(
    r"\w+",
    """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
    nineteen twenty thirty forty fifty sixty seventy eighty ninety""",
)


def spelt(number: int) -> str:
    """Return a number below a million in words; a year such as 1985 in two parts."""
    if number < 20:
        return _NUMBERS[number]
    if number < 100:
        return _NUMBERS[number // 10 + 18] + (f" {_NUMBERS[number % 10]}" if number % 10 else "")
    if 1100 <= number < 2000:
        rest = number % 100
        return f"{spelt(number // 100)} {'hundred' if not rest else spelt(rest) if rest > 9 else 'oh ' + spelt(rest)}"
    size, name = (100, "hundred") if number < 1000 else (1000, "thousand")
    return f"{spelt(number // size)} {name}" + (f" {spelt(number % size)}" if number % size else "")


_MAGIC = r"(?=(?:[bcdfgklmnpqrstvz]|th|ch)(?:e$|es$|ed$|er$|ers$|ing$|ely$|eless$|eful$|ement$))"
_RULES = rf"""
augh AO|au AO|aw AO|air EH R|ais(?=e) EY Z|ai EY|ay EY|alk AO K|all AO L|al(?=[td]) AO L|alm AA M|are$ EH R
ar(?=[ie]) EH R|arr EH R|(?<=w)ar AO R|ar AA R
ange(?=$|d$|s$|r) EY N JH|a(?=ste$|stes$) EY|(?<=[wq])a(?=[nst]) AA|(?<=qu)a(?=[nst]) AA|a(?=tion) EY|a{_MAGIC} EY
a(?=[bcdfgklmnprstvz](?:y|ys|ies|er|ers|in)$) EY|a(?=ble$|dle$|ple$|tle$) EY|^a(?=[bcdfglmnprtw][aeiouwhlr]) AH|a$ AH
ae EY|a AE
bb B|mb$ M B|b(?=t$) -|b B|tch CH|ch(?=r) K|ch CH|ck K|cc K|ci(?=al|an|ous) SH|c(?=[eiy]) S|c K|dge JH|dg JH|dd D|d D
eau OW|ear(?=[nlt][a-z]|[nlt]h|l$|n$|d) ER|ear IH R|eer IH R|ere$ IH R|eigh EY|eir EH R|ei IY|eu Y UW|ew UW|(?<=[a-z]{{3}})ey$ IY
(?<=[a-z]{{3}})eys$ IY Z|ey EY
ea(?=d$|ds$|dy$|lth|th$|ther|sure|ven) EH|ea IY|ee IY
err EH R|er(?=[iy]) EH R|er ER|e(?=ly$|less$|ful$|ment$) -|e$ -|es$ Z|e{_MAGIC} IY|^e(?=[bcdfglmnpstv][aeiouy]) IH
e EH
ff F|f F|gh$ -|gh(?=t) -|gg G|gn$ N|^gn N|^gu(?=[aei]) G|gel$ JH AH L|gels$ JH AH L Z|^g(?=[ei]) G|gue$ G|ge$ JH
(?<=n)g$ NG|g(?=[eiy]) JH|g G|^h(?=our|onest) -|h$ -|h HH
igh AY|ign AY N|ind AY N D|ild$ AY L D|ire AY R|ie$ AY|ier$ IY ER|ied$ AY D|(?<=[aeiouy][bcdfgklmnprstvz])ies$ IY Z
(?<=[aeiouy][bcdfgklmnprstvz]{2})ies$ IY Z|(?<=rr)ied$ IY D|ies$ AY Z|ie IY|ir(?=[aeiou]) AY R|irr IH R|ir ER
i(?=ng$|ngs$) IH|ique$ IY K|ine$ AY N|ice$ AY S|i{_MAGIC} AY|i(?=[bdfgklmnprtvz](?:er|ers)$) AY
^(?:[bcdfghlmnprstw]+)i$ AY|ious$ IY AH S|ia$ IY AH|i(?=[ao]) IY|io IY OW|i$ IY|i IH
j JH|^kn N|kk K|k K|(?<=[bcdfgkpstz])le$ AH L|(?<=[bcdfgkpstz])les$ AH L Z|ll L|l L|mm M|mn$ M|m M|nn N|ng$ NG
ng(?=[sls]|th) NG|nge N JH|n(?=[kxq]) NG|ng(?=er$|le|[aou]) NG G|n N
ought AO T|ough AW|oar AO R|oa OW|oor AO R|o(?=ing$|er$|es$) OW|ook UH K|ood UH D|oo UW|ould UH D|our AO R|oul OW L
ous$ AH S|ou AW|own AW N|owd AW D|owl AW L|ower AW ER|ow OW|oy OY|oi OY|old OW L D|ol[kt] OW L T|oll OW L|ost OW S T
ome$ OW M
ore AO R|orr AO R|or$ AO R|(?<=w)or ER|or AO R|other AH DH ER|ong AO NG|off AO F|oss AO S|oth$ AO TH|oe OW|ove$ OW V
o{_MAGIC} OW|o(?=[bcdfgklmnprstvz](?:y|er|ers|in|en)$) OW|o(?=tion|cean) OW|o$ OW|o(?=lly|pen|ver$|nly) OW|o AA
ph F|^pn N|^ps S|pp P|p P|qu K W|q K|^rh R|rr R|r R|sch S K|sh SH|ssion SH AH N|sion ZH AH N|sure$ ZH ER|sce S
sc(?=[iy]) S|se$ Z|ss S|(?<=[ptkf])s$ S|(?<=[aeioubdglmnrvwy])s$ Z|(?<=[aeiou])s(?=[aeioy]) Z|^s S|s S
tion SH AH N|tial SH AH L|ture CH ER|tain$ T AH N|tains$ T AH N Z|tch CH|^th(?=e[^f]|at|is|ou|us) DH|the$ DH
ther DH ER|th TH|tt T|(?<=s)t(?=en$|le$) -|t T
ure$ UH R|ur ER|ui UW|ue UW|ull$ UH L|uy AY|u{_MAGIC} UW|u(?=[bcdfgklmnprstvz](?:y|er|ers)$) UW|^u(?=[nst][iaeu]) Y UW
u$ UW|u(?=[aeo]) UW|u AH
vv V|v V|wh W|^wr R|w W|^x Z|x K S|^y Y|y(?=ing$) AY|y(?=[aeou]) Y|(?<=[aeiouy])y Y|y{_MAGIC} AY|y IH|zz Z|z Z
"""


def _compiled() -> dict[str, list[tuple[re.Pattern[str], Sounds]]]:
    """Return the rules by their first letter."""
    table: dict[str, list[tuple[re.Pattern[str], Sounds]]] = {}
    for entry in re.split(r"\n|\|(?![^(]*\))", _RULES.strip()):
        pattern, _, sounds = entry.partition(" ")
        letter = re.sub(r"\(\?<=.*?\)|\^", "", pattern)[0]
        table.setdefault(letter, []).append((re.compile(pattern), tuple(s for s in sounds.split() if s != "-")))
    return table


_TABLE = _compiled()
_CRIES = [
    (re.compile(pattern), (sound,))
    for pattern, sound in (
        ("o{2,}h*", "UW"),
        ("o+h+", "OW"),
        ("[bdhlnswy]?a+h*", "AA"),
        ("[hd]?u+h+", "AH"),
        ("whoa+h*", "OW"),
    )
]
_STRESS_LAST = re.compile(
    r"^(?:a|be|de|re|un|en|ex|con|com|per|pre|pro|for|sur|dis|mis|in|im|to|ap|at|ac|al|as|up|under)(?=.*)"
)
_LONG_LAST = re.compile(
    r"(?:[aeiou][^aeiouwy]e|ee[a-z]?|ay|ight|ound|oo[a-z]|ai[a-z]+|oa[a-z]+|ow[nd]|ie[a-z]e?|ea[a-z]+|ew|ue|ar[a-z]?|ou[a-z]+|e[a-z]d|e[scp]t|end|eak|ore|ose|ight|ind|y)$"
)


@lru_cache(maxsize=65536)
def sound(word: str) -> tuple[Sounds, ...]:
    """Return the pronunciation of a word by its spelling, with stress on vowels; empty if it has no Latin letter.

    Parameters
    ----------
    word
        In lower case; apostrophes inside it are allowed.
    """
    letters = re.sub(r"[^a-z']", "", word).strip("'")
    if not letters:
        return ()
    if letters in common():
        return tuple(tuple(said.split()) for said in common()[letters].split("|"))
    return (_whole(letters),)


def _whole(word: str) -> Sounds:
    """Return the pronunciation of a word: common, stem and ending, or by the rules."""
    if word in common():
        return _first(word)
    for ending, sounded in (
        ("n't", "AH0 N T"),
        ("'s", ""),
        ("'ll", "AH0 L"),
        ("'re", "ER0"),
        ("'ve", "AH0 V"),
        ("'d", ""),
    ):
        if word.endswith(ending) and len(word) > len(ending):
            stem = _whole(word[: -len(ending)])
            return (*stem, *(sounded.split() or [_s(stem) if ending == "'s" else "D"]))
    word = word.replace("'", "")
    if len(word) < 4 and not set("aeiouy") & set(word) and not re.fullmatch("h?m+|[psh]+|b+r+|s+h+", word):
        return tuple(sound for letter in word for sound in SUNG[letter].split())  # tv, dj
    two = _COMPOUND.match(word)
    if two and (two[2] not in _SECOND_WEAK or two[1] in common() or two[1] in _FIRST):
        return (*_whole(two[1]), *_whole(two[2]))
    return _inflected(word) or _put_together(word) or _reduced(_stressed(word, _by_rule(word)))


def _put_together(word: str) -> Sounds:
    """Return the pronunciation of a prefix and a common word (*undone*), or of two common words (*moonlit*); empty for others."""
    known = common()
    for prefix in ("a", "be", "dis", "en", "for", "im", "in", "ir", "mis", "out", "over", "re", "to", "un", "under"):
        rest = word.removeprefix(prefix)
        if rest != word and len(rest) > 2 and rest in known:
            start = ("B", "IH0") if prefix == "be" else tuple(sound.replace("1", "0") for sound in _whole(prefix))
            return (*start, *_first(rest))
    for cut in range(3, len(word) - 2):
        if word[:cut] in known and word[cut:] in known:
            second = tuple(sound.replace("1", "2") for sound in _first(word[cut:]))
            return (*_first(word[:cut]), *second)
    return ()


_FIRST = {"any", "every", "some", "under", "high", "super", "rain", "hall", "free", "run", "day", "through", "no"}
_SECOND_WEAK = {"one", "ever", "out", "fall", "way", "land", "man"}


def _reduced(sounds: Sounds) -> Sounds:
    """Reduce vowels in closed syllables after the stress: the o of *reason*, the ou of *famous*."""
    stressed = next((i for i, s in enumerate(sounds) if s.endswith("1")), len(sounds))
    found = list(sounds)
    for i in range(stressed + 1, len(found)):
        if found[i] in ("AO0", "AA0", "EH0", "AE0") and found[i + 1 : i + 2] == ["R"] and found[i] != "EH0":
            found[i : i + 2] = ["ER0", ""]
        elif found[i] in ("EH0", "AA0", "AE0", "AO0") or (found[i] == "EY0" and found[i + 1 :] == ["N"]):
            found[i] = "AH0"
    return tuple(s for s in found if s)


def _inflected(word: str) -> Sounds:
    """Return the pronunciation of a common word with an ending; empty if ``word`` is not one."""
    for ending, sounded in (
        ("ing", "IH0 NG"),
        ("in", "IH0 N"),
        ("er", "ER0"),
        ("ers", "ER0 Z"),
        ("ly", "L IY0"),
        ("less", "L AH0 S"),
        ("ness", "N AH0 S"),
    ):
        if word.endswith(ending):
            stem = word[: -len(ending)]
            mute = [stem + "e"] if re.search("[^aeiou][aeiou][^aeiouwxy]$", stem) else []  # hoping, but sleeping
            doubled = stem[:-1] if stem[-2:-1] == stem[-1:] else ""
            for whole in (*mute, stem, stem + "e", doubled, re.sub("i$", "y", stem)):
                if whole in common() and len(stem) > 2:
                    said = _first(whole)
                    return (*(said[:-1] if ending == "ly" and said[-1] == "L" else said), *sounded.split())
    if word.endswith(("ss", "us", "is")):
        return ()
    for whole in (word[:-1], word[:-2]):
        if whole in common() and len(whole) > 2 and word[len(whole) :] in ("s", "es", "d", "ed"):
            stem_sounds = _first(whole)
            return (*stem_sounds, *(_es(stem_sounds) if word.endswith("s") else _ed(stem_sounds)))
    return ()


def _s(stem: Sounds) -> str:
    """Return the sound of a final s after ``stem``."""
    return "S" if stem[-1:] and stem[-1] in {"P", "T", "K", "F", "TH"} else "Z"


def _es(stem: Sounds) -> Sounds:
    return ("IH0", "Z") if stem[-1] in {"S", "Z", "SH", "CH", "JH", "ZH"} else (_s(stem),)


def _ed(stem: Sounds) -> Sounds:
    if stem[-1] in {"T", "D"}:
        return ("IH0", "D")
    return ("T",) if stem[-1] in {"P", "K", "F", "S", "SH", "CH", "TH"} else ("D",)


def _by_rule(word: str) -> Sounds:
    """Return the pronunciation of a word by the rules; -ed and -es are added after the stem."""
    for pattern, sounds in _CRIES:
        if pattern.fullmatch(word):
            return sounds
    if (
        len(word) > 3
        and word.endswith("ed")
        and not word.endswith(("eed", "ied"))
        and re.search(r"[aeiouy]", word[:-2])
    ):
        stem = _letters(word[:-1])  # with its e, so that "hoped" has a long o
        return (*stem, *_ed(stem))
    if len(word) > 3 and word.endswith(("ces", "ses", "ges", "zes", "xes", "ches", "shes")):
        stem = _letters(word[:-1])
        return (*stem, "IH", "Z")
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "ies", "as", "os", "ous")):
        stem = _letters(word[:-1])
        return (*stem, _s(stem))
    return _letters(word)


def _letters(word: str) -> Sounds:
    found: list[str] = []
    place = 0
    while place < len(word):
        for pattern, sounds in _TABLE.get(word[place], ()):
            match = pattern.match(word, place)
            if match:
                if word[place:] == "y":  # alone at the end: the vowel of "sky" or of "happy"
                    sounds = ("IY",) if VOWELS.intersection(found) else ("AY",)
                elif word[place:] in ("e", "ie") and not VOWELS.intersection(found):
                    sounds = ("IY",) if word[place:] == "e" else ("AY",)
                elif word[place:] == "ie":
                    sounds = ("IY",)
                found.extend(sounds)
                place = match.end()
                break
        else:
            place += 1
    return tuple(found)


def _stressed(word: str, sounds: Sounds) -> Sounds:
    """Add the stress to one of the last three vowels, by the form of the word."""
    places = [i for i, s in enumerate(sounds) if s in VOWELS]
    if not places:
        return sounds
    main = places[_main(word, [sounds[i] for i in places], sounds)]
    return tuple(f"{s}{int(i == main)}" if i in places else s for i, s in enumerate(sounds))


def _main(word: str, vowels: list[str], sounds: Sounds) -> int:
    """Return the index of the stressed vowel."""
    n = len(vowels)
    if n == 1:
        return 0
    if re.search(r"(?:tion|sion|ic|ics|ical|ity|cial|cian|ious)s?$", word):
        return max(n - (3 if word.endswith(("ity", "ical", "ious")) else 2), 0)
    if re.search(r"(?:ee|eer|oon|ette|ique|self|selves)$", word):
        return n - 1
    weak = re.search(
        r"(?:ing|(?<![ao])in|(?<![e])en|(?<![o])on|an|le|les|er|ers|or|y|ie|ies|(?<=[td])ed|(?<=[sxzc])es|(?<=[gh])es|ow|a|el|al|il|et|it|ous|us|ness|less|ment|age|ure|tain|ish|ful|ward|some|ance|ence|ant|ent|o)$",
        word,
    )
    if n == 2:
        return int(not weak and bool(_STRESS_LAST.match(word) or _LONG_LAST.search(word)))
    if weak:
        return n - 2 if _STRESS_LAST.match(word) or word.endswith(("ing", "ed", "er")) else max(n - 3, 0)
    return n - 1 if _LONG_LAST.search(word) else max(n - 3, 0)
