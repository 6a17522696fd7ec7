"""Languages: songs told apart though they repeat themselves, and nothing told where there is nothing to tell."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrist.corpus import languages
from lyrist.corpus.languages import LANGUAGES, THRESHOLD, check_languages, detect
from lyrist.errors import UsageError

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("LYRIST_DATA", ROOT.parent / "shared" / "data")) / "songs"

SONGS = {
    "en": "the moon is hiding behind the sea\nI don't want to go home without you\na song is playing in the street",
    "es": "la luna se esconde detrás del mar\nno quiero volver a casa sin ti\nen la calle suena una canción",
    "pt": "a lua se esconde atrás do mar\neu não quero voltar pra casa sem você\nna rua toca uma canção",
    "it": "la luna si nasconde dietro il mare\nnon voglio tornare a casa senza te\nnella strada suona una canzone",
    "fr": "la lune se cache derrière la mer\nje ne veux pas rentrer sans toi\ndans la rue on joue une chanson",
    "de": "der mond versteckt sich hinter dem meer\nich will nicht nach hause ohne dich\nauf der straße spielt ein lied",
    "nl": "de maan verstopt zich achter de zee\nik wil niet naar huis zonder jou\nin de straat klinkt een lied",
    "sv": "månen gömmer sig bakom havet\njag vill inte gå hem utan dig\npå gatan spelas en sång",
    "pl": "księżyc chowa się za morzem\nnie chcę wracać do domu bez ciebie\nna ulicy gra piosenka",
    "tr": "ay denizin arkasına saklanıyor\nsensiz eve dönmek istemiyorum\nsokakta bir şarkı çalıyor",
    "id": "bulan bersembunyi di balik laut\naku tak mau pulang tanpa kamu\ndi jalan ada lagu",
    "tl": "nagtatago ang buwan sa likod ng dagat\nayaw kong umuwi nang wala ka\nmay awit sa kalye",
    "ru": "луна прячется за морем\nя не хочу домой без тебя\nна улице звучит песня",
    "ja": "月が海の向こうに隠れる\n君なしで家に帰りたくない\n通りで歌が流れる",
    "ko": "달이 바다 뒤에 숨어\n너 없이 집에 가기 싫어\n거리에서 노래가 흘러",
    "ar": "القمر يختبئ خلف البحر\nلا أريد العودة إلى البيت بدونك\nفي الشارع أغنية",
}
ROMANISED = [
    "kimi no koe ga kikoeru yoru no machi de hitori aruku\nnamida ga koboreru mado no soto ni ame ga futteru",
    "neoui moksoriga deullyeo oneul bam byeolbit araeseo\nnaneun geotgo isseo honja nunmuri heulleo",
    "tum mere dil mein ho raat bhar main jaagta hoon\nchaand ki roshni mein teri yaadein aati hain",
]


def test_languages_are_told_apart() -> None:
    codes, scores = detect(pl.Series(list(SONGS.values())))
    assert codes.to_list() == list(SONGS)
    assert codes.dtype == pl.String
    assert scores.dtype == pl.Float32
    assert (scores >= THRESHOLD).all()


def test_case_layout_and_refrains_do_not_matter() -> None:
    for code, song in SONGS.items():
        noisy = [
            song.upper(),
            song.replace("\n", "\r\n \n"),
            "na na na na hey hey\n" * 20 + song + "\nla la la la" * 20,
        ]
        assert detect(pl.Series(noisy))[0].to_list() == [code] * 3, code


def test_romanised_songs_are_in_no_language() -> None:
    codes, scores = detect(pl.Series(ROMANISED))
    assert codes.to_list() == ["und"] * 3
    assert (scores < THRESHOLD).all()


@pytest.mark.parametrize("text", ["", None, "la la la la", "oh yeah\nhey hey", "1 2 3 4", "...", "♪ ♫"])
def test_texts_without_words_are_in_no_language(text: str | None) -> None:
    codes, scores = detect(pl.Series([text], dtype=pl.String))
    assert codes.to_list() == ["und"]
    assert scores.to_list() == [0.0]


def test_no_texts_have_no_languages() -> None:
    codes, scores = detect(pl.Series([], dtype=pl.String))
    assert (codes.to_list(), scores.to_list()) == ([], [])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=80), max_size=20))
def test_any_text_has_a_known_code_and_a_probability(texts: list[str]) -> None:
    codes, scores = detect(pl.Series(texts, dtype=pl.String))
    assert len(codes) == len(scores) == len(texts)
    assert set(codes) <= set(LANGUAGES)
    for code, score in zip(codes, scores, strict=True):
        assert 0 <= score <= 1
        assert (code == "und") == (score < THRESHOLD)


def test_the_model_loads_in_silence_once_a_process() -> None:
    program = (
        "import polars as pl; from lyrist.corpus import languages as l;"
        "l.detect(pl.Series(['the moon is hiding behind the sea'])); l.detect(pl.Series(['x']));"
        "assert l._model.cache_info().misses == 1"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_codes_are_checked_and_names_are_understood() -> None:
    assert check_languages(["en", " EN ", "Spanish", "und"]) == ["en", "en", "es", "und"]
    assert check_languages([]) == []
    with pytest.raises(UsageError, match="There is no language 'eng'"):
        check_languages(["en", "eng"])


def test_every_language_of_the_model_has_a_name() -> None:
    assert len(LANGUAGES) == 177
    assert {LANGUAGES[code] for code in ("en", "tl", "pt", "zh", "und")} == {
        "English", "Tagalog", "Portuguese", "Chinese", "undetermined",
    }  # fmt: skip
    assert len(set(LANGUAGES.values())) == 177


@pytest.mark.skipif(not DATA.exists(), reason="no real data here")
@pytest.mark.parametrize(
    ("table", "column", "found"),
    [
        ("songdata_part.csv", "text", {"en": 2949, "tl": 10, "fr": 8, "it": 2, "de": 1}),
        ("billboard_1950_2015.csv", "lyrics", {"en": 4020, "es": 5, "de": 2, "pt": 1}),
    ],
)
def test_real_songs_of_other_languages_are_found(table: str, column: str, found: dict[str, int]) -> None:
    codes, _ = detect(pl.read_csv(DATA / table)[column])
    assert dict(codes.value_counts().iter_rows()) == found


@given(st.text(alphabet="aé'’ .\n-漢\u0301", max_size=40))
def test_all_but_letters_become_one_space(text: str) -> None:
    column = pl.Series([text])
    plain = column.str.replace_all(r"[^\p{L}\p{M}'’]+", " ")
    assert column.str.replace_all(languages._NOT_WORDS, " ").to_list() == plain.to_list()
