"""Writing with a pretrained model that was not tuned: by directory, with details of the song in its prompt."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from lyrist import progress
from lyrist.cli import run
from lyrist.errors import LyristError, UsageError
from lyrist.generation.write import compose, open_pretrained, write
from lyrist.models import instructions
from lyrist.training.writer import Writer
from tinytokenizer import chat_model


@pytest.fixture(autouse=True)
def _calm() -> None:
    progress.quiet()
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [instructions.request({"title": "Paper Boats"}), "paper boats on the river\nthe moon is a boat\n"] * 9
    return chat_model(tmp_path_factory.mktemp("chat"), texts)


def test_a_directory_writes_without_corpus_or_training(chat: Path, tmp_path: Path) -> None:
    found = write(str(chat), title="Paper Boats", about="childhood", max_tokens=40, out=str(tmp_path / "song.jsonl"))
    assert found.settings["recipe"] == "pretrained"
    assert 0 < found.songs[0].tokens <= 40
    assert "Paper Boats" not in found.songs[0].text  # the request is not part of the song
    stored = json.loads((tmp_path / "song.jsonl").read_text().splitlines()[0])
    assert stored["lyrics"] == found.songs[0].text
    assert write(str(chat), title="Paper Boats", about="childhood", max_tokens=40).songs == found.songs


def test_the_prompt_has_what_is_known_of_the_song(chat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, prefix, read = open_pretrained(chat), Writer.prefix, list[dict[str, str]]()

    def spied(self: Writer, given: Any = None) -> list[int]:
        read.append(dict(given or {}))
        return prefix(self, given)

    monkeypatch.setattr(Writer, "prefix", spied)
    from lyrist.generation.config import GenerationConfig

    config = GenerationConfig(title="Paper Boats", about="childhood", mood="calm", max_tokens=8)
    compose(writer, given={"genre": "folk"}, config=config)
    assert read[-1] == {"genre": "folk", "title": "Paper Boats", "about": "childhood", "mood": "calm"}
    with pytest.raises(UsageError, match="condition of this model called 'year'"):
        compose(writer, given={"year": "1999"}, config=config)


def test_free_writing_has_no_loops(chat: Path) -> None:
    song = compose(open_pretrained(chat), config=None)[0]
    ids = open_pretrained(chat).encode(song.text)
    runs = [tuple(ids[place : place + 4]) for place in range(len(ids) - 3)]
    line_end = set(open_pretrained(chat).encode("\n"))
    inner = [each for each in runs if not line_end & set(each)]
    assert len(inner) == len(set(inner))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("smollm2", "lyrist models fetch smollm2"),
        ("smolm2", "Did you mean the pretrained model 'smollm2'?"),
        ("owner/none", "lyrist models fetch owner/none"),
        ("none.gguf", "none.gguf"),
    ],
)
def test_a_model_that_is_not_here_is_one_sentence(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LYRIST_CACHE", str(tmp_path))
    monkeypatch.setattr("lyrist.models.hub.hub_answers", lambda: False)
    monkeypatch.chdir(tmp_path)
    assert run(["write", name, "--title", "Paper Boats"]) == 1
    assert message in capsys.readouterr().err
    with pytest.raises(LyristError):
        write(name)


# The real model: fetched once into the cache of the user.


@pytest.mark.slow
def test_smollm2_writes_a_stanza_that_rhymes(smollm2: str) -> None:
    found = write(
        smollm2, title="Paper Boats", about="childhood", form="verse", rhyme="AABB", syllables=8, candidates=12, seed=1
    )
    met = found.figures()["met"]
    assert met["rhymes"]["met"] == met["rhymes"]["wanted"] == 2
    assert met["syllables"]["met"] >= 3
    assert all(line.text.isascii() for line in found.songs[0].lines)
