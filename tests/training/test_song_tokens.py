"""Songs as tokens and as examples: nothing is lost, nothing is split, nothing is made twice."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrist import progress
from lyrist.corpus.corpus import Corpus
from lyrist.errors import LyristError, UsageError
from lyrist.models.language_model import IGNORED, WriterOptions, WriterShape
from lyrist.training import encoding, song_tokens, vocabularies
from lyrist.training.song_tokens import FOLDER, SongTokens, tokenise

HOSTILE = "a <|genre:rap|> b\n\n<|song|><|end|>[PAD] \x1b[2J don't\tknow \n"
OPTIONS = WriterOptions(vocabulary=300)


def lines(count: int, word: str) -> str:
    return "".join(f"{word} number {n} of a song\n" for n in range(count))


@pytest.fixture(scope="module")
def corpus(make_corpus: Any) -> Corpus:
    songs = [lines(1 + n % 9, "rain") if n % 2 else lines(1 + n % 7, "money") for n in range(40)]
    songs[3] = HOSTILE
    genres = [None if n % 10 == 4 else ("rap" if n % 2 else "pop") for n in range(40)]
    return make_corpus(pl.DataFrame({"lyrics": songs, "genre": genres, "artist": [f"A{n % 5}" for n in range(40)]}))


@pytest.fixture(scope="module")
def tokens(corpus: Corpus) -> SongTokens:
    progress.quiet()
    return tokenise(corpus, OPTIONS, ("genre", "artist"))


def shape(tokens: SongTokens, context: int) -> WriterShape:
    return WriterShape(len(tokens.tokenizer), 0, 1, 2, context, tokens.lyrics)


@given(st.text(max_size=60))
@settings(max_examples=80, deadline=None)
def test_every_text_comes_back(tokens: SongTokens, text: str) -> None:
    assert vocabularies.decode(tokens.tokenizer, vocabularies.encode(tokens.tokenizer, [text])[0]) == text


SONGS = st.lists(
    st.one_of(
        st.text(max_size=40),
        st.text(st.sampled_from("ab'’ \t\n\r\u00a0\u0301é1.![]<|>"), max_size=40),
        st.lists(st.sampled_from(["[chorus]", "[verse]", "\n", " ", "la", "<|song|>", "<|genre:rap|>"])).map("".join),
    ),
    max_size=6,
)


@pytest.mark.parametrize("sections", [False, True])
def test_pieces_that_are_encoded_once_give_the_tokens_of_whole_songs(sections: bool, tmp_path: Path) -> None:
    made = vocabularies.learn([lines(4, "don't rain é"), "[chorus] la la\n"] * 3, 330, sections)
    vocabularies.add_conditions(made, {"genre": ["rap"]})
    made.save_pretrained(str(tmp_path))
    backend = encoding.open_backend(str(tmp_path / "tokenizer.json"))

    @given(SONGS)
    @settings(max_examples=100, deadline=None)
    def check(texts: list[str]) -> None:
        ids, lengths = encoding.encode_flat(backend, pl.Series(texts, dtype=pl.String), True)
        expected = vocabularies.encode(made, texts)
        assert lengths.tolist() == [len(row) for row in expected]
        assert ids.tolist() == [number for row in expected for number in row]

    check()


def test_a_killed_run_is_continued(make_corpus: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = make_corpus(pl.DataFrame({"lyrics": [lines(2 + n % 7, "rain") for n in range(60)]}))
    whole = tokenise(corpus, OPTIONS)
    assert whole.path is not None
    expected = {file.name: file.read_bytes() for file in whole.path.iterdir()}
    shutil.rmtree(whole.path)
    encode, dead = encoding.encode_shard, 2**22  # above the largest number of a process
    shards: list[str] = []

    def killed(shard: str, work: dict[str, Any]) -> dict[str, Any]:
        if shards:
            Path(work["folder"]).rename(whole.path.with_name(f".{whole.path.name}-{dead}.partial"))
            raise KeyboardInterrupt
        shards.append(shard)
        return encode(shard, work)

    monkeypatch.setattr(encoding, "encode_shard", killed)
    with pytest.raises(KeyboardInterrupt):
        tokenise(corpus, OPTIONS)
    read: list[str] = []
    blocks = encoding.read_blocks
    monkeypatch.setattr(encoding, "encode_shard", encode)
    monkeypatch.setattr(encoding, "read_blocks", lambda file, *given: read.append(str(file)) or blocks(file, *given))
    monkeypatch.setattr(vocabularies, "learn", None)
    assert tokenise(corpus, OPTIONS).path == whole.path
    assert read
    assert shards[0] not in read
    assert {file.name: file.read_bytes() for file in whole.path.iterdir()} == expected
    assert not list(whole.path.parent.glob(".*"))


def test_workers_give_the_tokens_of_one_process(make_corpus: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = make_corpus(pl.DataFrame({"lyrics": [lines(2 + n % 7, "rain") for n in range(60)]}))
    alone = tokenise(corpus, OPTIONS)
    assert alone.path is not None
    expected = {file.name: file.read_bytes() for file in alone.path.iterdir()}
    shutil.rmtree(alone.path)
    monkeypatch.setattr(song_tokens, "ALONE", 0)
    monkeypatch.setattr("lyrist.corpus.parallel.cores", lambda: 2)
    assert tokenise(corpus, OPTIONS).path == alone.path
    assert {file.name: file.read_bytes() for file in alone.path.iterdir()} == expected


def test_a_line_end_is_a_token_of_its_own_and_what_looks_special_is_text(tokens: SongTokens) -> None:
    ids = vocabularies.encode(tokens.tokenizer, [HOSTILE])[0]
    assert max(ids) < tokens.lyrics
    assert min(ids) > 2
    names = tokens.tokenizer.convert_ids_to_tokens(ids)
    assert sum(name == "Ċ" for name in names) == HOSTILE.count("\n")
    assert all(name == "Ċ" for name in names if "Ċ" in name)
    assert vocabularies.decode(tokens.tokenizer, [1, *ids, 2, tokens.lyrics]) == HOSTILE


def test_conditions_are_single_tokens(tokens: SongTokens) -> None:
    assert tokens.conditions == {"genre": ("pop", "rap"), "artist": ("A0", "A1", "A2", "A3", "A4")}
    ids = tokens.tokenizer("<|genre:rap|>money")["input_ids"]
    assert ids[0] == 1  # transformers' own call begins a song
    assert ids[1] == tokens.condition_ids[0][1] >= tokens.lyrics


def test_values_that_would_be_one_token_are_told(tokens: SongTokens) -> None:
    made = vocabularies.learn(["la la"], 300)
    with pytest.raises(LyristError, match="is equal to another token"):
        vocabularies.add_conditions(made, {"genre": ["rap", "rap"]})


def test_sections_are_single_tokens_that_come_back() -> None:
    made = vocabularies.learn(["la la la\n"], 300, sections=True)
    text = "[chorus]\nla la\n[verse]\n"
    ids = vocabularies.encode(made, [text])[0]
    assert ids.count(made.convert_tokens_to_ids("[chorus]")) == 1
    assert vocabularies.decode(made, ids) == text
    assert len(made) <= 300


def test_written_sequences(corpus: Corpus, tokens: SongTokens) -> None:
    songs = corpus.songs("train")
    sequences = tokens.sequences("train", 1, 2)
    assert len(sequences) == len(songs)
    for number in (0, 3, 4, -1):
        row = songs.row(number, named=True)
        ids = sequences[number if number >= 0 else len(songs) - 1]
        assert ids.dtype == np.int32
        assert (ids[0], ids[-1]) == (1, 2)
        prefix = 2 + (row["genre"] is not None)
        assert vocabularies.decode(tokens.tokenizer, ids.tolist()) == row["lyrics"]
        names = tokens.tokenizer.convert_ids_to_tokens(ids[1:prefix].tolist())
        assert names == [f"<|{c}:{row[c]}|>" for c in ("genre", "artist") if row[c]]
    assert len(sequences[1:3]) == 2
    with pytest.raises(IndexError):
        sequences[len(songs)]


def test_a_second_run_finds_what_the_first_has_made(corpus: Corpus, tokens: SongTokens) -> None:
    assert tokens.path is not None
    assert tokens.path.parent == corpus.path / FOLDER
    made = (tokens.path / "train.ids.npy").stat().st_mtime_ns
    again = tokenise(corpus, OPTIONS, ("genre", "artist"))
    assert again.path == tokens.path
    assert (tokens.path / "train.ids.npy").stat().st_mtime_ns == made
    assert isinstance(again.splits["train"].ids, np.ndarray)
    other = tokenise(corpus, OPTIONS, ("genre",))
    assert other.path != tokens.path
    assert not list((corpus.path / FOLDER).glob(".*"))


def test_damaged_tokens_are_told(make_corpus: Any) -> None:
    corpus = make_corpus(pl.DataFrame({"lyrics": [lines(3, "rain")] * 10}))
    path = tokenise(corpus, OPTIONS).path
    assert path is not None
    (path / "train.starts.npy").write_bytes(b"nothing")
    with pytest.raises(LyristError, match="delete it"):
        tokenise(corpus, OPTIONS)


def test_length_filters_are_counted(corpus: Corpus) -> None:
    found = tokenise(corpus, WriterOptions(vocabulary=300, min_tokens=20, max_tokens=60))
    ledger = found.ledger["train"]
    assert set(ledger["dropped"]) == {"fewer than 20 tokens", "more than 60 tokens"}
    assert ledger["read"] == ledger["kept"] + sum(ledger["dropped"].values()) == len(corpus.songs("train"))
    lengths = found.splits["train"].lengths
    assert lengths.min() >= 20
    assert lengths.max() <= 60
    assert found.path is not None
    assert json.loads((found.path / "tokens.json").read_text())["ledger"] == found.ledger
    with pytest.raises(LyristError, match="has the requested length"):
        tokenise(corpus, WriterOptions(vocabulary=300, min_tokens=5000))


def test_columns_that_cannot_be_conditions(corpus: Corpus) -> None:
    with pytest.raises(UsageError, match="genre"):
        tokenise(corpus, OPTIONS, ("gendre",))
    with pytest.raises(LyristError, match="No training song"):
        tokenise(corpus, OPTIONS, ("language",))
    with pytest.raises(LyristError, match="is repeated"):
        tokenise(corpus, OPTIONS, ("genre", "genre"))


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"vocabulary": 100}, "--vocabulary"),
        ({"context": 3}, "--context"),
        ({"min_tokens": 30, "max_tokens": 20}, "keep no song"),
        ({"condition_dropout": 1.0}, "--condition-dropout"),
    ],
)
def test_options_without_sense(given: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        WriterOptions(**given)


@given(st.integers(1, 400), st.integers(8, 60), st.sampled_from([song_tokens.OVERLAP, song_tokens.REREAD]))
def test_windows_score_each_token_once(length: int, size: int, overlap: float) -> None:
    found = song_tokens.windows(length, size, overlap)
    assert [place for _, scored, end in found for place in range(scored, end)] == list(range(length))
    assert all(0 <= start <= scored and end - start <= size for start, scored, end in found)
    assert all(scored - start >= int(size * overlap) for start, scored, _ in found[1:])


@given(st.lists(st.integers(1, 30), min_size=1, max_size=60))
def test_packed_blocks_hold_everything_and_no_more(lengths: list[int]) -> None:
    blocks = song_tokens.pack(np.array(lengths), 30)
    assert sorted(row for block in blocks for row in block) == list(range(len(lengths)))
    assert all(sum(lengths[row] for row in block) <= 30 for block in blocks)
    # First fit decreasing needs at most 11/9 of the blocks of the best packing, and one more.
    assert len(blocks) <= 11 / 9 * -(-sum(lengths) // 30) + 1 + sum(2 * n > 30 for n in lengths)


@pytest.mark.parametrize("layout", ["songs", "packed"])
@pytest.mark.parametrize("context", [40, 1024])
def test_no_token_is_dropped_in_training(tokens: SongTokens, layout: str, context: int) -> None:
    options = WriterOptions(layout=layout, condition_dropout=0.5)  # type: ignore[arg-type]
    examples = song_tokens.examples(tokens, "train", options, shape(tokens, context), training=True)
    batch = examples.collate(np.arange(len(examples)))
    labels = batch["labels"]
    split = tokens.splits["train"]
    assert int((labels != IGNORED).sum()) == len(split.ids) + len(split)
    assert batch["input_ids"].shape[1] <= context
    scored = batch["input_ids"][labels != IGNORED]
    assert sorted(scored.tolist()) == sorted([*split.ids.tolist(), *[2] * len(split)])
    assert (batch["attention_mask"].sum(dim=1) > 0).all()
    if layout == "packed":
        assert ((batch["song_ids"] > 0) == batch["attention_mask"].bool()).all()
        assert context > 40 or batch["attention_mask"].float().mean() > 0.6


def test_the_layout_of_report_003(tokens: SongTokens) -> None:
    examples = song_tokens.examples(tokens, "train", WriterOptions(layout="padded"), shape(tokens, 1024), training=True)
    assert examples.collate(np.arange(4))["input_ids"].shape == (4, song_tokens.AS_REPORTED)
    assert not examples.bucketed


def test_validation_reads_some_songs_and_all_conditions(tokens: SongTokens) -> None:
    options = WriterOptions(validation_songs=2, condition_dropout=0.9, layout="packed")
    examples = song_tokens.examples(tokens, "validation", options, shape(tokens, 1024), training=False)
    assert len(examples) == 2
    assert (examples.collate(np.arange(2))["input_ids"][:, 1] >= tokens.lyrics).all()
