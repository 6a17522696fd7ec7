"""What a text amounts to: how many words, only a note that the song is instrumental, or only an excuse of the site."""

from __future__ import annotations

import polars as pl

INSTRUMENTAL = (
    r"(?:(?:in)?strumental(?:e|es|s|ly|is|t|ny|na|as|as)?|instrumentaal|instrumentaali|instrumentální|inštrumentálna"
    r"|enstr[uü]mantal|инструментал(?:ьная|ьный|ьное)?|інструментал(?:ьна)?|インストゥルメンタル|インスト|인스트루멘탈|纯音乐|純音樂)"
)
"""Matches the word for "instrumental" in the common languages, in lower case."""

_FILLING = (
    r"(?:this|is|it's|its|an?|the|song|track|piece|tune|music|version|only|solo|break|intro|outro|interlude|end|guitar|piano"
    r"|skit|100|purely|fully|entirely|completely|una?|uno|m[úu]sica|musica|tema|canci[óo]n|pista|faixa|can[çc][ãa]o|brano"
    r"|canzone|morceau|piste|chanson|titel|lied|stück|utw[óo]r|nummer|låt|nur|solo|seulement|apenas|s[óo]|трек|композиция)"
)
_NO_WORDS = (
    r"(?:no (?:lyrics|words|vocals)|without (?:lyrics|words|vocals)|без слов|sem letra|sin letra|senza parole|歌詞なし)"
)
_SAID = rf"(?:{_FILLING}|{INSTRUMENTAL}|{_NO_WORDS}|[x0-9]+)"
_INSTRUMENTAL_TEXT = rf"(?i)\A\W*(?:{_FILLING}\W+)*(?:{INSTRUMENTAL}|{_NO_WORDS})(?:\W+{_SAID})*\W*\z"

_EXCUSES = (
    r"lyrics (?:for this song )?(?:have yet to be|are yet to be|will be|are not yet|have not (?:yet )?been) (?:released|added)",
    r"please check back once the song has been released",
    r"(?:we|you) (?:do not|don't|don’t) have (?:the |any )?lyrics (?:for|to|of|yet)",
    r"lyrics? (?:are |is )?(?:currently |temporarily )?(?:not available|unavailable|coming soon|not found|needed|missing)",
    r"(?:not|no longer) (?:licensed|authori[sz]ed|allowed|in a position) to (?:display|show|post|reproduce) (?:these |the "
    r"|full )*lyrics",
    r"no lyrics (?:available|found|yet|for this song)",
    r"be the first to (?:add|submit) (?:the |these )?lyrics",
    r"(?:removed|taken down) (?:at|by|due to|on) (?:the )?(?:request|copyright|licensing)",
    r"letra n[ãa]o dispon[íi]vel|letra no disponible|testo non disponibile|paroles (?:non|in) ?disponibles",
    r"songtext nicht verfügbar",
)
_PLACEHOLDER = rf"(?i)(?:{'|'.join(_EXCUSES)})"
_NOTHING = r"(?i)\A\W*(?:n/?a|tb[ad]|none|null|nan|unknown|lyrics|no lyrics|coming soon|to be announced)\W*\z"

_WORD = r"[\p{L}\p{N}]+(?:['’][\p{L}\p{N}]+)*"


def word_count(lyrics: pl.Series) -> pl.Series:
    """Return the number of words of each text (uint32), words as in `lyrist.text.WORD`; 0 for nulls."""
    return lyrics.cast(pl.String).fill_null("").str.count_matches(_WORD)


def is_instrumental(lyrics: pl.Series) -> pl.Series:
    """Return whether each text says only that the song is instrumental: "[Instrumental]", "This is an instrumental".

    Texts of more than 200 characters are not. It may be asked before cleaning or after: `clean` leaves such texts.
    """
    return _short(lyrics, 200, _INSTRUMENTAL_TEXT)


def is_placeholder(lyrics: pl.Series) -> pl.Series:
    """Return whether each text stands where lyrics are missing: "Lyrics not available", "N/A".

    Texts of more than 400 characters are songs, whatever they say.
    """
    return _short(lyrics, 400, _PLACEHOLDER) | _short(lyrics, 40, _NOTHING)


def _short(lyrics: pl.Series, characters: int, pattern: str) -> pl.Series:
    texts = lyrics.cast(pl.String).fill_null("")
    return (texts.str.len_bytes() <= 4 * characters) & (
        texts.str.slice(0, characters + 1).str.contains(pattern) & (texts.str.len_chars() <= characters)
    )
