"""Songs in files of their own: karaoke, subtitles, chords, folders and archives; nothing unsung stays, nothing sung goes."""

# ruff: noqa: E501 - a table of cases
import contextlib
import gzip
import io
import itertools
import re
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrist.cli import run
from lyrist.corpus.columns import recognise
from lyrist.corpus.corpus import Corpus
from lyrist.corpus.reading import Reader, find_sources, sniff
from lyrist.corpus.reading.songfiles import Layout
from lyrist.corpus.reading.songtext import (
    BrokenTextError,
    ManySongsError,
    MarkupError,
    SongText,
    in_format,
    may_be_several,
    songs_in,
)
from lyrist.errors import LyristError

LINES = ["The harbour sleeps tonight", "The gulls are gone", "Light me home across the damp", "I carry the kettle"]
LRC = "".join(f"[00:{10 + i}.00]{line}\n" for i, line in enumerate(LINES))
CHINESE = ["我把灯放在窗边", "你说今晚下雨", "我们数着火车", "纸船等在雨里"]


def notes(*lines: str) -> str:
    """Return lines as UltraStar writes them: two syllables a word where it is long, spaces in front."""
    out, at = [], 0
    for line in lines:
        for n, word in enumerate(line.split()):
            half = max(len(word) // 2, 1)
            for text in (" " * (n > 0) + word[:half], word[half:]):
                out += [f": {at} 3 12 {text}"] if text else []
                at += 4
        out.append(f"- {at}")
    return "\n".join(out) + "\nE\n"


def cues(lines: list[str], stamp: str, form: str = "{}") -> str:
    return "\n".join(f"{i}\n{stamp}\n{form.format(line)}\n" for i, line in enumerate(lines, 1))


SRT, VTT = "00:00:10,000 --> 00:00:12,500", "00:10.000 --> 00:12.500 align:start position:0%"
TTML = '<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttm="http://www.w3.org/ns/ttml#metadata" xml:lang="en">{}</tt>'

ONE_SONG: dict[str, tuple[str, str, dict[str, str]]] = {
    "LRC": ("[ti:Low]\n[ar:Ann]\n[offset:+250]\n[length: 02:58]\n" + LRC, "\n".join(LINES), {"title": "Low", "artist": "Ann"}),
    "LRC out of order": ("[00:30.00]c\n[00:10.00]a\n[00:20.00]b\n", "a\nb\nc", {}),
    "LRC repeated stamps": ("[00:01.00][00:03.00]chorus\n[00:02.00]verse\n[00:04.5]end\n", "chorus\nverse\nchorus\nend", {}),
    "LRC words": ("[00:01.00] <00:01.00> The <00:01.20> low <00:01.30>tide\n[00:02.00]bor<00:02.10>row it\n", "The low tide\nborrow it", {}),
    "LRC words in brackets": ("[00:01.00]The [00:01.20]tide\n[00:02.00]is [00:02.10]low\n", "The tide\nis low", {}),
    "LRC voices": ("[00:01.00]v1: The tide\n[00:02.00]v2: is low\n[00:03.00]F: so low\n[00:04.00]D: all\n", "The tide\nis low\nso low\nall", {}),
    "LRC background": ("[00:01.00]The tide\n[bg: <00:01.50>(is <00:01.60>low)]\n[00:02.00]End\n", "The tide\n(is low)\nEnd", {}),
    "LRC gaps": ("[00:01.00]The tide\n[00:02.00]\n[00:03.00]End\n", "The tide\n\nEnd", {}),
    "LRC one pair is no second language": (LRC + "[00:10.00]Oh\n", "\n".join([LINES[0], "Oh", *LINES[1:]]), {}),
    "LRC Windows line ends": (LRC.replace("\n", "\r\n"), "\n".join(LINES), {}),
    "SubRip": (cues(LINES, SRT, "♪ <i>{}</i> ♪"), "\n".join(LINES), {}),
    "SubRip of two lines": (cues([f"{LINES[0]}\n{LINES[1]}", LINES[2]], SRT, "{{\\an8}}{}"), "\n".join(LINES[:3]), {}),
    "SubStation Alpha": (
        "[Script Info]\nTitle: Low\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        "Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,so low\\Nagain\n"
        "Comment: 0,0:00:02.00,0:00:04.00,Default,,0,0,0,,no words\n"
        "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\k20}The {\\k30}tide, it is low",
        "The tide, it is low\nso low\nagain",
        {"title": "Low"},
    ),
    "SubRip that repeats": (cues([LINES[0], LINES[0]], SRT), f"{LINES[0]}\n{LINES[0]}", {}),
    "WebVTT": (
        "WEBVTT\nKind: captions\nLanguage: en\n\nNOTE a note\nof two lines\n\nSTYLE\n::cue {}\n\n" + cues(LINES, VTT, "<v Ann>{}"),
        "\n".join(LINES),
        {"language": "en"},
    ),
    "WebVTT made by programs": (
        f"WEBVTT\n\n{VTT}\nThe<00:10.1><c> tide</c>\n\n{VTT}\nThe tide\nis<00:11.1><c> low</c>\n\n{VTT}\nis low\n",
        "The tide\nis low",
        {},
    ),
    "TTML": (
        TTML.format("<head><metadata><ttm:title>Low</ttm:title></metadata></head><body><div><p>One</p><p>Two &amp; three</p></div>"
                    '<div><p>Four<br/>five</p></div></body>'),
        "One\nTwo & three\n\nFour\nfive",
        {"title": "Low", "language": "en"},
    ),
    "TTML words and translations": (
        TTML.format('<body><div><p><span>bor</span><span>row</span> <span>it</span><span ttm:role="x-bg"><span>(it)</span></span>'
                    '<span ttm:role="x-translation">leih es</span></p></div></body>'),
        "borrow it (it)",
        {"language": "en"},
    ),
    "UltraStar": (
        "#TITLE:Low\n#ARTIST:Ann\n#GENRE:Pop\n#YEAR:2011\n#LANGUAGE:English\n#BPM:240,5\n#GAP:12\n" + notes(*LINES),
        "\n".join(LINES),
        {"title": "Low", "artist": "Ann", "genre": "Pop", "year": "2011", "language": "English"},
    ),
    "UltraStar spaces behind, held and golden notes": (
        "#TITLE:Low\n#ARTIST:Ann\n: 0 3 12 The \n* 4 3 -2 ti\nF 8 2 0 de \nR 9 1 0 is\n- 12 14\n: 12 3 12 lo\n: 15 3 12 ~\n: 18 3 12 w\nE\n",
        "The tide is\nlow",
        {"title": "Low", "artist": "Ann"},
    ),
    "UltraStar duet": (
        "#TITLE:Low\n#ARTIST:Ann\nP1\n" + notes(*LINES[:2]).replace("E\n", "") + "P2\n" + notes(*LINES[2:]),
        f"{LINES[0]}\n{LINES[1]}\n\n{LINES[2]}\n{LINES[3]}",
        {"title": "Low", "artist": "Ann"},
    ),
    "ChordPro": (
        "{title: Low}\n{artist: Ann}\n{key: G}\n# a comment\n{comment: Verse 1}\n[G]The har[Am7]bour sleeps\n\n"
        "{soc}\n[C/G]Oh the [F#m7b5]lamp\n{eoc}\n{sot}\ne|---0---|\n{eot}\n{c: Softly}\n{start_of_verse: Verse 2}\nEnd [N.C.]here\n{eov}\n{chorus}\n",
        "[Verse 1]\nThe harbour sleeps\n\n[Chorus]\nOh the lamp\n\n[Verse 2]\nEnd here\n\n[Chorus]\nOh the lamp",
        {"title": "Low", "artist": "Ann"},
    ),
    "ChordPro with short names": ("{t:Low}\n{st:Ann}\n[G]The [D]tide\n[Chorus]\nis low\n", "The tide\n[Chorus]\nis low", {"title": "Low", "artist": "Ann"}),
}  # fmt: skip


@pytest.mark.parametrize("case", ONE_SONG)
def test_the_words_that_are_sung_in_the_order_in_which_they_are_sung(case: str) -> None:
    text, lyrics, info = ONE_SONG[case]
    for mark in ("", "\ufeff"):
        (song,) = songs_in(mark + text)
        assert song.lyrics.strip() == lyrics
        assert {name: value for name, value in vars(song).items() if value and name not in ("lyrics", "form")} == info
        assert song.form.split()[0] == case.split()[0]


@pytest.mark.parametrize("order", ["line by line", "one after the other"])
def test_a_translation_is_a_song_of_its_own(order: str) -> None:
    other = LRC
    for line, chinese in zip(LINES, CHINESE, strict=True):
        other = other.replace(line, chinese)
    pairs = "".join(f"{a}\n{b}\n" for a, b in zip(LRC.splitlines(), other.splitlines(), strict=True))
    both = pairs if order == "line by line" else LRC + other
    songs = songs_in(f"[ti:Low]\n{both}[00:40.00]终\n[00:50.00]The end\n")
    assert [song.lyrics.split("\n") for song in songs] == [[*LINES, "The end"], [*CHINESE, "终"]]
    assert [song.title for song in songs] == ["Low", "Low"]


SPANISH = [
    "la noche cae sobre el puerto",
    "y nadie sabe dónde estás",
    "el viento trae tu nombre",
    "y no lo puedo olvidar",
]
ENGLISH = [
    "the night falls over the harbour",
    "and no one knows where you are",
    "the wind brings your name",
    "and I cannot forget it",
]
SPELT = ["wǒ bǎ dēng fàng zài chuāngbiān", "nǐ shuō jīnwǎn xià yǔ", "wǒmen shǔzhe huǒchē", "zhǐchuán děng zài yǔ lǐ"]
TRANSLATED = {
    "SubRip": (cues([f"{a}\n<i>{b}</i>" for a, b in zip(SPANISH, ENGLISH, strict=True)], SRT), [SPANISH, ENGLISH]),
    "WebVTT": ("WEBVTT\n\n" + cues([f"{a}\n{b}" for a, b in zip(CHINESE, ENGLISH, strict=True)], VTT), [CHINESE, ENGLISH]),
    "LRC, on one line": ("".join(f"[00:{i}1.00]{a} / {b}\n" for i, (a, b) in enumerate(zip(SPANISH, ENGLISH, strict=True))), [SPANISH, ENGLISH]),
    "LRC, in threes": (
        "".join(f"[00:{i}1.00]{x}\n" for i, group in enumerate(zip(CHINESE, SPELT, ENGLISH, strict=True)) for x in group),
        [CHINESE, SPELT, ENGLISH],
    ),
    "one language": (cues(["\n".join(ENGLISH[:2]), "\n".join(ENGLISH[2:])] , SRT), [ENGLISH]),
}  # fmt: skip


@pytest.mark.parametrize("case", TRANSLATED)
def test_cues_of_two_languages_are_two_songs(case: str) -> None:
    text, expected = TRANSLATED[case]
    assert [song.lyrics.split("\n") for song in songs_in(text)] == expected


BODY = "Verse 1:\n[G]The harbour sleeps to[C]night\nThe [D]gulls are gone\n\nChorus:\n[G]Light me home"
OVER = "G        C      G\nThe harbour sleeps tonight\nD        G\nThe gulls are gone"
HEADED = {
    "OnSong": (f"Low Tide\nAnn Gravel\nKey: G\nTempo: 90\n\n{BODY}", "Low Tide", "Ann Gravel", BODY),
    "facts in any order": (f"Low Tide\nCapo: 2\nArtist: Ann Gravel\n\n{BODY}", "Low Tide", "Ann Gravel", BODY),
    "facts only": (f"Title: Low Tide\nKey: [G]\n\n{BODY}", "Low Tide", None, BODY),
    "a title over chords": (f"Low Tide Chords by Ann Gravel\n\n{OVER}", "Low Tide", "Ann Gravel", OVER),
    "a title over a section with chords": (f"Low Tide\n\n{BODY}", "Low Tide", None, BODY),
    "a heading": ("# Low Tide\n\nThe harbour sleeps", "Low Tide", None, "The harbour sleeps"),
    "a first line without chords": (f"The tide is low\nSo low\n\n{LINES[0]}", None, None, f"The tide is low\nSo low\n\n{LINES[0]}"),
    "a stanza with a colon": ("Time: it flies\nMother: wait\nYou said\nAnd I\n\nGone", None, None, "Time: it flies\nMother: wait\nYou said\nAnd I\n\nGone"),
}  # fmt: skip


@pytest.mark.parametrize("case", HEADED)
def test_the_head_of_a_chord_sheet_is_not_sung(case: str) -> None:
    text, *expected = HEADED[case]
    (song,) = songs_in(text)
    assert [song.title, song.artist, song.lyrics] == expected


@pytest.mark.parametrize("name", ["Low Tide.md", "Low Tide.onsong", "Low Tide.lyrics"])
def test_a_text_with_another_ending_is_a_song_if_given_by_its_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("\n".join(LINES))
    (source,) = find_sources([tmp_path / name])
    rows = next(iter(Reader(source, recognise(sniff(source)[0])))).songs.to_pylist()
    assert [(row["title"], row["lyrics"]) for row in rows] == [
        (name if name.endswith("md") else "Low Tide", "\n".join(LINES))
    ]


PLAIN = [
    "\n".join(LINES),
    "[Verse 1]\nThe harbour sleeps\n[Chorus]\nLight me home",
    "{laughs}\nThe harbour sleeps",
    "#1 on the chart: me\nThe harbour sleeps",
    "At 00:10 we met\n[00:20] is all I know\nand so on\nand on",
    "1\nThe harbour\n\n2\nsleeps",
    "<i>The harbour sleeps</i>",
    "[G]host in the [A]lamp",
]


@pytest.mark.parametrize("text", PLAIN)
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert songs_in(text) == [SongText(text)]


@settings(max_examples=150)
@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            [
                "[00:01.00]",
                "a",
                "\n",
                "{t:",
                "}",
                "#TITLE:a\n",
                ": 0 1 1 a\n",
                "<tt>",
                "-->",
                "\n\n",
                "[bg:",
                "]",
                "WEBVTT",
                "v1: ",
            ]
        )
    ).map("".join)
)
def test_any_text_is_read(text: str) -> None:
    with contextlib.suppress(BrokenTextError):
        assert all(isinstance(song.lyrics, str) for song in in_format(text))


SONGS = {
    "Low Tide": [*LINES, *LINES[::-1]],
    "High Noon": [*LINES[1:], *LINES, "noon"],
    "Kettle": [*LINES, "x y z", *LINES],
}


def joined(form: str, between: str = "\n\n") -> str:
    return between.join(
        form.format(title=title, n=n, lyrics="\n".join(lines)) for n, (title, lines) in enumerate(SONGS.items(), 1)
    )


@pytest.mark.parametrize(
    "text",
    [
        joined("Title: {title}\n{lyrics}"),
        joined("Song: {title}\nArtist: Ann\n\n{lyrics}"),
        joined("# {title}\n\n{lyrics}"),
        joined("== {title} ==\n{lyrics}"),
        joined("-----\n{title}\n-----\n{lyrics}"),
        joined("{title}\n\n{lyrics}", "\n----------\n"),
        joined("{n}. {title}\n{lyrics}"),
        joined("{title}\n\n{lyrics}", "\n\n\n\n"),
        joined("{title}\n\n{lyrics}", "\n\f"),
        "All songs of Ann\n\n" + joined("Title: {title}\n{lyrics}"),
    ],
)
def test_a_file_of_several_songs_with_a_mark_before_each(text: str) -> None:
    assert {song.title: song.lyrics.split("\n") for song in songs_in(text)} == SONGS


def test_one_song_is_not_divided_and_many_without_marks_are_refused() -> None:
    verses = "\n\n".join("\n".join(LINES * 2) for _ in range(4))
    for text in (
        verses,
        verses.replace("\n\n", "\n-----\n"),
        f"1. {verses}",
        f"[Verse 1]\n\n{verses}\n\n\n[Verse 2]\n\n{verses}",
    ):
        assert songs_in(text) == [SongText(text)]
    with pytest.raises(ManySongsError, match="480 lines, more than a song has, and no mark"):
        songs_in("\n".join(f"{line} {i}" for i in range(120) for line in LINES))


def stanzas(name: str, refrain: str = "", numbered: bool = False) -> str:
    """Return three stanzas of four lines each; their words name the song and the place."""
    parts = []
    for n in "one", "two", "six":
        head = f"[Verse {1 + len(parts)}]\n" if numbered else ""
        parts.append(
            head
            + "\n".join(f"{name} {n} {word} tonight" for word in ("lamp", "gull", "tide"))
            + f"\n{refrain or name + n}"
        )
    return "\n\n".join(parts)


NAMES = ("Copper", "Kettle", "Willow")
REFRAINS = [stanzas(name, f"{name} light me home") for name in NAMES]
COUNTED = [stanzas(name, numbered=True) for name in NAMES]
DIVIDERS = ["\n-----\n", "\n\n=====\n\n", "\n* * *\n", "\n———\n", "\n\n\n\n", "\n\n \n\n\n", "\r\n-----\r\n", "\f"]


@pytest.mark.parametrize("divider", DIVIDERS)
@pytest.mark.parametrize("songs", [REFRAINS, COUNTED], ids=["refrains of their own", "verses that begin again"])
@pytest.mark.parametrize("heading", ["", "Songs of Ann"])
def test_dividers_alone_separate_songs_where_the_evidence_is_strong(
    divider: str, songs: list[str], heading: str
) -> None:
    found = songs_in(divider.join([*[heading] * bool(heading), *songs]))
    assert [song.lyrics for song in found] == songs
    assert [song.title for song in found] == [f"{name} one lamp tonight" for name in NAMES]


ONE_OR_MORE = {
    "the stanzas of one song": (REFRAINS[0].split("\n\n"), False),
    "long stanzas of one song": ([song.replace("\n\n", "\n") for song in REFRAINS], True),
    "a line alone twice": ([f"Willow\n\n{song}" for song in (REFRAINS[0], REFRAINS[0], stanzas("Ember"))], True),
    "two songs": (REFRAINS[:2], True),
    "no refrain": ([stanzas(name) for name in NAMES], True),
    "a common refrain": ([stanzas(name, "Light me home") for name in NAMES], True),
    "one common line": ([*REFRAINS[:2], f"{REFRAINS[2]}\nKettle one gull tonight"], True),
    "lines repeated at once": (
        [re.sub("^(.* lamp .*)", r"\\1\n\\1", stanzas(name), flags=re.M) for name in NAMES],
        True,
    ),
    "songs and a short one": ([*REFRAINS, "Willow one\n\nWillow two"], True),
    "verses that are counted on": ([f"[Verse {n}]\n{song}" for n, song in enumerate(REFRAINS, 1)], False),
    "a song and its source": ([REFRAINS[0], "Written by Ann Gravel"], False),
}


@pytest.mark.parametrize("divider", DIVIDERS[:6])
@pytest.mark.parametrize("case", ONE_OR_MORE)
def test_a_text_with_weak_evidence_is_one_song_and_named(case: str, divider: str) -> None:
    parts, doubtful = ONE_OR_MORE[case]
    text = divider.join(parts)
    assert songs_in(text) == [SongText(text)]
    assert may_be_several(text) == doubtful


def test_two_lines_alone_are_titles_after_dashes_and_not_after_gaps() -> None:
    songs = [f"{name}\n\n{song}" for name, song in zip(NAMES, REFRAINS, strict=True)]
    assert [song.title for song in songs_in("\n-----\n".join(songs[:2]))] == [*NAMES[:2]]
    assert [song.title for song in songs_in("\n\n\n\n".join(songs))] == [*NAMES]
    text = "\n\n\n\n".join(songs[:2])
    assert (songs_in(text), may_be_several(text)) == ([SongText(text)], True)


def test_lines_of_title_and_artist_precede_songs() -> None:
    for between, mark in itertools.product(
        ("\n\n", "\n-----\n", "\n\n-----\n\n"), ('"{}" by Ann\n', "“{}” by Ann\n\n", "«{}» par Ann\n")
    ):
        songs = songs_in(between.join(mark.format(name) + song for name, song in zip(NAMES, REFRAINS, strict=True)))
        assert [(song.title, song.artist, song.lyrics.strip()) for song in songs] == [
            (name, "Ann", song) for name, song in zip(NAMES, REFRAINS, strict=True)
        ]
    for line in ('"Hold on" by the river', '"Hold on" by Ann'):  # sung, or one title three times
        assert len(songs_in("\n\n".join(f"{line}\n{song}" for song in REFRAINS))) == 1


def test_a_file_that_may_be_several_songs_is_in_the_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "d").mkdir()
    for name, parts in (("Ann", REFRAINS), ("Bea", REFRAINS[:2]), ("Cyd", [stanzas("Ember")])):
        (tmp_path / "d" / f"{name}.txt").write_text("\n-----\n".join(parts).replace("tonight", f"tonight {name}"))
    assert run(["prepare", str(tmp_path / "d"), "--out", str(tmp_path / "c"), "--validation", "0", "--test", "0", "--quiet", "--duplicates", "keep"]) == 0  # fmt: skip
    said = " ".join(capsys.readouterr().out.split())
    assert "1 with lines of dashes, wide gaps or titles between parts, read as one song each (Bea.txt)" in said
    assert "1 file with several songs, or a song and its translation (Ann.txt 3)" in said
    assert Corpus.open(tmp_path / "c").ledger.read == 5


PATHS = {
    "Ann/Low Tide/01 - Harbour.txt": ("Harbour", "Ann", "Low Tide", None),
    "Ann/Low Tide/02 - Gulls - Live.txt": ("Gulls - Live", "Ann", "Low Tide", None),
    "Ann/Low Tide/Ann - Lamp.txt": ("Lamp", "Ann", "Low Tide", None),
    "Ann/Low Tide/CD 2/2-01 Kettle.lrc": ("Kettle", "Ann", "Low Tide", None),
    "Bea/Mr. Brightlamp": ("Mr. Brightlamp", "Bea", None, None),
    "Bea/99 Kettles.txt": ("99 Kettles", "Bea", None, None),
    "c/Cyd/Noon/Copper": ("Copper", "Cyd", "Noon", None),
    "0-9/2 Lamps/Noon/Copper": ("Copper", "2 Lamps", "Noon", None),
    "Rock/Dan/Copper.txt": ("Copper", "Dan", None, "Rock"),
    "lyrics/Eve/Copper.txt": ("Copper", "Eve", None, None),
    "Fay - Noon - 03 - Copper.txt": ("Copper", "Fay", None, None),
    "Gil_-_Low_Copper.txt": ("Low Copper", "Gil", None, None),
    "Hal - A - B.txt": ("A - B", "Hal", None, None),
    "Ida -- Low Copper.txt": ("Low Copper", "Ida", None, None),
    "Jon/Lyrics - Copper.txt": ("Copper", "Jon", None, None),
}


@pytest.mark.parametrize("archived", [False, True])
def test_paths_name_title_artist_album_and_genre(archived: bool) -> None:
    root = "" if archived else "/data/lyrics"
    files = [f"{root}/{path}".lstrip("/") if archived else f"{root}/{path}" for path in PATHS]
    layout = Layout(files, root, archived)
    assert {path: tuple(layout(file)) for path, file in zip(PATHS, files, strict=True)} == PATHS


def test_numbers_before_all_titles_of_an_album_are_tracks() -> None:
    files = [f"/d/Ann/Low/{n} Kettle {n}.txt" for n in range(1, 12)]
    layout = Layout(files, "/d")
    assert [layout(file).title for file in files] == [f"Kettle {n}" for n in range(1, 12)]
    assert Layout(["/d/Ann/1999 - Low/1.txt"], "/d/Ann")("/d/Ann/1999 - Low/1.txt")[1:3] == ("Ann", "1999 - Low")


TREE = {
    "README.txt": "This folder holds lyrics.",
    "Ann/Low/01 - Harbour.txt": "\n".join(LINES * 3),
    "Ann/Low/02 - Gulls.lrc": LRC,
    "Bea/Kettle": "\n".join(LINES[::-1] * 3),
    "Bea/cover.jpg": b"\xff\xd8\xff",
    "Bea/._Kettle": b"\0\5\26\7",
    "Bea/scan.txt": b"%PDF-1.7",
    "tables/more.csv": "title,artist,lyrics\nCopper,Cyd,la la\n",
    "tables/notes.txt": "Fetched on Monday",
}
UNREAD = {"README.txt", "Bea/cover.jpg", "Bea/._Kettle", "Bea/scan.txt", "tables/notes.txt"}


def as_folder(path: Path) -> Path:
    for name, content in TREE.items():
        (path / "d" / name).parent.mkdir(parents=True, exist_ok=True)
        (path / "d" / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return path / "d"


def as_zip(path: Path) -> Path:
    with zipfile.ZipFile(path / "d.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in TREE.items():
            archive.writestr(name, content)
    return path / "d.zip"


def as_tar(path: Path) -> Path:
    with tarfile.open(path / "d.tar", "w") as archive:
        for name, content in TREE.items():
            data = content if isinstance(content, bytes) else content.encode()
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path / "d.tar"


def as_tar_gz(path: Path) -> Path:
    packed = path / "d.tar.gz"
    packed.write_bytes(gzip.compress(as_tar(path).read_bytes(), mtime=0))
    return packed


@pytest.mark.parametrize("make", [as_folder, as_zip, as_tar, as_tar_gz])
def test_a_folder_or_archive_is_read_and_the_rest_is_named(make: Callable[[Path], Path], tmp_path: Path) -> None:
    place = make(tmp_path)
    unread: dict[str, str] = {}
    found: list[dict[str, Any]] = []
    for source in find_sources([place], unread):
        header, sample = sniff(source)
        reader = Reader(source, recognise(header, sample=sample, source_name=source.name))
        for chunk in reader:
            found += chunk.songs.to_pylist()
            assert chunk.rejected.num_rows == 0
        assert reader.sha256
    assert {(song["title"], song["artist"]) for song in found} == {
        ("Harbour", "Ann"), ("Gulls", "Ann"), ("Kettle", "Bea"), ("Copper", "Cyd"),
    }  # fmt: skip
    assert {song["lyrics"] for song in found} >= {"\n".join(LINES), "la la"}
    assert {name.removeprefix(f"{place}/") for name in unread} == UNREAD
    reasons = "".join(unread.values())
    for reason in (
        "a README",
        "a text beside a table",
        "it is hidden",
        "not that of a table or song",
        "a PDF document",
    ):
        assert reason in reasons


def test_a_corpus_of_a_folder_adds_up_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = as_folder(tmp_path)
    (folder / "long.txt").write_text("\n".join(f"{line} {i}" for i in range(120) for line in LINES))
    assert run(["prepare", str(folder), "--out", str(tmp_path / "c"), "--validation", "0", "--test", "0", "--quiet", "--min-words", "2"]) == 0  # fmt: skip
    said = capsys.readouterr().out
    corpus = Corpus.open(tmp_path / "c")
    assert corpus.ledger.read == corpus.ledger.kept + sum(corpus.ledger.dropped.values()) == 5
    assert corpus.ledger.dropped["many-songs"] == 1
    assert "d/*.txt: read as 1 LRC: times, chords and marks are left out" in said
    assert "artist and album of 2 songs by their folders" in said
    assert f"{len(UNREAD)} files were not read:" in said


@pytest.mark.parametrize("place", ["Ann Gravel.txt", "a/Ann Gravel.txt", "Ann Gravel/Low Tide.txt"])
def test_a_file_of_several_songs_has_the_name_of_their_artist(place: str, tmp_path: Path) -> None:
    path = tmp_path / "tables" / place
    path.parent.mkdir(parents=True)
    song = "the harbour sleeps below the hill and every lamp is low\n" * 3
    path.write_text("\n".join(f"Title: Tune {number}\n\n{song}" for number in range(3)))
    (source,) = find_sources([tmp_path / "tables"])
    header, sample = sniff(source)
    found = [row for chunk in Reader(source, recognise(header, sample=sample)) for row in chunk.songs.to_pylist()]
    assert [(row["artist"], row["title"]) for row in found] == [("Ann Gravel", f"Tune {number}") for number in range(3)]


def test_a_file_that_is_cut_within_its_marks_is_no_song(tmp_path: Path) -> None:
    whole = TTML.format("<body><div>" + "".join(f"<p>{line}</p>" for line in LINES * 2_000) + "</div></body>")
    for text, count in ((whole, 1), (whole[:-20], 0)):
        (tmp_path / "Ann - Low.ttml").write_text(text)
        (source,) = find_sources([tmp_path])
        (chunk,) = Reader(source, recognise(["title", "artist", "lyrics"]))
        assert (chunk.songs.num_rows, chunk.rejected["reason"].to_pylist()) == (
            count,
            ["unreadable-file"] * (not count),
        )


def test_front_matter_says_what_the_song_is() -> None:
    head = "---\ntitle: 'Low: Tide'\nArtist: Ada Finch\nyear: 1994\ntags: slow\n---\n"
    assert songs_in(head + "The harbour sleeps\nThe gulls are gone\n") == [
        SongText("The harbour sleeps\nThe gulls are gone", title="Low: Tide", artist="Ada Finch", year="1994")
    ]
    dashes = "---\nThe harbour sleeps\n---\nThe gulls are gone"
    assert songs_in(dashes)[0].lyrics == dashes


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<!DOCTYPE html>\n<p>The kettle sings", "HTML"),
        ('<?xml version="1.0"?><song><lyrics>The kettle sings</lyrics></song>', "XML"),
        ("<song>\n<title>Kettle</title>\nThe kettle sings\n</song>\n", "XML"),
        ("{\\rtf1\\ansi The kettle sings}", "RTF"),
        ("- artist: Ann\n  title: Kettle\n  lyrics: |\n    The kettle sings\n", "YAML"),
        ("X:1\nT:Kettle\nM:4/4\nK:G\nGABc|\nw:the ket-tle sings", "ABC"),
    ],
)
def test_documents_with_markup_are_no_songs(text: str, kind: str) -> None:
    with pytest.raises(MarkupError, match=f"it is {kind}, not the plain text of a song"):
        songs_in(text)


def test_paths_of_an_archive_that_lead_elsewhere_are_names_only(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        for name in ("/abs/Ann - Rain.txt", "../../Bea - Up.txt", "Cat - Snow.txt"):
            archive.writestr(name, "\n".join(LINES))
    left: dict[str, str] = {}
    (source,) = find_sources([tmp_path / "s.zip"], left)
    rows = next(iter(Reader(source, recognise(sniff(source)[0])))).songs.to_pylist()
    assert [(row["artist"], row["title"]) for row in rows] == [("Ann", "Rain"), ("Cat", "Snow")]
    assert list(left.values()) == ["its path leads out of the archive"]


def test_archives_that_cannot_be_read_are_one_sentence(tmp_path: Path) -> None:
    whole = as_tar_gz(tmp_path).read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LyristError, match=r"cut\.tar\.gz is damaged.*tar archive"):
        find_sources([tmp_path / "cut.tar.gz"])
    with zipfile.ZipFile(tmp_path / "nest.zip", "w") as archive:
        archive.write(as_zip(tmp_path), "inner.zip")
    with pytest.raises(LyristError, match=r"nest\.zip/inner\.zip is an archive in an archive; unpack it"):
        find_sources([tmp_path / "nest.zip"])
    with tarfile.open(tmp_path / "link.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("a.txt"), io.BytesIO())
        link = tarfile.TarInfo("b.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    unread: dict[str, str] = {}
    (source,) = find_sources([tmp_path / "link.tar"], unread)
    assert source.files == ("a.txt",)
    assert list(unread.values()) == ["it is a link in an archive"]
