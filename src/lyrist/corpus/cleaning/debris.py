"""What lyric sites leave in their lyrics: buttons, counters, notices, credits and addresses.

Unusual, and why: capital letters count nearly everywhere. "You might also like" on a line of its own, or glued to the
next line, is Genius's; "you might also like me when the morning comes" is a lyric. Each expression below has its
fixture in the tests, and the look-alike that it must leave.
"""

from __future__ import annotations

import polars as pl

from lyrist.corpus.cleaning.rules import Rule, either, replacing, where

_FEW = r"(?: ?[^ \n]+){0,13}"  # up to thirteen words on one line

_BLURB = r"(?:[^\n]*?(?:…|\.\.\.) ?Read More ?)?"  # Genius's note on a song, cut short
_HEAD = (
    r"[0-9]+ Contributors?\n[^\n]+ Lyrics$\n?",
    rf"[0-9]+ Contributors?(?:[^\n]*? Lyrics{_BLURB}|$\n?)",
    rf"Translations[^ \n][^\n]*? Lyrics{_BLURB}",
    rf"{_FEW} Lyrics$\n\n",
)
_TITLE_BEFORE_HEADER = rf"\A{_FEW} Lyrics ?\n?\["
_TAIL = (
    r"(?:(?:[0-9]+(?:\.[0-9]+)?[KM]|[0-9]{1,3})?(?:Embed ?)?(?:Share ?U[Rr][Ll]:? ?Copy ?Embed:? ?Copy|Embed)[ \n]*)+\z"
)

_LIKE = "You might also like"
_TICKETS = r"\n?(?:See [^\n]*? Live ?\n?)?Get tickets as low as \$ ?[0-9][0-9.,]*\n?"
_SEEN = "(?i:me|you|us|them|him|her|it|the|my|how|what|if|we|they|that|this)"
_LIVE = rf"^(See {_SEEN}(?-u:\b)[^\n]*)$|^See {_FEW} Live$\n?"

_NOTICES = (
    "Read More",
    r"Loading ?(?:\.{3}|…)",
    "(?:Save ?Cancel)+",
    r"(?i:submit corrections?)(?: ?Thanks to [^\n]*)?",
    rf"Thanks to {_FEW} for (?:adding|correcting|posting|providing|sending|submitting|transcribing|these|the) [^\n]*lyrics?\.?",
    r"\([0-9]{12,}\)",
    r"(?i:all lyrics (?:are|is) (?:the )?(?:property|provided|copyright)[^\n]*)",
    r"(?i:(?:add|correct|edit|print|rate|report|save|send|share|submit|view) (?:these |this |the )?lyrics?)",
    rf"(?i:add to (?:favou?rites|playlist)|more lyrics (?:by|from) {_FEW})",
    r"(?i:report (?:a )?problem|rate this song|lyrics submitted|advertisements?|sponsored links)",
    r"Send [“\"”][^\n]+[“\"”] Ringtone to [Yy]our [Cc]ell(?: [Pp]hone)?",
    r"[(*-]* ?peak Billboard position # ?[0-9][^\n]*",
    r"(?i:become a better singer in only 30 days[^\n]*)",
    rf"(?i:if you (?:can|find|found|see)(?-u:\b){_FEW} corrections?(?-u:\b){_FEW})",
)
_NOT_FOR_SALE = r"(?:\.{3}\n+)?\*{3,} ?This Lyrics is NOT for Commercial use ?\*{3,}(?:[ \n]*\([0-9]+\))?"
_NOTICE = rf"(?m)^(?:{'|'.join((_NOT_FOR_SALE, *_NOTICES))})$\n?"

_ORNAMENT = r"(?m)\n*^(?:[*~=_#-]{3,}|[*~=_#-](?: [*~=_#-]){2,})$\n*"

DEBRIS = Rule(
    "debris",
    "What lyric sites leave goes: contributors, translations, Embed, You might also like, tickets, buttons, notices.",
    "12 ContributorsLow Tide LyricsThe harbour sleeps\nYou might also likeThe gulls are gone34Embed",
    "The harbour sleeps\nThe gulls are gone",
    replacing(
        (rf"(?m)\A(?:{'|'.join(_HEAD)})+", ""),
        (_TITLE_BEFORE_HEADER, "["),
        (_TAIL, ""),
        (_TICKETS, "\n"),
        (rf"(?m)^{_LIKE}$\n?", ""),
        (rf"([^ \n\[(]){_LIKE}", "$1\n"),
        (rf"\n?{_LIKE}([\[\p{{Lu}}\p{{N}}(\"“¿¡'*])", "\n$1"),
        (rf"(?m){_LIVE}", "$1"),
        (r"(?m)(?:…|\.\.\.) ?Read More$", ""),
        (_NOTICE, ""),
        (_ORNAMENT, "\n\n"),
    ),
    either(
        r"\A[0-9]+ Contributor|\ATranslations[^ \n]|\A[^\n]* Lyrics(?: ?\n?\[|\n\n)",
        r"(?:Embed|Copy)\n?\z",
        rf"{_LIKE}|Get tickets as low as \$|Read More|This Lyrics is NOT for|\([0-9]{{12}}",
        rf"peak Billboard position|{_ORNAMENT}",
        r"(?m)^(?:See [^\n]* Live$|Loading ?[.…]|Save ?Cancel|Thanks to |Send [“\"”])",
        r"(?im)^(?:submit|correct|all lyrics|(?:add|edit|print|rate|report|save|send|share|view|more) |lyrics submitted"
        r"|advertisement|sponsored links|become a better singer|if you (?:can|find|found|see)(?-u:\b)[^\n]* correction)",
    ),
)
"""The rule for the debris of lyric sites."""

_MAKES = "words|lyrics|music"
_ROLES = (
    r"(?:song)?writers|songwriter|(?:song)?writer\(s\)|lyricists?|lyricist\(s\)|composers?|composer\(s\)|publishers?"
    r"|publisher\(s\)|arrangers?|(?:written|composed|published|produced|arranged|recorded|performed|sung)(?: and [a-z]+)?(?: by)"
    rf"|(?:{_MAKES})(?: (?:and|&) (?:{_MAKES}))? by|composi[çc][ãa]o|compositor(?:es)?|autor(?:es)?|paroliers?|compositeurs?"
)
_MAKERS = (
    r"(?:Writer|(?:Words|Music|Lyrics)(?: ?(?:&|and|/) ?(?:[Ww]ords|[Mm]usic|[Ll]yrics))?|Paroles|Musique|Letra|Música"
    r"|Testo|Musica|Musik|Text)"
)
_TYPED = r"(?:lyrics |text )?(?:transcribed|submitted|typed(?: up)?|tabbed|transliterated)"
_CREDITS = (
    rf"(?i:[(\[]?(?:{_ROLES}) ?:[^\n]*)",
    rf"{_MAKERS} ?: ?\p{{Lu}}{_FEW}",
    rf"(?:Words|Lyrics|Music)(?: (?:and|&) (?:words|lyrics|music))? by \p{{Lu}}{_FEW}",
    rf"(?i:\((?:{_MAKES}|text|m|l|t|written)(?: ?(?:&|and|/|\+|,) ?(?:{_MAKES}|m|l))? ?(?::| by )[^()\n]*\))",
    rf"(?i:[(\[]?{_TYPED} by(?-u:\b){_FEW})",
    rf"(?i:(?:corrected|contributed|posted|uploaded|added|revised|edited) by ?:{_FEW})",
    r"Lyrics (?:(?:powered|provided|submitted|corrected|added) by|courtesy of|licensed|copyright|©|™)[^\n]*",
    r"(?i:powered by (?:lyricfind|musixmatch|genius|gracenote)[^\n]*)",
    r"(?i:copyrights? ?(?::|©|\(c\)|by [0-9]|(?:19|20)[0-9][0-9])[^\n]*)|Copyrights? by \p{Lu}[^\n]*",
)
_CREDIT = rf"(?m)^(?:{'|'.join(_CREDITS)})$\n?"
_RIGHTS = r"©|℗|\([cCpP]\)|(?i)rights reserved"
_RESERVED = (
    rf"(?m)^{_FEW}(?:(?:©|℗|\([cCpP]\)) ?(?:[Cc]opyright )?(?:by )?(?:[0-9]{{4}}|\p{{Lu}})[^\n]*"
    rf"|(?i: ?all rights reserved(?-u:\b){_FEW}))$\n?"
)
_LABEL = (
    r"(?i:artist|band|singer|performer|performed by|album|title|song(?: (?:title|name))?|track|year|genre|label"
    r"|released?(?: date)?|artista|álbum|título|titre|artiste|titolo)"
)
_OPENING = (
    rf"{_LABEL} ?:{_FEW}\n+",
    rf"Lyrics (?:to|for) {_FEW} by {_FEW}\n+",
    r"Lyrics ?:?\n+",
    rf"Paroles de (?:la chanson )?{_FEW} par {_FEW}\n+",
    rf"{_FEW} Lyrics by {_FEW}\n+",
)
_CLOSING = rf"(?:\n+(?:Artist|Album|Title|Song|Year|Track|Label) ?: {_FEW})+\z"

_lines_of_credit = replacing((rf"\A(?:{'|'.join(_OPENING)})+", ""), (_CLOSING, ""), (_CREDIT, ""))


def _credits(texts: pl.Series) -> pl.Series:
    return where(_lines_of_credit(texts), _RIGHTS, replacing((_RESERVED, "")))


CREDITS = Rule(
    "credits",
    "Credits and headings go: Writer(s), copyright, Lyrics powered by, Transcribed by, Artist: and Title: at the head.",
    "Title: Low Tide\nThe harbour sleeps\nWriter(s): A. Nobody\n© 2011 Nobody Music",
    "The harbour sleeps",
    _credits,
    either(
        rf"(?im)^[(\[]?(?:{_ROLES}|{_MAKERS}|m|l|t) ?(?:[:&/+,]|and |by )",
        rf"(?im)^[(\[]?{_TYPED} by|^(?:corrected|contributed|posted|uploaded|added|revised|edited) by ?:",
        r"(?im)\((?:c|p)\) ?(?:copyright |by )*[0-9a-z]|^copyright|all rights reserved|powered by (?:[lmg])",
        rf"(?m)^Lyrics |\A(?:Lyrics ?:?\n|Paroles de|[^\n]* Lyrics by|{_LABEL} ?:)|{_CLOSING}",
    ),
    "[©℗]",
)
"""The rule for credits."""

_DOMAIN = (
    r"(?:www\.[A-Za-z0-9_-]+\.[a-z]{2,}|(?-u:\b)[A-Za-z0-9_-]*lyrics?[A-Za-z0-9_-]*\.(?:com|net|org|de|ru|fr)(?-u:\b)"
    r"|letras\.mus\.br|genius\.com)"
)
_SITE = rf"(?i:https?://[^ \n<>]+|{_DOMAIN}[^ \n<>]*)"
_ABOUT = (
    r"(?i:(?-u:\b)(?:lyrics?|letras?|paroles|visit|source|courtesy|downloaded?|official (?:site|website)|website|homepage"
    r"|e-?mail|(?:taken|found|provided|brought) (?:from|at|on|by|to))(?-u:\b))"
)
_MAIL = r"(?m)^(?:[^ \n]+ ){0,6}[(<]?[A-Za-z0-9_.+-]+@[A-Za-z0-9_-]+\.[a-z]{2,}[^ \n]*(?: [^ \n]+){0,6}$\n?"

LINKS = Rule(
    "links",
    "Addresses of sites and e-mail go, with the lines that are about them.",
    "The harbour sleeps\nFound at http://www.example.com/song",
    "The harbour sleeps",
    replacing(
        (rf"(?m)^[^\n]*(?:{_ABOUT}[^\n]*{_SITE}|{_SITE}[^\n]*{_ABOUT})[^\n]*$\n?", ""),
        (rf"(?im)^(?:from|at|by|see|via|link|url|web|site)?[^\p{{L}}\n]*{_SITE}[^\p{{L}}\n]*$\n?", ""),
        (_MAIL, ""),
        (r" ?(?-u:\b)https?://[^ \n<>]+", ""),
    ),
    rf"(?i)https?://|{_DOMAIN}|@[A-Za-z0-9_-]+\.",
)
"""The rule for addresses."""
