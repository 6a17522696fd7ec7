"""Songs whose genre stands in a table of artists: both are given, in any order, or the songs alone."""

import hashlib
import zipfile
from pathlib import Path

import pytest
from test_reading import readers, rows

from lyrist.errors import LyristError

LYRICS = (
    "ALink,SName,SLink,Lyric,Idiom\n"
    "/10000-maniacs/,More,/10000-maniacs/more.html,la,ENGLISH\n"
    "/ivete/,Arerê,/ivete/a.html,lo,PORTUGUESE\n"
    ",None,,le,\n"
)
ARTISTS = (
    "Artist,Songs,Popularity,Link,Genres\n"
    "10000 Maniacs,110,0.3,/10000-maniacs/,Rock; Pop\n"
    "10000 Maniacs,110,0.3,/10000-maniacs/,Pop\n"
    "Other,1,0,/other/,\n"
)


def test_six_genres_are_joined_with_their_artists(tmp_path: Path) -> None:
    for name, content in [("artists-data.csv", ARTISTS), ("lyrics-data.csv", LYRICS)]:
        (tmp_path / name).write_text(content)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(tmp_path / "artists-data.csv", "artists-data.csv")
        archive.write(tmp_path / "lyrics-data.csv", "lyrics-data.csv")
    for tables in [
        (tmp_path / "artists-data.csv", tmp_path / "lyrics-data.csv"),
        (tmp_path / "lyrics-data.csv", tmp_path / "artists-data.csv"),
        (tmp_path / "all.zip",),
    ]:
        found = [(song["title"], song["artist"], song["genre"], song["language"]) for song in rows(*tables)]
        assert found == [
            ("More", "10000 Maniacs", "Rock", "ENGLISH"),
            ("Arerê", "ivete", None, "PORTUGUESE"),
            ("None", None, None, None),
        ]
    artists = readers(tmp_path / "all.zip")[1]
    assert list(artists) == []
    assert (artists.rows, artists.sha256) == (0, hashlib.sha256(ARTISTS.encode()).hexdigest())


def test_six_genres_without_their_artists(tmp_path: Path) -> None:
    (tmp_path / "lyrics.csv").write_text(LYRICS)
    assert [(s["artist"], s["genre"]) for s in rows(tmp_path / "lyrics.csv")][:1] == [("10000 maniacs", None)]
    kept = rows(tmp_path / "lyrics.csv", keep=("ALink",), artist="SName")[0]
    assert (kept["artist"], kept["ALink"]) == ("More", "/10000-maniacs/")
    (tmp_path / "artists.csv").write_text(ARTISTS)
    with pytest.raises(LyristError, match="table of artists without lyrics"):
        rows(tmp_path / "artists.csv")
