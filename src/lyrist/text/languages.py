"""The languages that have rules for syllables, stress and rhyme, and the rules from spelling to sounds.

A word is rewritten step by step by regular expressions until each vowel is one small letter and each consonant a capital one. The
result has ARPAbet names of consonants (and NY, LY, X, C for the sounds of *año*, *filho*, *ach*, *ich*), and vowels with their
stress: 1 main, 2 secondary, 0 none. Only what rhymes and syllables need is distinguished.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

from lyrist.errors import UsageError

Sounds = tuple[str, ...]
Rules = Iterable[tuple[str, str]]

_NAMES = {
    "C": "CH", "Ç": "C", "Ñ": "NY", "J": "HH", "Š": "SH", "Q": "LY", "Ž": "ZH", "Ĵ": "JH", "Ŋ": "NG",
    "1": "ɑ̃", "2": "ɛ̃", "3": "ɔ̃", "4": "œ̃", "5": "ai", "6": "oi", "7": "au",
}  # fmt: skip
"""Sounds whose name is longer than one letter; digits are vowels."""
_VOWEL = re.compile("[aeiouyáéíóúàèìòùâêîôûãõäëïöüÿəǝɛɔœøæāēīōūʏ1-7]")
_BARE = str.maketrans("áàâéèêíìîóòôúùû", "aaaeeeiiiooouuu")
_STRONG = "aeoáéóàèòâêô"


def _rewritten(word: str, rules: Rules) -> str:
    """Apply the rules one after the other; the consonants that are left become capital."""
    for pattern, new in rules:
        word = re.sub(pattern, new, word)
    return re.sub("[bcdfghjklmnpqrstvwxzßçñ]", lambda letter: letter[0].upper(), word)


def _nuclei(written: str) -> list[int]:
    return [i for i, sound in enumerate(written) if _VOWEL.match(sound)]


def _sounds(written: str, main: int, second: Iterable[int] = ()) -> Sounds:
    """Return the sounds of a rewritten word, with the stress after each vowel."""
    degree = {**dict.fromkeys(second, "2"), main: "1"}
    return tuple(
        _NAMES.get(sound, sound.translate(_BARE)) + (degree.get(i, "0") if _VOWEL.match(sound) else "")
        for i, sound in enumerate(written)
    )


def _stressed(written: str, marks: str, weak_end: bool) -> int:
    """Return the index of the marked vowel, else of the last but one if the end is weak, else of the last."""
    nuclei = _nuclei(written)
    marked = [i for i in nuclei if written[i] in marks]
    if marked or not nuclei:
        return marked[-1] if marked else -1
    return nuclei[-2] if weak_end and len(nuclei) > 1 else nuclei[-1]


_SPANISH = (
    ("ch", "C"), ("ll", "Y"), ("ñ", "Ñ"), ("qu(?=[eiéí])", "K"), ("qu", "KW"), ("gu(?=[eiéí])", "G"), ("gü", "GW"),
    ("[gj](?=[eiéí])|j", "J"), ("c(?=[eiéí])|z", "S"), ("c", "K"), ("v", "B"), ("x", "KS"), ("h", ""), ("rr", "R"),
    (r"^y$|(?<=[aeouáéóú])y$", "i"), ("y", "Y"),
    (rf"(?<![{_STRONG}íúiu])i(?=[{_STRONG}úu])", "Y"), (rf"(?<![{_STRONG}íúiu])[uü](?=[{_STRONG}íi])", "W"),
    (rf"(?<=[{_STRONG}úí])i", "Y"), (rf"(?<=[{_STRONG}íú])[uü]", "W"),
)  # fmt: skip


def spanish(word: str) -> list[Sounds]:
    """Return the sounds as in America: c and z are s, ll is y."""
    if word.endswith("mente"):
        word = word.translate(_BARE)
    written = _rewritten(word, _SPANISH)
    return [_sounds(written, _stressed(written, "áéíóú", bool(re.search("[aeiouáéíóúns]$", word))))]


_PORTUGUESE = (
    (r"(?<=[aeou])i(?=nh|[nm](?:[^aeiouáéíóúâêôãõ]|$)|[rzl]$|r[^aeiouáéíóúâêôãõ]|u$)", "í"), ("(?<=a)u(?=l$)", "ú"),
    ("nh", "Ñ"), ("lh", "Q"), ("ch", "Š"), ("ç|ss", "S"), ("s?c(?=[eiéíê])", "S"), ("qu(?=[eiéíê])", "K"), ("qu", "KW"),
    ("gu(?=[eiéíê])", "G"), ("gu(?=[aoáó])", "GW"), ("g(?=[eiéíê])|j", "Ž"), ("h", ""), ("^ex(?=[aeiouáéíóú])", "eZ"), ("x", "Š"),
    ("rr|^r", "J"), ("(?<=[aeiouáéíóúâêôãõ])s(?=[aeiouáéíóúâêôãõ])", "Z"), ("z$", "S"), ("c", "K"), ("y", "i"),
    ("^ao(?=s?$)", "aW"), ("ão|am$", "ãW"), ("ãe", "ãY"), ("õe", "õY"),
    ("(?<=[aeiouáéíóúâêô])[mn](?=$|[^aeiouáéíóúâêôãõ])", "N"),
    ("(mai|men|meQ|pi|su)or$", r"\1óR"), ("or$", "ôR"), ("(muQ|qualK|^K|koQ)er$", r"\1éR"), ("er$", "êR"), ("é(?=N)", "ê"),
    ("el(?=$|[^aeiouáéíóúâêôãõ])", "éW"),
    ("ol(?=$|[^aeiouáéíóúâêôãõ])", "óW"), ("(?<=[aiuáéíóúâêô])l(?=$|[^aeiouáéíóúâêôãõ])", "W"),
    (r"(?<=[áéíóúâêô])([^aeiou]+)i(?=[aeo]s?$)", r"\1Y"), (r"(?<=[áéíóúâêô])([^aeiou]+)(?:u(?=[aeo]s?$)|o(?=as?$))", r"\1W"),
    (r"(?<=[áéíóúâêôaeou])i(?!u)", "Y"), ("(?<=[áéíóúâêôaeoi])u", "W"),
)  # fmt: skip


def portuguese(word: str) -> list[Sounds]:
    """Return the sounds as in Brazil; a stressed e or o without a mark may be open or closed."""
    written = _rewritten(word, _PORTUGUESE)
    own = "".join(c for c in "áéíóúâêô" if c in word or c in "íú")
    marks = (
        own
        if any(c in word for c in "áéíóúâêô") or any(c in written for c in "íú")
        else "ãõ"
        if re.search("[ãõ]", word)
        else ""
    )
    main = _stressed(written, marks, bool(re.search(r"(?:[aeo]s?|am|em|ens)$", word)))
    if main < 0:
        return [_sounds(written, main)]
    vowel, after = written[main], written[main + 1 : main + 2]
    closed = after in ("N", "Ñ", "M") or (after == "W" and vowel in "eo")
    either = {"e": "eɛ", "o": "oɔ", "é": "ɛ", "ó": "ɔ"}.get(vowel, vowel)
    return [
        _sounds(written[:main] + each + written[main + 1 :], main)
        for each in (either[0] if closed and vowel in "eo" else either)
    ]


_ITALIAN_STRESS = """
    mùsica ànima àttimo làcrima làcrime pòpolo càmera tàvola tàvolo èssere vìvere rìdere piàngere pèrdere crèdere scrìvere
    prèndere córrere lèggere méttere chiùdere vìncere ròmpere nàscere créscere conóscere ùltimo ùltima ùltimi sùbito
    zùcchero àngelo àngeli fàvola nùvola nùvole ìsola giòvane giòvani órdine lìmite àlbero àlberi nùmero lìbero lìbera
    lìberi tènero tènera màcchina pàgina òpera làmpada doménica sàbato spìrito pòvero pòvera càrcere pólvere cénere gènere
    màrtire pìccolo pìccola pìccoli sòlito sòlita pàllido tìmido ràpido brìvido lìquido àrido òspite càlice sémplice fàcile
    diffìcile ùtile ìntimo bàttito gòmito stòmaco ocèano àbito àlito diàvolo vìcolo cìrcolo miràcolo ostàcolo spettàcolo
    crepùscolo tìtolo àngolo régola pìllola scàtola vìrgola guàrdami àmami bàciami pòrtami sàbbia tènebre fùlmine sècolo
    fràgile àgile débole nòbile mòbile stèrile ùmile sìmile vérgine orìgine immàgine vertìgine tévere càdono vògliono dìcono
    sèntono piàngono vìvono còrrono pàrlano àmano càntano bàllano pòrtano tórnano guàrdano chiàmano sógnano vòlano telèfono
    rìdono fìngere crédono lèggono méttono vèngono tèngono nostalgìa allegrìa malinconìa poesìa fantasìa gelosìa follìa
    magìa bugìa energìa armonìa sinfonìa compagnìa polizìa batterìa gallerìa librerìa farmacìa periferìa scìa spìa marìa
    pazzìa foschìa agonìa ironìa manìa democrazìa filosofìa fotografìa melodìa profezìa addìo desìo oblìo fruscìo mormorìo
    leggìo pendìo paùra baùle uòmini stríngere
"""
_ITALIAN_MARKED = {
    unicodedata.normalize("NFC", word).translate(_BARE): word
    for word in re.findall(r"\w+", _ITALIAN_STRESS)
    if "_" not in word
}
_ITALIAN = (
    (r"^([^aeiouàèéìòóù]*)i(?=[aeo]$)", r"\1ì"), (r"^([^aeiouàèéìòóùq]*)u(?=[aeo]$)", r"\1ù"),
    ("sc(?=[iìeéè])", "Š"), ("ch", "K"), ("gh", "G"), ("gn", "Ñ"), ("gl(?=i)", "Q"), ("c?qu", "KW"), ("cc(?=[iìeéè])", "CC"),
    ("c(?=[iìeéè])", "C"), ("gg(?=[iìeéè])", "ĴĴ"), ("g(?=[iìeéè])", "Ĵ"), ("(?<=[CĴŠQ])i(?=[aeouàèéòóù])", ""), ("c", "K"),
    ("h", ""), ("[jy]", "i"), ("x", "KS"),
    ("(?<=u)i$", "Y"), ("(?<![aeouàèéìòóùi])i(?=[aeouàèéòóù])", "Y"), ("(?<![aeouàèéìòóùi])u(?=[aeoiàèéòóì])", "W"),
    ("(?<=[aeoàèéòóù])i", "Y"), ("(?<=[aeoàèéòó])u", "W"), ("é", "e"), ("ó", "o"),
)  # fmt: skip
_IC = r"(?=[bcdfglmnprstvz]{1,3}ic(?:[aoi]|he)$)"
_ITALIAN_ENDINGS = (
    ("i(?=ssim[aeio]$)", "ì"), ("a(?=bil[ei]$)", "à"), ("i(?=bil[ei]$)", "ì"), ("u(?=din[ei]$)", "ù"), ("e(?=vol[ei]$)", "è"),
    ("o(?=log[aoi]$|graf[aoi]$)", "ò"), (f"a{_IC}", "à"), (f"e{_IC}", "è"), (f"o{_IC}", "ò"), (f"i{_IC}", "ì"),
)  # fmt: skip
_ITALIAN_PLAIN = re.compile(r"^(?:in)?(?:amic|nemic|antic|fatic|dic|formic|mendic|pudic|rubric|vescic)(?:[aoi]|h[ei])$")


def italian(word: str) -> list[Sounds]:
    """Return the sounds; stress that the spelling does not show is listed or follows from the ending."""
    if not re.search("[àèéìòóù]", word):
        plural = _ITALIAN_MARKED.get(f"{word[:-1]}a", "") if word.endswith("ie") else ""
        word = _ITALIAN_MARKED.get(word) or (f"{plural[:-1]}e" if plural else word)
    if not re.search("[àèéìòóù]", word) and not _ITALIAN_PLAIN.search(word):
        for pattern, new in _ITALIAN_ENDINGS:
            word = re.sub(pattern, new, word)
    main = "àèìòù" + ("é" if "é" in word else "") + ("ó" if "ó" in word else "")
    rules = [rule for rule in _ITALIAN if rule[0] not in "éó"]
    written = _rewritten(word, rules)
    return [_sounds(written, _stressed(written, main, True))]


class _Table:
    """Letter-to-sound rules: at each place of a word the first pattern that matches is replaced by its sounds."""

    def __init__(self, rules: str, macros: dict[str, str]) -> None:
        for name, value in macros.items():
            rules = rules.replace(name, value)
        pairs = [entry.rpartition(">") for entry in rules.split()]
        self.new = [sounds for _, _, sounds in pairs]
        self.pattern = re.compile("|".join(f"({pattern})" for pattern, _, _ in pairs) + "|.")

    def sounds(self, word: str) -> str:
        """Return the sounds of a word, one character each."""
        return self.pattern.sub(lambda found: self.new[found.lastindex - 1] if found.lastindex else "", word)


_FRENCH = _Table(
    r"""
    aient$>ɛ ais?$|aits?$|aix$>ɛ aill|ails?$>aY ain~|aim~>2 aî|ai>ɛ ay(?=@)>ɛY ay>ɛ aoû>u au(?:x|ds?|ts?)?$>o au>o
    an~|am~>1 [âàa]>a
    eaux?>o (?<=[a-zéèêâîôûç]{2})ers?$>e ez$|eds?$>e ets?$>ɛ eus(?=e)>øZ euill?>œY eu(?=e?[sxt]*$)>ø eu(?=[rlfvnbp])>œ eu>ø
    ein~|eim~>2 eill|eils?$>ɛY e[iy]>ɛ (?<=[iéy])en(?=s?$)>2 (?<=[vt]i)en(?=t$|d)>2 ^emm>1M en(?=nui|iv)>1 en~|em~>1
    e(?=ss|tt|ll|nn|mm|rr|ff|pp|cc|x)>ɛ e(?=[cflr]s?$)>ɛ e(?=[rls][bcdfghjkmnpqstvz]|rl|pt|ct)>ɛ (?<=[aéioy])e(?=r[aio]|m)>
    (?<=[aéiouyîû])(?<![qg]u)es?$> es?$>ə [éæ]>e [èêë]>ɛ e>ə
    ill(?=[aeiouéè])>iY in~|im~|yn~|ym~>2 i(?=es?$)>i (?<=[bcdfghjklmnpqrstvz])(?<![bcdfgptv][rl])i(?=[aouéèêâô]|e[a-z])>Y [iîï]>i
    y(?=@)>Y y>i
    ouin~|oin~>W2 oi|oî>Wa oy(?=@)>WaY ^oui$>Wi ouill>uY ou|oû|où>u on~|om~>3 ô>o o(?=s@)>o o(?:ts?|s|p|d|x)?$>o [oœ]>ɔ
    ueill?>œY un~|ums?$>4 ui|uî>Wi [uûùü]>y
    chr>KR ch|sch|sh>Š ç>S cc(?=[eiéè])>KS [cg](?=ueil)>K c(?=[eiyéèêîë])>S (?<=n)cs?$> c?qu?|ck|cc?>K
    ds?$> dd?>D ff?|ph>F gn>Ñ ge(?=[aoâôu])|g(?=[eiyéèêî])>Ž gu(?=[eiyéèê])>G g?ts?$|gs?$> gg?>G j>Ž k>K ll?>L m(?=n)> mm?>M nn?>N
    pt?s?$> pp?>P rr?>R sc(?=[eiéèêîy])|ss>S (?<=@)s(?=@)>Z s$> s>S (?<!s)t(?=ion|ieux|iel|ial|ience)>S tth?|th?>T v>V w>W
    x$> (?<=e)x(?=@)>GZ x>KS zs?$> z>Z b>B §>J
    """,
    {"~": "(?![aeiouyàâéèêëîïôùûœnmh])", "@": "[aeiouyàâéèêëîïôùûœ]"},
)
_FRENCH_FIRST = (
    (r"^(?=hér|hau|hai|honte|hors|huit|onze|hasard|hib|harp|hât|hurl|heurt|hall|hach)", "§"), ("^femme", "fame"), ("œil", "euil"),
    ("œu", "eu"), ("^([vm]|tranqu)ill(?=e)", r"\1il"), ("^([ldmtsc])es$", r"\1é"), ("^et$|^clef", "clé"), ("^est$", "è"),
    ("^fils$", "fisse"), ("^(tou|o|sen|bu|our|mar)s$", r"\1sse"), ("^septs?$", "sète"), ("^pays", "péi"),
    ("^monsieur$", "mecieu"),
    ("^(genti|fusi|outi|sourci)ls?$", r"\1"), ("^(taba|estoma)cs?$", r"\1"),
    (r"^(m|f|ch|fi|hi|v|am|hiv|enf|canc|univ|env|trav|div|ouv|conc)ers?$", r"\1èr"), ("^(impat|pat|cl|or)ient(?=s?$)", r"\1iant"),
)  # fmt: skip
_FRENCH_NOUNS = re.compile(
    r"(?:^(?:v|c|d|l|g)|arg|cont|souv|acc|abs|prés|tal|serp|par|innoc|sil|ard|urg|viol|réc|ag|différ|évid|couv|torr|clim|occid"
    r"|adolesc|fréqu|intellig|transpar|imprud|prud|régim|mom|élém|.m)ents?$"
)
_FRENCH_M_VERBS = re.compile(r"(?:^aim|^dorm|^form|^ferm|^nomm|^sem|^ram|^fum|^calm|^arm|^charm|^transform|^anim)ent$")


def french(word: str) -> list[Sounds]:
    """Return the sounds; an e muet at the end is the last sound, ə, and has no rhyme."""
    *elided, word = word.split("'")
    before = "".join(_FRENCH.sounds(("ç" if part == "c" else part) + "a")[:-1] for part in elided)
    for pattern, new in _FRENCH_FIRST:
        word = re.sub(pattern, new, word)
    if (
        word.endswith("ent")
        and not word.endswith(("vient", "tient"))
        and (not _FRENCH_NOUNS.search(word) or _FRENCH_M_VERBS.search(word))
    ):
        word = word[:-2] + "s"
    written = before + _FRENCH.sounds(word)
    nuclei = _nuclei(written)
    full = [i for i in nuclei if written[i] != "ə"] or nuclei
    return [_sounds(written, full[-1] if full else -1)]


_GERMAN = _Table(
    r"""
    tion>TSiōN äu|eu>6 ai|ay|ei|ey>5 au>7 aa|ah>ā äh>æ ee|eh>ē ieh?|ih>ī oh|oo>ō öh>ø uh>ū üh>ü
    a(?=~)>ā ä(?=~)>æ e$>é e(?=~)>é i(?=~)>ī o(?=~)>ō ö(?=~)>ø ü(?=~)>ü u(?=~|ch(?:e|$|s?t$))>ū y(?=~)>ü
    a>a [äe]>e i(?=k$)>ī i>i o>o ö>œ u>u [üy]>ʏ
    b(?=$|s?t?$)>P bb?>B dt|d(?=$|s$|st$)>T dd?>D (?<=i)g(?=$|s?t?$|keit|lich)>Ç g(?=$|s$|s?t$)>K gg?>G
    ng(?=$|[^aeiouäöü]|en|er|e$|el|es|ung|in|ig)>Ŋ n(?=k)>Ŋ nn?>N tsch>TŠ chs(?!t)>KS ^ch(?=[aor])>K (?<=[aou])ch>X
    ch>Ç ck|c|kk?>K
    sch>Š ^s(?=[tp])>Š ss|ß>S s(?=[aeiouäöü])>Z s>S tz|zz?>TS th|tt?>T pf>PF ph|ff?>F pp?>P v>F w>V qu>KV x>KS j>Y
    (?<![aeiouäöü])h>J ll?>L mm?>M rr?>R
    """,
    {"~": r"(?:[bdfgklmnprstvwz]|ß|br|dr|gr|tr|kr|gl)(?=[aeiouäöü])|ß|[bdglmnrst]?$|[bdg]s?t$|gs$|rts?$(?<=art)"},
)
_GERMAN_FIRST = (
    (r"^(das|was|an|man|hat|ab|in|im|bin|bis|mit|es|um|zum|von|vom|ob|hin|am|weg|des|wes|bus|job|fit|top|gin|chef)$", r"\1¬"),
    (r"(bru|pru|geru)ch", r"\1chch"), ("^hoch", "hohch"), ("^nach$", "nahch"), ("^mond", "mohnd"),
    (r"(spr|^br)ach(?=$|en$)", r"\1ahch"),
    (r"(famil|^lin|^ser|^lil|^fer|ital|span|^as|immobil|mater)ie(n?)$", r"\1i¬e\2"),
)  # fmt: skip
_GERMAN_PREFIX = re.compile(
    r"(?:ver|zer|ent|emp)(?=.*[aeiouäöüy])|(?:be|ge|er)(?![ui])(?=[^aeiouäöü]*(?:[aiouäöüy]|ee|eh|ei|eu|e[^aeiouäöü]+[aeiouäöü]))"
    r"|(?:da|hin|her|wo|zu|so|vor|wa|all|viel|über|unter|wieder)(?=rück|sammen|frieden|letzt|hause|hin$|her$|rum$|mit$|von$|für$|bei$|fort$|gar$"
    r"|aus$|ein$|auf$|ab$|unter$|über$|leicht$|heim$|nn$|ran$|rin$|rauf$|raus$|dem$|nach$|durch$|gegen$|stehen$|holen$)"
)
_GERMAN_NO_PREFIX = re.compile(
    r"^(?:besser|bett|beste|becher|geist|geiz|geige|geld|gern|gestern|geil|erde|ernst|erst|erbe|ernte|beide|bein|beispiel|geier)"
)
_GERMAN_FOREIGN = re.compile(
    r"(?:(?<=[aeiouäöü].)(?:ion|tät|anz|enz|ist|ell|ös|är|eur|iv|ett|iert?)|natur|kultur|figur|musik|student|moment|talent|patient"
    r"|prozent|element|elefant|diamant|balkon|person|telefon|salon|ballon|roman|orkan|vulkan|kanal|total|egal|normal|national|real|ideal"
    r"|signal|lokal|pokal|soldat|salat|zitat|pirat|klavier|papier|kredit|benzin|magazin|medizin|kamin|termin|delfin|konzert|hotel|idee|allee"
    r"|armee|klischee|kostüm|problem|system|extrem|planet|magnet|alarm|applaus|palast|protest|asphalt|kontakt|gedicht|zurück)(?:e|en|es|s|er)?$"
    r"|(?<=[aeiouäöü][dghlmnrst])ie$|(?<=[aeiouäöü].)(?<=[kgrl])ei(?:en)?$"
)
_GERMAN_WEAK = re.compile(
    r"(?:ung|ig|lich|isch|(?<!e)in|nis|ling|innen)(?:en|e|er|es|em|s|st|sten|t)*$|[aiouy]$|arbeit$|heimat$|monat$|(?<!n)ein?ander$"
)
_GERMAN_PARTS = re.compile(
    r"(?<=[aeiouäöüy].)(?<=[bcdfghjklmnpqrstvwxzß])(?:stern|herz|welt|feld|geld|berg|weg|held|wert|fest|nest|bett|brett|fleck|schmerz|scherz|mensch|nebel|leben|regen|segen"
    r"|ende|wesen|netz|eck|fenster|himmel)(?:e|en|es|s|er|n)?$"
)


def german(word: str) -> list[Sounds]:
    """Return the sounds; the last full vowel of a compound has a secondary stress."""
    spelt = word
    for pattern, new in _GERMAN_FIRST:
        spelt = re.sub(pattern, new, spelt)
    written = _GERMAN.sounds(spelt)
    nuclei = _nuclei(written)
    if not nuclei:
        return [_sounds(written, -1)]
    main = nuclei[_german_main(spelt, len(nuclei))]
    weak = _GERMAN_WEAK.search(word)
    last = len(nuclei) - (len(_nuclei(_GERMAN.sounds(weak[0]))) if weak and main != nuclei[-1] else 0)
    parts = _GERMAN_PARTS.search(word)
    full = len(nuclei) - len(_nuclei(_GERMAN.sounds(parts[0]))) if parts else -1
    letters = list(written)
    for n, i in enumerate(nuclei):
        if letters[i] in "eé" and i != main and n != full:
            letters[i] = "ǝ"
    heavy = [i for n, i in enumerate(nuclei) if i > main and n < max(last, 1) and letters[i] != "ǝ"]
    return [_sounds("".join(letters).replace("é", "ē"), main, heavy[-1:])]


def _german_main(word: str, count: int) -> int:
    """Return which of the vowels has the main stress."""
    foreign = _GERMAN_FOREIGN.search(word)
    if foreign and count > 1:
        return (
            count
            - len(_nuclei(_GERMAN.sounds(foreign[0])))
            + len(_nuclei(_GERMAN.sounds(re.sub("(?:e|en|es|s|er)$", "", foreign[0]))))
            - 1
        )
    prefix = _GERMAN_PREFIX.match(word)
    if prefix is None or _GERMAN_NO_PREFIX.match(word):
        return 0
    return min(len(_nuclei(_GERMAN.sounds(prefix[0] + "b"))), count - 1)


SUPPORTED = ("en", "es", "pt", "fr", "it", "de")
NAMES = {"en": "English", "es": "Spanish", "pt": "Portuguese", "fr": "French", "it": "Italian", "de": "German"}


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
    "es": spanish,
    "pt": portuguese,
    "fr": french,
    "it": italian,
    "de": german,
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
