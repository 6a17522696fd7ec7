"""Cleaning: each rule by its fixtures, what it must leave alone, and properties of any text whatever."""

import itertools
import os
import re
import time
import unicodedata
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrist import text as lyrist_text
from lyrist.corpus.cleaning import (
    KINDS,
    RULES,
    Cleaning,
    clean,
    clean_series,
    clean_texts,
    cleaner,
    is_instrumental,
    is_placeholder,
    non_songs,
    word_count,
)
from lyrist.corpus.cleaning.rules import Rule, either, repair
from lyrist.errors import UsageError

ROOT = Path(__file__).parents[2]
SONGBOOK = sorted((ROOT / "src" / "lyrist" / "songbook").glob("*.txt"))
DATA = Path(os.environ.get("LYRIST_DATA", ROOT.parent / "shared" / "data")) / "songs" / "songdata_part.csv"
NAMES = [rule.name for rule in RULES]
KEEP = Cleaning(sections="keep")
KEEP_SUNG = Cleaning(sections="keep", parentheses="drop")

SONG = "The harbour sleeps below the hill\nand every lamp is low"

CHANGED = {
    "line-ends": [
        ("a road\r\na river", "a road\na river"),
        ("a road\ra river", "a road\na river"),
        ("a road\r\r\na river", "a road\na river"),
        ("a road\u2028a river\u2029the sea", "a road\na river\nthe sea"),
    ],
    "spaces": [
        ("a  road\t\tgoes\u00a0on \n by\u2005night", "a road goes on\nby night"),
        ("  a road  \n  a river  ", "a road\na river"),
    ],
    "blank-lines": [("\n\na road\n\n\n\n\na river\n\n", "a road\n\na river"), ("a\n \n \nb", "a\n\nb")],
    "escapes": [
        (r"a road\na river\nthe sea", "a road\na river\nthe sea"),
        (r"a road\r\na river\r\nthe sea", "a road\na river\nthe sea"),
        (r"Don\'t say \"go\"", 'Don\'t say "go"'),
        ("a road / a river / the sea / again", "a road\na river\nthe sea\nagain"),
        ("a road | a river | the sea | again", "a road\na river\nthe sea\nagain"),
        ("a road ; a river ; the sea ; again", "a road\na river\nthe sea\nagain"),
        ("a road • a river • the sea • again", "a road\na river\nthe sea\nagain"),
    ],
    "entities": [
        ("Tom &amp; Ann &quot;said&quot; &#39;no&#39; &#x2019;", "Tom & Ann \"said\" 'no' '"),
        ("a road<br>a river<br />\nthe sea</p><p>again", "a road\na river\nthe sea\n\nagain"),
        ("a <b>bold</b> <span class='x'>road</span>", "a bold road"),
        ("&amp;amp;lt;br&amp;gt;", ""),
    ],
    "mojibake": [
        ("donâ€™t say â€œgoâ€\u009d", 'don\'t say "go"'),
        ("cafÃ© olÃ© corazÃ³n aÃ±o", "café olé corazón año"),
        ("le cÅ“ur brÃ»lÃ©, ma sÅ“ur", "le cœur brûlé, ma sœur"),
        ("itÃ¢â‚¬â„¢s late", "it's late"),
        ("caf├® and r├¬ve donÔÇÖt", "café and rêve don't"),
        ("voilÃ\u00a0 lâ€™amour", "voilà l'amour"),
        ("don\u0092t", "don't"),
        ("Ð\u00bfÑ\u0080Ð\u00b8Ð\u00b2ÐµÑ‚", "привет"),
        ("song ðŸŽµ", "song 🎵"),
    ],
    "unicode": [("cafe\u0301 man\u0303ana", "café mañana"), ("\u212bngström", "Ångström")],
    "invisible": [
        ("\ufeffa road\x00 goes\u200b on\u00ad\u200e", "a road goes on"),
        ("a\u200dbc \u202ereversed\u202c", "abc reversed"),
    ],
    "look-alikes": [("thе rоad is lоng tonight", "the road is long tonight")],
    "quotes": [
        ("don’t rock’n’roll ’cause I’m walkin’", "don't rock'n'roll 'cause I'm walkin'"),
        ("“go” he said, ‘not now’", '"go" he said, "not now"'),
        ("don`t and won´t", "don't and won't"),
        ("back in ’69 the girls’ night", "back in '69 the girls' night"),
        ("rock ‘n’ roll", "rock 'n' roll"),
    ],
    "debris": [
        (f"12 ContributorsLow Tide Lyrics{SONG}", SONG),
        (f"1 ContributorLow Tide Lyrics[Verse 1]\n{SONG}", SONG),
        (f"38 ContributorsTranslationsEspañolPortuguêsLow Tide Lyrics\n{SONG}", SONG),
        (f"TranslationsTürkçeLow Tide Lyrics{SONG}", SONG),
        (f"9 ContributorsLow Tide Lyrics“Low Tide” is about a harbour… Read More\u00a0{SONG}", SONG),
        (f"3 Contributors\n{SONG}", SONG),
        (f"Low Tide Lyrics\n\n{SONG}", SONG),
        (f"Low Tide Lyrics[Verse 1]\n{SONG}", SONG),
        (f"{SONG}34Embed", SONG),
        (f"{SONG}2.3KEmbed", SONG),
        (f"{SONG}\nEmbed", SONG),
        (f"{SONG}EmbedShare URLCopyEmbedCopy", SONG),
        ("a road\nYou might also like\na river", "a road\na river"),
        ("a roadYou might also like[Chorus]\na river", "a road\n\na river"),
        ("a road\nYou might also likeA river", "a road\nA river"),
        ("a road\nSee Ann Nobody LiveGet tickets as low as $40You might also likeA river", "a road\nA river"),
        ("a road\nSee Nobody Live\na river", "a road\na river"),
        ("a road\nGet tickets as low as $1,040\na river", "a road\na river"),
        ("a road\nRead More\na river", "a road\na river"),
        ("a road\nLoading...\na river", "a road\na river"),
        ("a road\nSave Cancel\na river", "a road\na river"),
        (f"{SONG}\nSubmit Corrections", SONG),
        (f"{SONG}\nSubmit Corrections Thanks to ann, bob for the words", SONG),
        (f"{SONG}\nThanks to ann for correcting these lyrics.", SONG),
        (f"{SONG}\n...\n\n******* This Lyrics is NOT for Commercial use *******\n(1409618623611)", SONG),
        (f"{SONG}\nAll lyrics are property and copyright of their owners.", SONG),
        (f"{SONG}\nCorrect these lyrics", SONG),
        (f'{SONG}\nSend "Low Tide" Ringtone to your Cell', SONG),
        (f"{SONG}\nBecome A Better Singer In Only 30 Days, With Easy Video Lessons!", SONG),
        ("a road\n* * *\na river\n-----", "a road\n\na river"),
        (f"{SONG}\n(peak Billboard position # 5 in 1959)", SONG),
        (f"{SONG}\nif you can, submit corrections to us", SONG),
    ],
    "credits": [
        (f"{SONG}\nWriter(s): Ann Nobody, Bob Nobody", SONG),
        (f"{SONG}\nSongwriters: ANN NOBODY", SONG),
        (f"{SONG}\nWritten by: Ann", SONG),
        (f"{SONG}\nCopyright: Nobody Music", SONG),
        (f"{SONG}\nCopyright 1999 Nobody Music", SONG),
        (f"{SONG}\n© 2011 Nobody Music", SONG),
        (f"{SONG}\nLyrics © Nobody Music", SONG),
        (f"{SONG}\n(c) 1980 nobody music. All rights reserved", SONG),
        (f"{SONG}\nLyrics powered by LyricFind", SONG),
        (f"{SONG}\nLyrics licensed & provided by LyricFind", SONG),
        (f"Artist: Nobody\nAlbum: Low Tide\nTitle: Harbour\n\n{SONG}", SONG),
        (f"Lyrics to Harbour by Ann Nobody\n{SONG}", SONG),
        (f"Lyrics:\n{SONG}", SONG),
        (f"Paroles de la chanson Port par Ann :\n{SONG}", SONG),
        (f"{SONG}\nAlbum: Low Tide", SONG),
        (f"(Music: Ann Nobody / Lyrics: Bob Nobody)\n{SONG}", SONG),
        (f"Words and music by Ann Nobody\n{SONG}", SONG),
        (f"{SONG}\nTranscribed by Ann Nobody", SONG),
        (f"{SONG}\nCompositor: Ana Ninguém", SONG),
    ],
    "links": [
        (f"{SONG}\nhttp://www.example.com/songs/1", SONG),
        (f"{SONG}\nwww.example.com", SONG),
        (f"{SONG}\nLyrics from www.example.com", SONG),
        (f"{SONG}\nVisit AnyLyrics.com for more", SONG),
        (f"{SONG}\nann@example.com", SONG),
        ("a road http://example.com/x goes on", "a road goes on"),
    ],
    "timestamps": [
        ("[ti:Low Tide]\n[ar:Ann]\n[00:12.34]a road\n[00:15.00][01:15.00]a river", "a road\na river"),
        ("[00:12]<00:12.10>a <00:12.80>road", "a road"),
    ],
    "chords": [
        ("Am  F  C  G\na road", "a road"),
        ("G\na road\nD/F#   Em7\na river", "a road\na river"),
        ("| Am | F | C | G |\na road", "a road"),
        ("[Am]a [G]road", "a road"),
        ("e|--0--2--3--|\na road", "a road"),
    ],
    "sections": [
        (f"{header}\na road\n{header}\na river", "a road\n\na river")
        for header in (
            "[Verse]", "[Verse 1]", "[Verse 1: Ann & Bob]", "[VERSE ONE]", "[Chorus x2]", "[Chorus: x2]", "[2x Chorus]",
            "[Hook x2: Ann]", "[Chorus: Repeat till fade]", "[Pre-Chorus]", "[Post-Chorus 2]", "[Bridge]:", "[1st Verse]",
            "[Intro: Ann]", "[CHORUS:", "Chorus:", "chorus:", "CHORUS", "Chorus", "(Chorus)", "(chorus:)", "(Chorus x2)",
            "(Verse 1 - Ann)", "VERSE 2", "Verse 2:", "Verse One:", "Verse 1: Ann Nobody", "Pre-chorus:", "*Chorus*",
            "--Chorus--", "**Verse 1**", "{Chorus}", "Chorus (2x)", "Chorus x2", "Chorus (repeat)", "Last chorus", "1.", "2:",
            "[Refrão]", "REFRÃO", "[Estribillo]", "[Couplet 1]", "[Strophe]", "[Refrain]", "[Hook]", "[Pont]", "[Ponte]",
            "[Puente]", "[Strofa 2]", "[Ritornello]", "[Pré-Refrão]", "[Pre-Estribillo]", "[Zwrotka 1]", "[Припев]",
            "[Куплет 1]", "[Nakarat]", "[Outro]", "[Interlude]", "[Break]", "[Part 1]",
        )
    ] + [
        ("a road\nChorus: and so we go\na river", "a road\n\nand so we go\na river"),
        ("a road [Chorus] a river", "a road\n\na river"),
        ("a road[chorus]", "a road"),
        ("BRIDGE\na road\n\nBRIDGE\na river", "a road\n\na river"),
        ("Verse 1\na road\n\nBridge\na river", "a road\n\na river"),
        ("a road\n\nBridge\na river", "a road\n\nBridge\na river"),
    ],
    "repeats": [
        ("a road (x2)\na river", "a road\na river"),
        ("a road (2x)\na river", "a road\na river"),
        ("a road (X2), a river", "a road, a river"),
        ("a road [x3]", "a road"),
        ("a road {2x}", "a road"),
        ("a road x4\na river", "a road\na river"),
        ("a road. X4\na river", "a road.\na river"),
        ("a road [Repeat: x4]\na river", "a road\na river"),
        ("a road\n[Repeat]\na river", "a road\na river"),
        ("a road\n(Repeat chorus)\na river", "a road\na river"),
        ("a road\nRepeat Chorus x2\na river", "a road\na river"),
        ("a road\n(repeat 2nd verse)\na river", "a road\na river"),
        ("a road (repeat to fade)", "a road"),
        ("a road (4 times)", "a road"),
        ("a road\nx2\na river", "a road\na river"),
        ("a road 2x\nRepeat 2 until fade\nrepeat (chorus)\na river", "a road\na river"),
        ("une route (bis)", "une route"),
        ("(oh oh oh x5)", "(oh oh oh)"),
        ("a road [Repeat: x 3", "a road"),
    ],
    "annotations": [
        ("a road\n[Guitar solo]\na river", "a road\na river"),
        ("a road [?]", "a road"),
        ("[Ann:] a road\n[Bob]: a river", "a road\na river"),
        ("a road [laughs], a river", "a road, a river"),
        ("a road\n(Guitar solo)\na river", "a road\na river"),
        ("a road\nInstrumental break\na river", "a road\na river"),
        ("a road (fade out)", "a road"),
        ("Spoken: a road\n(spoken) a river", "a road\na river"),
        ("a road\n【Ann】\na river", "a road\na river"),
        ("burning up [burning up]", "burning up (burning up)"),
        ("[I just can't wait to go] oh", "(I just can't wait to go) oh"),
        ("a road {carry me}", "a road (carry me)"),
        ("a road {24}", "a road"),
        ("M[ontgomer]y was walkin[g] by [t]he sea", "Montgomery was walking by the sea"),
        ("a road ([...])", "a road"),
    ],
}  # fmt: skip

UNTOUCHED = [
    "A road / a river / the sea",
    "A road / a river / the sea / again\nOne more",
    "You might also like me when the morning comes",
    "and you might also like",
    "Read more of my mind",
    "read more",
    "see me live\nSee Me Live",
    "See how they live",
    "Chorus of angels sing",
    "A chorus of angels\nin the bridge of my nose",
    "Bridge over the river",
    "Under the bridge",
    "Hook me up",
    "Break\nDrop\nbridge",
    "Parts of me",
    "Intro to love",
    "The verse I wrote is over",
    "x marks the spot",
    "Malcolm X\nX gave it to you",
    "pushing a BMW X5",
    "a 2x4 in my hand\nsome p90x",
    "I repeat it, Rose\nRepeat the sounding joy\nit repeats itself",
    "that's that ****\nSO* SO* DEF",
    "A",
    "Am I",
    "Am I the only one\nA B C\nA B C D E F G",
    "F A C E",
    "AM FM radio",
    "I and I, do or die\nE",
    "Eat, sleep, rave\nrepeat",
    "Repeat after me (repeat after me)",
    "Twice\n2 times for the road\nTwo times (two times)",
    "(carry me home)",
    "Embed me in your heart\nthe wires embed",
    "I'm loading the truck\nLoading my gun",
    "Save me, cancel all my plans",
    "Submit to me",
    "Thanks to you for everything",
    "All lyrics aside, I love you",
    "Copyright on my heart",
    "Written by the stars above",
    "Music by the river",
    "Lyrics fall like rain",
    "We share an album: mine\nand his title: king",
    "Transcribed my dreams",
    "R&B and rock & roll; AT&T",
    "I <3 you\n<i love you>\na < b > c",
    "I was www.memory, patiently waiting",
    "He said: go\nshe said:",
    "Nobody's instrumental to me",
    "I'm flying solo (solo)",
    "It's 10:30 on a [busy",
    "NÃO, AMANHÃ…\nCAFÉ”\nÂGE D’OR".replace("”", '"').replace("’", "'"),
    "corazón, mañana, façade, Übermut, łódź, žena, naïve, œuvre",
    "привет мир\nрэп и MC",
    "日本語「さくら」の歌\nサビ",
    "می‌خواهم",
    "five, six, seven, eight\n1, 2, 3, 4",
    "he said \"go\" and 'stay'",
    "path\\to\\nowhere",
    "a — b – c … d",
    "100% @ home #1 *sigh* f**k ~ yeah",
    "Spoken word was all I heard",
    "I count to ten\n10",
    "Artist of the year",
]

FRAGMENTS = [
    *(line for before, _ in (pair for pairs in CHANGED.values() for pair in pairs) for line in before.split("\n")),
    *UNTOUCHED,
    *"[](){}<>&;:*#|\\'\"’‘“”`´【】（）", "x2", "2x", "Embed", "Lyrics", "Chorus", "Verse", "[[", "]]", "((", "))",
    "\n", "\n\n", "\r\n", "\r", "\t", "  ", "\u00a0", "\u2005", "\u200b", "\u0301", "\ufeff", "\x00", "\x85", "\x92", "\u200d",
    "\\n", "\\'", "&amp;", "&lt;", "br>", "<br", "amp;", "Ã", "Â", "â€", "â", "\u0099", "©", "é", "е", "😀", "가", "Instrumental",
    "\uf8f0", "\uf8f1", "\ufffd", "[verse]", "[chorus]", "[Instrumental]", "You might also like", "12 Contributors",
    "www.", ".com",
]  # fmt: skip

SETTINGS = st.builds(
    Cleaning,
    sections=st.sampled_from(["drop", "keep"]),
    parentheses=st.sampled_from(["drop", "keep"]),
    off=st.lists(st.sampled_from(NAMES), max_size=3, unique=True).map(tuple),
)
TEXTS = st.one_of(
    st.lists(
        st.tuples(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=5)), st.sampled_from(["", " ", "\n"])),
        max_size=12,
    ).map(lambda parts: "".join(part + glue for part, glue in parts)),
    st.text(
        st.one_of(
            st.characters(codec="utf-8"),
            st.sampled_from("[](){}<>&;:'\"\\/\n\t \u00a0\u200b\u202e\ufeff\u0301x2Vé-–—*#@|"),
        ),
        max_size=100,
    ),
)


def songs_of(path: Path) -> list[str]:
    return [song for song in re.split(r"(?m)^# .*$", path.read_text(encoding="utf-8"))[1:] if song.strip()]


@pytest.fixture(scope="module")
def cleaned() -> dict[str, str]:
    """What becomes of all texts below, cleaned at once."""
    texts = [*(before for pairs in CHANGED.values() for before, _ in pairs), *UNTOUCHED]
    return dict(zip(texts, clean_texts(texts), strict=True))


@pytest.mark.parametrize(("before", "after"), [pair for pairs in CHANGED.values() for pair in pairs])
def test_what_is_cleaned(before: str, after: str, cleaned: dict[str, str]) -> None:
    assert cleaned[before] == after


def test_each_rule_alone_does_its_own_work() -> None:
    for rule in RULES:
        how = Cleaning(parentheses="drop", off=tuple(name for name in NAMES if name != rule.name))
        cleaned, changed = clean_series(pl.Series([rule.before]), how)
        assert changed == {rule.name: 1}, rule.name
        assert cleaned[0] != rule.before
        assert clean(rule.before, Cleaning(parentheses="drop")) == rule.after
        assert clean(rule.before, Cleaning(parentheses="drop", off=(rule.name,))) != rule.after, rule.name


@pytest.mark.parametrize("lyric", UNTOUCHED)
def test_what_is_left_alone(lyric: str, cleaned: dict[str, str]) -> None:
    assert cleaned[lyric] == lyric


def test_no_rule_fires_on_a_plain_song() -> None:
    _, changed = clean_series(pl.Series([SONG, *UNTOUCHED]))
    assert changed == dict.fromkeys([name for name in NAMES if name != "parentheses"], 0)


def test_sections_are_kept_as_normalised_lines() -> None:
    song = "[Intro: Ann]\nla\n[Verse 1]\na road\nPré-Refrão:\na hill\nCHORUS (x2)\na river\n\n(Bridge)\nthe sea\n[Solo]\n[Outro]"
    assert clean(song, KEEP).split("\n") == [
        "[intro]", "la", "", "[verse]", "a road", "", "[pre-chorus]", "a hill", "", "[chorus]", "a river", "", "[bridge]",
        "the sea", "", "[outro]",
    ]  # fmt: skip
    assert set(re.findall(r"\[(.*)\]", clean(song, KEEP))) <= set(KINDS)
    assert clean("a [chorus] b", KEEP) == "a\n\n[chorus]\nb"


def test_parentheses_are_dropped_when_asked() -> None:
    drop = Cleaning(parentheses="drop")
    assert clean("Carry me (carry me), river (x2)\n(oh\nriver)\nhome (a (b) c)", drop) == "Carry me, river\nhome"
    assert clean("うみ（うみ）", drop) == "うみ"


def test_an_unknown_rule_or_way_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"no cleaning rule 'debri'\. Did you mean 'debris'"):
        Cleaning(off=("debri",))
    with pytest.raises(UsageError, match="no way with sections 'keeep'"):
        Cleaning(sections="keeep")


def test_rules_that_are_off_do_nothing() -> None:
    text = "12 ContributorsLow Tide LyricsA road [Verse]"
    assert clean(text, Cleaning(off=("debris", "sections", "annotations"))) == text
    everything = "\r\n [x] \t &amp; "
    assert clean(everything, Cleaning(off=tuple(NAMES))) == everything


def test_counts_are_of_songs_not_of_places() -> None:
    texts = pl.Series(["(x2)\na (x2)\nb (x2)", "a &amp; b &amp; c", "plain", None])
    cleaned, changed = clean_series(texts)
    assert cleaned.to_list() == ["a\nb", "a & b & c", "plain", None]
    assert {name: n for name, n in changed.items() if n} == {"repeats": 1, "entities": 1}


def test_series_of_other_shapes() -> None:
    assert clean_series(pl.Series("lyrics", [], dtype=pl.String))[0].to_list() == []
    assert clean_series(pl.Series("lyrics", [None, None]))[0].to_list() == [None, None]
    assert clean_series(pl.Series("^*$", ["a  b &amp; c"]))[0].to_list() == ["a b & c"]
    assert clean_series(pl.Series("^*$", ["a  b"]))[0].name == "^*$"
    assert clean("\ud800 a") == "� a"


def test_every_rule_reads_a_text_at_most_once_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    read = [0]
    apply = cleaner._Work._apply

    def counted(work: cleaner._Work, rule: Rule, texts: pl.Series, rows: Any) -> pl.Series:
        read[0] += int(texts.str.len_chars().sum())
        return apply(work, rule, texts, rows)

    monkeypatch.setattr(cleaner._Work, "_apply", counted)
    clean(SONG * 50 + " (x2)")
    assert read[0] <= 4 * len(RULES) * len(SONG * 50)
    text = "[" * 999 + "a" + "]" * 999
    read[0] = 0
    clean(text)
    assert read[0] <= cleaner.MOST_ROUNDS * len(RULES) * len(text)


def test_nested_debris_comes_to_an_end() -> None:
    assert clean("[" * 5000 + "a" + "]" * 5000) == ""
    assert clean("[a" * 200 + "]" * 200) == ""
    assert clean("<b" * 200 + ">" * 200) == ""


HOSTILE = [
    "[a b ", "[x] [a ", "(", "a x2 ", "Chorus ", "(repeat the ", "&#38;", "<b", "ÃƒÂ©", "\u0301\u0327", "а", "‘a ", "lyrics",
    "\nWritten by " + "A-" * 90, "\nMusic by " + "A e " * 40, "\nWritten by A" + " A" * 90 + "!", "Written by A A, ",
]  # fmt: skip


def hostile(part: str, size: int) -> str:
    """Return a text of so many characters: a part again and again, or the halves of a part nested in each other."""
    opened, _, closed = part.partition("…")
    count = size // len(part)
    return "[I see you] Ae аe " + opened * count + closed * count


@pytest.mark.parametrize(
    "part",
    [
        *HOSTILE,
        *(f"{rule.before}\n" for rule in RULES),
        *(f"{a}a…{b}" for a, b in ("[]", "()", "{}", "<>", "‘’", "“”", "【】", ("[(", ")]"), ("&amp;", "lt;"))),
    ],
)
def test_cleaning_takes_time_in_proportion_to_the_text(part: str) -> None:
    def cost(size: int) -> float:
        text, started = hostile(part, size), time.process_time()
        clean(text, KEEP_SUNG)
        return time.process_time() - started

    assert cost(24_000) < 8 * 4 * max(cost(3_000), cost(3_000))  # what is quadratic takes 64 times


NAMED = [
    "[Ann Gravel: Verse 1]",
    "[Verse 1: Ann & Bob]",
    "[Ann Gravel & Bob Copper:]",
    "[Chorus - Ann Gravel]",
    "<Verse 1: Ann>",
    "Verse 1 (Ann):",
    "Chorus (Ann Gravel):",
    "Verse One: Ann Gravel",
    "Intro - Ann Gravel & Bob Copper",
    "Bridge (feat. Bob Copper)",
    "[Produced by Bob Copper]",
    "Produced by Bob Copper",
    "(Prod. by Bob)",
    "Prod. Bob Copper",
    "Song produced by Bob",
    "feat. Bob Copper",
    "(feat. Bob Copper)",
    "Featuring Bob Copper",
    "Low Tide (feat. Bob Copper)",
    "Ann Gravel - Low Tide ft. Bob",
]
SUNG = [
    "I'm feat. of strength tonight",
    "produced by the rain",
    "They were produced by hand",
    "Chorus of the morning birds",
    "Verse after verse (Oh my)",
    "Hook (yeah)",
    "Bridge over water - Oh Lord",
    "feet on the ground",
    "The feature of the night",
    "Intro to my life",
    "Ann: hello there",
    "I landed in Ft. Smith tonight",
    "Ft. Worth, Texas",
]


@pytest.mark.parametrize("line", NAMED)
def test_headers_with_names_producers_and_guests_are_removed(line: str) -> None:
    assert clean(f"{line}\nOne road\nTwo roads") == "One road\nTwo roads"


@pytest.mark.parametrize("line", SUNG)
def test_sung_lines_that_look_like_them_stay(line: str) -> None:
    assert clean(f"One road\n{line}\nTwo roads") == f"One road\n{line}\nTwo roads"


def test_guests_in_a_line_go_and_the_line_stays() -> None:
    assert clean("One road\nLow Tide (feat. Bob Copper) again\nTwo roads") == "One road\nLow Tide again\nTwo roads"


def test_a_header_with_names_is_kept_as_its_kind() -> None:
    text = "Chorus (Ann Gravel):\nOne road\nIntro - Ann Gravel\nTwo roads\nVerse 2: Ann\nThree roads"
    kept = clean(text, Cleaning(sections="keep"))
    assert kept == "[chorus]\nOne road\n\n[intro]\nTwo roads\n\n[verse]\nThree roads"


@settings(max_examples=20, deadline=None)  # many texts each, since every call compiles some 70 expressions
@given(st.lists(TEXTS, min_size=24, max_size=24), SETTINGS)
def test_cleaning_twice_changes_nothing(texts: list[str], how: Cleaning) -> None:
    once, _ = clean_series(pl.Series(texts), how)
    again, changed = clean_series(once, how)
    assert again.to_list() == once.to_list()
    assert not any(changed.values())


@settings(max_examples=10, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=40), st.sampled_from(["drop", "keep"]), st.sampled_from(["drop", "keep"]))
def test_the_result_is_tidy(texts: list[str], sections: str, parentheses: str) -> None:
    how = Cleaning(sections=sections, parentheses=parentheses)
    cleaned, changed = clean_series(pl.Series(texts), how)
    assert clean(texts[0], how) == cleaned[0]
    for after in cleaned:
        assert after == after.strip()
        assert after == unicodedata.normalize("NFC", after)
        assert not [c for c in after if unicodedata.category(c) == "Cc" and c != "\n"]
        assert all(line == line.strip() for line in after.split("\n"))
        assert "\n\n\n" not in after
        assert "  " not in after
    assert all(0 <= count <= len(texts) for count in changed.values())


@settings(max_examples=20, deadline=None)
@given(st.lists(TEXTS, min_size=20, max_size=20))
def test_texts_without_a_trigger_come_back_as_they_are(texts: list[str]) -> None:
    triggers = either(*(either(rule.trigger, rule.wide) for rule in RULES if rule.name != "parentheses"))
    plain = pl.Series(texts).filter(~pl.Series(texts).str.contains(triggers))
    assert clean_series(plain)[0].to_list() == plain.to_list()


@pytest.mark.parametrize("path", SONGBOOK, ids=lambda path: path.stem)
def test_no_word_of_the_songbook_is_lost(path: Path) -> None:
    songs = songs_of(path)
    kept, _ = clean_series(pl.Series(songs), KEEP)
    dropped, _ = clean_series(pl.Series(songs))
    for song, with_headers, without in zip(songs, kept, dropped, strict=True):
        sung = lyrist_text.words(re.sub(r"(?m)^\[.*\]$", "", song))
        assert lyrist_text.words(without) == sung
        assert lyrist_text.words(re.sub(r"(?m)^\[.*\]$", "", with_headers)) == sung
        assert len(re.findall(r"(?m)^\[", with_headers)) == len(re.findall(r"(?m)^\[", song))


@pytest.mark.skipif(not DATA.exists(), reason="no real data here")
def test_real_songs_keep_their_words() -> None:
    texts = pl.read_csv(DATA)["text"]
    cleaned, changed = clean_series(texts)
    assert word_count(cleaned).sum() / word_count(texts).sum() > 0.99
    assert clean_series(cleaned)[0].equals(cleaned)
    assert changed["debris"] == changed["links"] == 0
    repaired, _ = clean_series(texts, Cleaning(off=tuple(name for name in NAMES if name != "mojibake")))
    assert (repaired != texts).sum() == changed["mojibake"] == 2  # in two songs the apostrophes are question marks
    assert repaired.str.replace_all("'", "?").equals(texts.str.replace_all("'", "?"))
    assert 400 < changed["sections"] < 600
    assert not (cleaned == "").any()


def test_every_character_that_nfc_changes_is_looked_at() -> None:
    characters = pl.Series([chr(c) for c in range(128, 0x110000) if not 0xD800 <= c < 0xE000])
    trigger = next(rule.wide for rule in RULES if rule.name == "unicode")
    passed = characters.filter(~characters.str.contains(trigger))
    composed = [
        c for c in passed if unicodedata.normalize("NFC", c) != c or unicodedata.normalize("NFC", "a" + c) != "a" + c
    ]
    assert composed == []


@pytest.mark.parametrize(
    "true",
    ["NÃO…", "MANHÃ”", "CAFÉ…", "Ä‘", "É”", "À “demain”", "LÀ…”", "ÂME", "déjà vu…”", "naïve…", "BLÅ“", "Å‘n", "Är“"],
)
def test_true_text_is_not_mended(true: str) -> None:
    assert repair(true) == true


WRITTEN = [
    "don’t stop — “now”", "mi corazón está aquí, señor", "ça va, à bientôt, déjà", "über Straße", "‘go’ and wait…", "I’m",
    "œuvre", "Où es-tu ? Là-bas à Paris", "l’été, l’âme", "DÉJÀ VU, ÇA VA", "Ángel, ÁNGEL ÚNICO", "NÃO VOU EMBORA", "À demain",
    "žena moja", "Ő és ű", "pożegnanie z łąką", "İstanbul'da şarkı", "Đừng xa em đêm nay", "Ý nghĩa tiếng Việt", "Größe",
    "Москва моя", "Привет", "שלום", "سلام", "愛してる", "사랑해", "€5", "♪ la la ♪", "Été\nÀ moi\nl’œuvre",
]  # fmt: skip


@pytest.mark.parametrize("encodings", [("cp1252",), ("latin-1",), *itertools.product(("cp1252", "latin-1"), repeat=2)])
@pytest.mark.parametrize("true", WRITTEN)
def test_mended_text_is_what_was_written(true: str, encodings: tuple[str, ...]) -> None:
    damaged = true
    for encoding in encodings:
        read = (bytes([byte]) for byte in damaged.encode())
        damaged = "".join(byte.decode(encoding, errors="ignore") or chr(byte[0]) for byte in read)
    assert damaged != true
    assert repair(damaged) == true
    assert repair(f"{damaged}\nCAFÉ 🎵") == f"{true}\nCAFÉ 🎵"  # only some of the lines are damaged


@pytest.mark.parametrize(
    "text",
    ["[Instrumental]", "Instrumental", "(instrumental)", "INSTRUMENTAL TRACK", "This song is an instrumental.", "*Instrumental*",
     "[Intro]\n[Instrumental]\n[Guitar Solo]", "Strumentale", "[Instrumentale]", "Инструментал", "Música instrumental",
     "12 ContributorsLow Tide Lyrics[Instrumental]2Embed", "(No lyrics)"],
)  # fmt: skip
def test_instrumental_songs_are_seen_after_cleaning(text: str) -> None:
    cleaned, _ = clean_series(pl.Series([text]))
    assert is_instrumental(cleaned).to_list() == [True]


def test_songs_are_not_instrumental_nor_excuses() -> None:
    songs = pl.Series(
        [
            SONG,
            "[Instrumental]\na road goes on",
            "",
            None,
            "Nobody's instrumental to me",
            "No words can say",
            "Only you",
        ]
    )
    assert not is_instrumental(songs).any()
    assert not is_placeholder(songs).any()


def test_facts_at_the_head_of_a_chord_sheet_go() -> None:
    sheet = "Key: C\nTempo: 90 bpm\nThe [C]harbour [Am]sleeps\nTime: we have none\nKey: the one I lost"
    assert clean(sheet) == "The harbour sleeps\nTime: we have none\nKey: the one I lost"
    assert clean("Key: C\nThe harbour sleeps") == "Key: C\nThe harbour sleeps"


@pytest.mark.parametrize(
    "text",
    ["Lyrics for this song have yet to be released. Please check back once the song has been released.",
     "We do not have the lyrics for Low Tide yet.", "Lyrics not available", "Lyrics coming soon", "N/A", "[no lyrics found]",
     "Unfortunately, we are not licensed to display the full lyrics for this song at the moment.",
     "Be the first to add the lyrics", "Lyrics for this song are not yet available.", "Add lyrics on Musixmatch",
     "Der Songtext ist leider nicht verfügbar", "Letra no encontrada", "Testo non trovato", "Brak tekstu",
     "Текст песни не найден", "歌詞は見つかりませんでした",
     "暂无歌词", "가사 없음", "Bu şarkının sözleri bulunamadı", "Error 404: not found"],
)  # fmt: skip
def test_excuses_are_seen(text: str) -> None:
    assert is_placeholder(pl.Series([text, text + SONG * 20])).to_list() == [True, False]


LISTS = {
    "a list of dates": [
        ("\n".join(f"{month} {day}, 2011 - A Hall, Some Town" for month in ("May", "June") for day in (3, 9, 21)), "Spring"),
        ("\n".join(f"Fri {day}.11. Club {day}, Town" for day in range(1, 8)), ""),
        ("Dates:\nMarch 3 - One Town\nMarch 5 - Two Town\nMarch 9 - Three Town\nSee you there", "Tour Dates 2004"),
    ],
    "a list of years": [
        ("\n".join(f"Album of the {name} ({year})" for name, year in zip("abcdefg", range(1990, 1997), strict=True)), "X"),
        ("1990: First\n1994: Second\n1999: Third\nand more to come", "Discography"),
    ],
    "a numbered list": [
        ("\n".join(f"{n}. Some Song" for n in range(1, 12)), "The Album"),
        ("1) One\n2) Two\n3) Three\nbonus", "Album [Tracklist]"),
    ],
    "a list of tracks": [
        ("\n".join(f"0{n} Some Song 3:{n}0" for n in range(1, 6)), "Low Tide (Album)"),
        ("Ferry\nSalt\nThe Quiet Sea\nCopper\nEncore:\nRain", "Setlist 04/05/2012"),
    ],
    "a list of songs": [("\n".join(f"Singer {c} - Song {c}" for c in "ABCDEF"), "New Music Friday 10/12")],
    "an interview": [
        ("Interviewer: How did you begin?\nAnn: I had a guitar.\nInterviewer: And?\nAnn: Songs.", "Interview with Ann"),
    ],
    "a translation": [(SONG * 2, "Low Tide (English Translation)"), (SONG * 2, "Marea (Traducción al Español)"),
                      (SONG * 2, "Low Tide [Romanized]")],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "title"), [(kind, *case) for kind, cases in LISTS.items() for case in cases])
def test_lists_and_translations_are_no_songs(kind: str, text: str, title: str) -> None:
    assert non_songs(pl.Series([title]), pl.Series(["Ann"]), pl.Series([text])).to_list() == [kind]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (SONG, "Lost in Translation"),
        (SONG, "Tour Dates"),
        (SONG, "Tracks"),
        (
            "January 1 I woke\nMay 2 you called\nJune 3 we walked\nJuly 4 I held you\nMay 9 we sailed\nMay 12 you said",
            "Calendar",
        ),
        ("\n".join(f"{n}. Never tell me that {n} times" for n in range(1, 9)), "Ten Rules"),
        ("\n".join(f"{name} - Hold on, {name}" for name in ("Ann", "Bea") * 4), "The Charts"),
        (f"Ann: who are you?\n{SONG * 2}", "Interview with a Ghost"),
        (f"May 5, I saw you\n{SONG}\nJune 7, you left\n{SONG}", "Calendar"),
        ("1. You leave\n2. I stay\nand the rain comes down\nover every town\nall day", "Numbers"),
        ("One for the road\nTwo for the sea\n3 little birds\n4 in the morning", "Counting"),
        ("In nineteen ninety nine\nit was 1999\nwe danced\nall night", "1999"),
        ("", ""),
    ],
)
def test_songs_with_dates_and_numbers_are_songs(text: str, title: str) -> None:
    assert non_songs(pl.Series([title]), pl.Series([None]), pl.Series([text])).to_list() == [None]


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), max_size=40))
def test_words_are_counted_as_elsewhere(text: str) -> None:
    assert word_count(pl.Series([text]))[0] == len(lyrist_text.WORD.findall(text))


def test_empty_texts_have_no_words() -> None:
    assert word_count(pl.Series(["", None, "don't stop", "it’s 2 late"])).to_list() == [0, 0, 2, 3]
    assert word_count(pl.Series(["我把灯放在窗边", "창가에 등불을"])).to_list() == [7, 2]
