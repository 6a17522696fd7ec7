"""What a run remembers of its training songs, and which texts are flagged as unlike them."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lyrist.errors import LyristError
from lyrist.training.dataset import View, view
from lyrist.training.domain import NO_WORDS, OTHER_LANGUAGE, UNFAMILIAR, Domain

ENGLISH = [
    "the river runs beneath the silent bridge and carries every letter home",
    "she left her lantern burning in the window of the harbour house tonight",
    "we counted all the engines going down the valley in the rain",
    "a ferryman was singing to the tide about the money that he owed",
]


@pytest.fixture(scope="module")
def songs(make_corpus: Any) -> View:
    lyrics = [f"{ENGLISH[i % 4]}\n{ENGLISH[(i + 1) % 4]}" for i in range(60)]
    table = pl.DataFrame({"lyrics": lyrics, "artist": ["ann", "bob"] * 30, "language": ["en"] * 60})
    return view(make_corpus(table), "artist")


def test_texts_unlike_the_training_songs_are_flagged_and_others_are_not(songs: View) -> None:
    domain = Domain.of(songs)
    texts = {
        ENGLISH[2]: [],
        "": [NO_WORDS],
        "\N{ROCKET} ?!": [NO_WORDS],
        "The RIVER runs, the bridge: and the harbour!": [],
        "der mond ist aufgegangen die goldnen sternlein prangen am himmel hell und klar": [OTHER_LANGUAGE, UNFAMILIAR],
        "a perfectly ordinary sentence with rather different vocabulary throughout": [UNFAMILIAR],
    }
    flags, codes = domain.flags(pl.Series(list(texts), dtype=pl.String))
    assert dict(zip(texts, flags.to_list(), strict=True)) == texts
    assert codes[4] == "de"


def test_it_is_stored_and_read_and_a_damaged_file_is_one_sentence(songs: View, tmp_path: Path) -> None:
    domain = Domain.of(songs)
    domain.save(tmp_path)
    assert Domain.load(tmp_path) == domain
    assert Domain.load(tmp_path / "none") is None
    for text in ("{", "[]", '{"words": 3}', '{"languages": {"en": "x"}, "words": [], "threshold": 0}'):
        (tmp_path / "domain.json").write_text(text)
        with pytest.raises(LyristError, match=r"domain\.json"):
            Domain.load(tmp_path)


def test_the_threshold_is_met_by_nearly_all_validation_songs(songs: View) -> None:
    domain = Domain.of(songs)
    shares = domain.familiarity(songs.part("validation")["lyrics"])
    assert (shares >= domain.threshold).all()
    assert domain.familiarity(pl.Series(["river", "qqq", "river qqq"])).to_list() == [1.0, 0.0, 0.5]
