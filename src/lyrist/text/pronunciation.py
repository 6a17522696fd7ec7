"""Letter-to-sound rules: the pronunciation of English words that are not in a dictionary.

The rules are tried in order at each letter and the first match is used (the method of Elovitz and others, *Automatic translation
of English text to phonetics*, 1976). They are written for the end of the word, which rhyme needs. Frequent irregular words are in
`IRREGULAR`. An ending (-s, -ed, -ing ...) is added to the pronunciation of its stem, so that *loves* and *coming* follow *love*
and *come*.
"""

from __future__ import annotations

import re
from functools import lru_cache

Sounds = tuple[str, ...]

_COMPOUND = re.compile(
    r"^(.*[aeiouy].*?)(where|one|body|day|days|time|times|way|ways|man|thing|things|friend|friends|self|stand|stands|land|side|night|light|lights"
    r"|bow|line|room|ground|place|house|work|hood|ball|fire|shine|town|road|world|love|heart|boy|girl|mind|proof|sick|while|ever|more|fall|down|out)$"
)
"""Compounds: the second part, which is pronounced separately, has the stress that matters for rhyme."""

VOWELS = frozenset(["AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"])

_IRREGULAR = """
    the DH AH0|a AH0|of AH1 V|to T UW1|do D UW1|who HH UW1|two T UW1|into IH1 N T UW0|you Y UW1|your Y AO1 R
    you're Y UH1 R
    have HH AE1 V|give G IH1 V|live L IH1 V|love L AH1 V|above AH0 B AH1 V|dove D AH1 V|glove G L AH1 V|shove SH AH1 V
    move M UW1 V|prove P R UW1 V|lose L UW1 Z|whose HH UW1 Z|come K AH1 M|some S AH1 M|become B IH0 K AH1 M
    done D AH1 N
    one W AH1 N|once W AH1 N S|none N AH1 N|gone G AO1 N|on AA1 N|son S AH1 N|won W AH1 N|ton T AH1 N|month M AH1 N TH
    front F R AH1 N T|from F R AH1 M|what W AH1 T|was W AA1 Z|is IH1 Z|his HH IH1 Z|as AE1 Z|has HH AE1 Z|us AH1 S
    this DH IH1 S|yes Y EH1 S
    said S EH1 D|says S EH1 Z|again AH0 G EH1 N|been B IH1 N|friend F R EH1 N D|heart HH AA1 R T|are AA1 R|were W ER1
    there DH EH1 R|where W EH1 R|their DH EH1 R|they DH EY1|hey HH EY1|obey OW0 B EY1|great G R EY1 T|break B R EY1 K
    steak S T EY1 K
    bear B EH1 R|wear W EH1 R|tear T EH1 R|swear S W EH1 R|pear P EH1 R|here HH IH1 R|laugh L AE1 F|eye AY1|bye B AY1
    goodbye G UH2 D B AY1
    though DH OW1|although AO2 L DH OW1|through TH R UW1|enough IH0 N AH1 F|rough R AH1 F|tough T AH1 F|cough K AO1 F
    dough D OW1
    four F AO1 R|pour P AO1 R|soul S OW1 L|shoulder SH OW1 L D ER0|young Y AH1 NG|touch T AH1 CH|double D AH1 B AH0 L
    trouble T R AH1 B AH0 L
    blood B L AH1 D|flood F L AH1 D|food F UW1 D|mood M UW1 D|door D AO1 R|floor F L AO1 R|poor P UH1 R|good G UH1 D
    foot F UH1 T|put P UH1 T
    push P UH1 SH|bush B UH1 SH|full F UH1 L|pull P UH1 L|sugar SH UH1 G ER0|woman W UH1 M AH0 N|women W IH1 M AH0 N
    lost L AO1 S T|cost K AO1 S T
    own OW1 N|known N OW1 N|grown G R OW1 N|shown SH OW1 N|blown B L OW1 N|thrown TH R OW1 N|flown F L OW1 N
    know N OW1|show SH OW1|now N AW1
    how HH AW1|wow W AW1|cow K AW1|allow AH0 L AW1|vow V AW1|somehow S AH1 M HH AW2|hour AW1 ER0|our AW1 ER0
    shoe SH UW1|people P IY1 P AH0 L
    wind W IH1 N D|kind K AY1 N D|child CH AY1 L D|children CH IH1 L D R AH0 N|climb K L AY1 M|sign S AY1 N
    ocean OW1 SH AH0 N|beauty B Y UW1 T IY0
    beautiful B Y UW1 T AH0 F AH0 L|any EH1 N IY0|many M EH1 N IY0|very V EH1 R IY0|pretty P R IH1 T IY0
    busy B IH1 Z IY0|body B AA1 D IY0|honey HH AH1 N IY0
    money M AH1 N IY0|story S T AO1 R IY0|other AH1 DH ER0|mother M AH1 DH ER0|brother B R AH1 DH ER0
    another AH0 N AH1 DH ER0|together T AH0 G EH1 DH ER0
    forever F ER0 EH1 V ER0|never N EH1 V ER0|ever EH1 V ER0|over OW1 V ER0|lover L AH1 V ER0|river R IH1 V ER0
    heaven HH EH1 V AH0 N|seven S EH1 V AH0 N
    father F AA1 DH ER0|water W AO1 T ER0|daughter D AO1 T ER0|before B IH0 F AO1 R|because B IH0 K AO1 Z
    away AH0 W EY1|alone AH0 L OW1 N|along AH0 L AO1 NG
    around ER0 AW1 N D|tonight T AH0 N AY1 T|today T AH0 D EY1|believe B IH0 L IY1 V|behind B IH0 HH AY1 N D
    inside IH0 N S AY1 D|outside AW1 T S AY1 D
    everything EH1 V R IY0 TH IH2 NG|anything EH1 N IY0 TH IH2 NG|nothing N AH1 TH IH0 NG|something S AH1 M TH IH0 NG
    everybody EH1 V R IY0 B AA2 D IY0
    only OW1 N L IY0|baby B EY1 B IY0|lady L EY1 D IY0|crazy K R EY1 Z IY0|easy IY1 Z IY0|maybe M EY1 B IY0
    sorry S AA1 R IY0|worry W ER1 IY0
    music M Y UW1 Z IH0 K|magic M AE1 JH IH0 K|minute M IH1 N AH0 T|moment M OW1 M AH0 N T|without W IH0 TH AW1 T
    about AH0 B AW1 T|yeah Y AE1|oh OW1
    ooh UW1|whoa W OW1|la L AA1|na N AA1|gonna G AA1 N AH0|wanna W AA1 N AH0|gotta G AA1 T AH0|cause K AO1 Z
    cuz K AH1 Z|ain't EY1 N T|don't D OW1 N T|won't W OW1 N T
    can't K AE1 N T|i'm AY1 M|i'll AY1 L|i've AY1 V|i'd AY1 D|you'll Y UW1 L|you've Y UW1 V|we're W IH1 R
    they're DH EH1 R|there's DH EH1 R Z|it's IH1 T S
    she SH IY1|he HH IY1|me M IY1|we W IY1|be B IY1|word W ER1 D|world W ER1 L D|work W ER1 K|worth W ER1 TH
    war W AO1 R|warm W AO1 R M|hurricane HH ER1 AH0 K EY2 N
    girl G ER1 L|get G EH1 T|gift G IH1 F T|forget F ER0 G EH1 T|begin B IH0 G IH1 N|control K AH0 N T R OW1 L
    else EH1 L S|tomorrow T AH0 M AA1 R OW2|city S IH1 T IY0|truth T R UW1 TH|house HH AW1 S|her HH ER1|i AY1|ya Y AA1
    ah AA1|da D AA1|ha HH AA1
    sure SH UH1 R|okay OW2 K EY1|ok OW2 K EY1|ago AH0 G OW1|hello HH AH0 L OW1|radio R EY1 D IY0 OW2
    wonder W AH1 N D ER0|mama M AA1 M AH0|christmas K R IH1 S M AH0 S|view V Y UW1|key K IY1|dog D AO1 G
    fantasy F AE1 N T AH0 S IY0
    sing S IH1 NG|bring B R IH1 NG|ring R IH1 NG|thing TH IH1 NG|finger F IH1 NG G ER0|longer L AO1 NG G ER0
    stronger S T R AO1 NG G ER0|anger AE1 NG G ER0|both B OW1 TH|yea Y EY1|promise P R AA1 M AH0 S
    paradise P EH1 R AH0 D AY2 S|sweat S W EH1 T
    romance R OW0 M AE1 N S|answer AE1 N S ER0|listen L IH1 S AH0 N|liar L AY1 ER0|happy HH AE1 P IY0
    family F AE1 M AH0 L IY0|memory M EH1 M ER0 IY0|company K AH1 M P AH0 N IY0|melody M EH1 L AH0 D IY0
    history HH IH1 S T ER0 IY0|misery M IH1 Z ER0 IY0|window W IH1 N D OW2|scene S IY1 N|does D AH1 Z|had HH AE1 D
    use Y UW1 Z|gas G AE1 S|loose L UW1 S|bow B OW1|follow F AA1 L OW2|destiny D EH1 S T AH0 N IY0
    breath B R EH1 TH|death D EH1 TH|instead IH0 N S T EH1 D
"""
IRREGULAR: dict[str, Sounds] = {
    word: tuple(sounds.split())
    for word, _, sounds in (
        entry.strip().partition(" ") for line in _IRREGULAR.split("\n") for entry in line.split("|")
    )
    if word
}
"""Pronunciations of words for which the rules are wrong, or their stress."""

_MAGIC = r"(?=(?:[bcdfgklmnpqrstvz]|th|ch)(?:e$|es$|ed$|er$|ers$|ing$|ely$|eless$|eful$|ement$))"
_RULES = rf"""
augh AO|au AO|aw AO|air EH R|ais(?=e) EY Z|ai EY|ay EY|alk AO K|all AO L|al(?=[td]) AO L|alm AA M|are$ EH R
ar(?=[ie]) EH R|arr EH R|(?<=w)ar AO R|ar AA R
ange(?=$|d$|s$|r) EY N JH|a(?=ste$|stes$) EY|(?<=[wq])a(?=[nst]) AA|(?<=qu)a(?=[nst]) AA|a(?=tion) EY|a{_MAGIC} EY
a(?=[bcdfgklmnprstvz](?:y|ys|ies|er|ers|in)$) EY|a(?=ble$|dle$|ple$|tle$) EY|^a(?=[bcdfglmnprtw][aeiouwhlr]) AH|a$ AH
ae EY|a AE
bb B|mb$ M B|b(?=t$) -|b B|tch CH|ch(?=r) K|ch CH|ck K|cc K|ci(?=al|an|ous) SH|c(?=[eiy]) S|c K|dge JH|dg JH|dd D|d D
eau OW|ear(?=[nlt][a-z]|[nlt]h|l$|n$|d) ER|ear IH R|eer IH R|ere$ IH R|eigh EY|eir EH R|ei IY|eu Y UW|ew UW|ey EY
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
    for pattern, sound in (("o+h+", "OW"), ("a+h+", "AA"), ("o{2,}h*", "UW"), ("whoa+h*", "OW"), ("[hn]?a+", "AA"))
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
    return (_whole(letters),)


def _whole(word: str) -> Sounds:
    """Return the pronunciation of a word: irregular, stem and ending, or by the rules."""
    if word in IRREGULAR:
        return IRREGULAR[word]
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
    two = _COMPOUND.match(word)
    if two and (two[2] not in _SECOND_WEAK or two[1] in IRREGULAR or two[1] in _FIRST):
        return (*_whole(two[1]), *_whole(two[2]))
    return _inflected(word) or _reduced(_stressed(word, _by_rule(word)))


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
    """Return the pronunciation of an irregular word with an ending; empty if ``word`` is not one."""
    for ending, sounded in (
        ("ing", "IH0 NG"),
        ("in", "IH0 N"),
        ("er", "ER0"),
        ("ers", "ER0 Z"),
        ("ly", "L IY0"),
        ("less", "L AH0 S"),
    ):
        if word.endswith(ending):
            stem = word[: -len(ending)]
            for whole in (stem, stem + "e", stem[:-1] if stem[-2:-1] == stem[-1:] else ""):
                if whole in IRREGULAR and len(stem) > 2:
                    return (*IRREGULAR[whole], *sounded.split())
    for whole in (word[:-1], word[:-2]):
        if whole in IRREGULAR and len(whole) > 2 and word[len(whole) :] in ("s", "es", "d", "ed"):
            stem_sounds = IRREGULAR[whole]
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
