"""Which column is which: presets, common names, options, and every way of not knowing."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lyrist.corpus.columns import NAMES, PRESETS, ROLES, Columns, normal, recognise
from lyrist.errors import LyristError, UsageError

GENIUS = "title,tag,artist,year,views,features,lyrics,id,language_cld3,language_ft,language"
HEADERS = {
    "songdata": ("artist,song,link,text", dict(title="song", artist="artist", lyrics="text")),
    "genius": (
        GENIUS,
        dict(title="title", artist="artist", genre="tag", lyrics="lyrics", language="language", year="year"),
    ),
    "multilingual": (
        "Artist,Song,Genre,Language,Lyrics",
        dict(title="Song", artist="Artist", genre="Genre", language="Language", lyrics="Lyrics"),
    ),
    "metrolyrics": (
        "index,song,year,artist,genre,lyrics",
        dict(title="song", artist="artist", genre="genre", year="year", lyrics="lyrics"),
    ),
    "sixgenres": (
        "ALink,SName,SLink,Lyric,language",
        dict(title="SName", artist="ALink", lyrics="Lyric", language="language", link="ALink"),
    ),
    "sixgenres-artists": (
        "Artist,Genres,Songs,Popularity,Link",
        dict(artist="Artist", genre="Genres", lyrics="", link="Link"),
    ),
    "tcc": (
        ",artist_name,track_name,release_date,genre,lyrics,len,dating,violence,topic,age",
        dict(title="track_name", artist="artist_name", year="release_date", genre="genre", lyrics="lyrics"),
    ),
    "billboard": (
        "artist,title,year,genre,lyrics",
        dict(title="title", artist="artist", year="year", genre="genre", lyrics="lyrics"),
    ),
    "lyricsgenius": (
        "annotation_count,full_title,title,title_with_featured,primary_artist,release_date,album,lyrics,language",
        dict(title="title", artist="primary_artist", year="release_date", lyrics="lyrics", language="language"),
    ),
}


def found(header: str, **options: Any) -> Columns:
    return recognise(header.split(","), source_name="songs.csv", **options)


def fields(columns: Columns) -> dict[str, str]:
    names = (*ROLES, "split", "link")
    return {name: value for name in names if (value := getattr(columns, name)) is not None}


@pytest.mark.parametrize("preset", PRESETS)
def test_each_preset_is_recognised_by_its_columns_in_any_case(preset: str) -> None:
    header, expected = HEADERS[preset]
    columns = found(header)
    assert (columns.preset, fields(columns)) == (preset, expected)
    shouted = found(header.upper())
    assert (shouted.preset, fields(shouted)) == (preset, {name: value.upper() for name, value in expected.items()})


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "sixgenres-artists"])
def test_each_preset_can_be_named(preset: str) -> None:
    assert found(HEADERS[preset][0], preset=preset) == found(HEADERS[preset][0])


def test_older_forms_of_tables_are_recognised() -> None:
    assert found("title,tag,artist,year,views,features,lyrics,id").preset == "genius"
    assert fields(found("ALink,SName,SLink,Lyric,Idiom"))["language"] == "Idiom"
    assert found("title,album,year,lyrics,image,artist").preset == "lyricsgenius"
    assert fields(found("Artist,Songs,Popularity,Link,Genre,Genres"))["genre"] == "Genre"


def test_a_preset_leaves_other_columns_to_their_names() -> None:
    columns = found("artist,song,link,text,genre,lang")
    assert (columns.preset, columns.genre, columns.language) == ("songdata", "genre", "lang")


def test_other_tables_are_read_by_common_names() -> None:
    columns = found("Song Title,Band,Style,Song Lyrics,Released,Lang")
    assert fields(columns) == dict(
        title="Song Title", artist="Band", genre="Style", lyrics="Song Lyrics", year="Released", language="Lang"
    )
    assert columns.preset == "names"
    assert fields(found("number,lyrics")) == {"lyrics": "lyrics"}


@pytest.mark.parametrize(
    "header",
    ["Titel,Interpret,Liedtext,Jahr,Sprache", "titre,artiste,paroles,année,langue", "canción,cantante,letra,año,idioma",
     "título,intérprete,letra,ano,idioma", "titolo,artista,testo,anno,lingua",
     "TrackTitle,ArtistName,SongLyrics,ReleaseYear,LanguageCode",
     "название,исполнитель,текст,год,язык"],
)  # fmt: skip
def test_names_of_columns_in_other_languages(header: str) -> None:
    assert fields(found(header)) == dict(
        zip(("title", "artist", "lyrics", "year", "language"), header.split(","), strict=True)
    )


def test_a_year_is_preferred_to_a_date() -> None:
    assert found("lyrics,date,year").year == "year"


@given(st.fixed_dictionaries({role: st.sampled_from(NAMES[role]) for role in ROLES}), st.randoms())
def test_one_column_of_each_common_name_is_found_in_any_order(chosen: dict[str, str], random: Random) -> None:
    header = [*chosen.values(), "mood", "views"]
    random.shuffle(header)
    assert fields(recognise(header)) == chosen


def test_options_override_presets_and_names() -> None:
    given_ = {"lyrics": "text", "title": "link", "genre": None}
    columns = found("artist,song,link,text", given=given_)
    assert (columns.title, columns.lyrics, columns.artist) == ("link", "text", "artist")
    assert found("lyrics,text", given={"lyrics": "text"}).lyrics == "text"
    assert found("lyrics,Part", given={"split": "part"}).split == "Part"


def test_a_split_is_taken_only_when_named() -> None:
    assert found("lyrics,split").split is None


def test_further_columns_are_kept() -> None:
    assert found(GENIUS, keep=["views", "features"]).keep == ("views", "features")


def error_of(header: str, kind: type[LyristError] = LyristError, **options: Any) -> str:
    with pytest.raises(LyristError) as caught:
        found(header, **options)
    assert type(caught.value) is kind
    return str(caught.value)


def test_no_lyrics_column_lists_the_columns_and_shows_the_option() -> None:
    message = error_of("artist,songs sold,words per minute")
    assert "songs.csv" in message
    assert "artist, 'songs sold', 'words per minute'" in message
    assert "--lyrics COLUMN" in message


@pytest.mark.parametrize(
    ("header", "both", "option"),
    [
        ("title,lyrics,text", ("'lyrics'", "'text'"), "--lyrics lyrics"),
        ("title,song,lyrics", ("'title'", "'song'"), "--title title"),
        ("lyrics,genre,tag", ("'genre'", "'tag'"), "--genre genre"),
        ("lyrics,singer,band", ("'singer'", "'band'"), "--artist singer"),
    ],
)
def test_two_candidates_are_both_named_with_the_option(header: str, both: tuple[str, str], option: str) -> None:
    message = error_of(header)
    assert all(name in message for name in both)
    assert option in message


def test_two_columns_of_one_name() -> None:
    assert "2 columns called 'lyrics'" in error_of("lyrics,title,lyrics")
    assert "2 columns called 'LYRICS'" in error_of("lyrics,title,lyrics", given={"lyrics": "LYRICS"})
    assert "'Lyrics' and 'lyrics'" in error_of("Lyrics,lyrics")
    assert found("Lyrics,lyrics", given={"lyrics": "lyrics"}).lyrics == "lyrics"


def test_an_option_names_no_column() -> None:
    message = error_of("artist,lyrics,genre", UsageError, given={"genre": "gender"})
    assert "songs.csv" in message
    assert "'gender'" in message
    assert "Did you mean 'genre'?" in message
    assert "artist, lyrics, genre" in message
    assert "'vews'" in error_of(GENIUS, UsageError, keep=["vews"])
    assert "column 'title' already" in error_of(GENIUS, UsageError, keep=["title"])


def test_unknown_and_unfitting_presets() -> None:
    assert "Did you mean 'genius'?" in error_of(GENIUS, UsageError, preset="genus")
    message = error_of("artist,lyrics", preset="genius")
    assert "artist, lyrics" in message
    assert "--preset" in message
    assert "field 'mood'" in error_of(GENIUS, UsageError, given={"mood": "tag"})


def rows(**columns: Sequence[str]) -> list[Mapping[str, str]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def test_the_only_column_of_long_texts_is_the_lyrics() -> None:
    song = "a line of words\n" * 20
    assert found("a,b", sample=rows(a=["x"] * 5, b=[song] * 5)).lyrics == "b"
    assert "'a' and 'b'" in error_of("a,b", sample=rows(a=[song] * 5, b=[song] * 5))
    assert "can be recognised" in error_of("a,b", sample=rows(a=["x"] * 5, b=["a long text in one line " * 20] * 5))
    assert "can be recognised" in error_of("a,artist", sample=rows(a=["x"] * 5, artist=[song] * 5))


def test_hostile_and_long_names_are_cut_and_made_printable() -> None:
    message = error_of("\x1b[31mred," + "x" * 5000 + ",\udce9")
    assert "\x1b" not in message
    assert len(message) < 400
    message.encode()
    assert "red, xxxx" in message.replace("'", "").replace("�", "").replace("[31m", "")
    assert found("\x1b[31mred," + "x" * 5000 + ",\udce9,lyrics").lyrics == "lyrics"


NAMED = st.sampled_from(["lyrics", "Text", "title", "song", "band", "genre", "tag", "year", "date", "mood", ""])


@given(st.lists(NAMED | st.text(max_size=12), max_size=8), st.sampled_from(["auto", *PRESETS]))
@example(["mood", "lyrics"], "auto")
def test_any_header_gives_columns_or_one_clear_error(header: list[str], preset: str) -> None:
    candidates = {role: sum(normal(name) in NAMES[role] for name in header) for role in ROLES}
    try:
        columns = recognise(header, preset=preset)
    except LyristError as error:
        assert str(error)
        assert preset != "auto" or not candidates["lyrics"] or max(candidates.values()) > 1
    else:
        assert columns.lyrics in header
        assert normal(columns.lyrics) in NAMES["lyrics"]


def test_names_are_compared_without_case_and_punctuation() -> None:
    assert (
        normal(" Song-Lyrics ")
        == normal("song_lyrics")
        == normal("SONG  LYRICS")
        == normal("SongLyrics")
        == "song_lyrics"
    )
