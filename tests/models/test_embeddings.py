import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from lyrist.errors import LyristError
from lyrist.models.embeddings import read

VOCABULARY = {"[PAD]": 0, "[UNK]": 1, "love": 2, "river": 3, "new york": 4}
GLOVE = "the 9 9 9\nlove 0.5 -1 2\nnew york 1 1 1\nRiver 3 2 1\nlove 7 7 7\n"


@pytest.mark.parametrize("header", ["", "5 3\n"])
@pytest.mark.parametrize("packed", [False, True])
def test_both_formats_packed_or_not(header: str, packed: bool, tmp_path: Path) -> None:
    path = tmp_path / ("v.txt.gz" if packed else "v.txt")
    data = (header + GLOVE).encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    vectors = read(path, VOCABULARY)
    found = dict(zip(vectors.rows.tolist(), vectors.values.tolist(), strict=True))
    assert found == {2: [0.5, -1.0, 2.0], 4: [1.0, 1.0, 1.0], 3: [3.0, 2.0, 1.0]}
    assert vectors.coverage == {"file": path.name, "size": 3, "vocabulary": 5, "found": 3, "share": 0.6}


def test_known_words_get_their_vectors_and_others_a_like_scale(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    path.write_text("love 10 -20 30\n")

    class Model:
        table = torch.nn.Embedding(50, 3, padding_idx=0)

        def get_input_embeddings(self) -> torch.nn.Embedding:
            return self.table

    model = Model()
    read(path, VOCABULARY).place(model)
    assert model.table.weight[2].tolist() == [10.0, -20.0, 30.0]
    assert model.table.weight[0].tolist() == [0.0, 0.0, 0.0]
    assert 10 < model.table.weight[3:].std().item() < 40


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("love 1 2 3\nriver 1 2\n", "line 2: 2 numbers after the word where 3 were expected"),
        ("love 1 2 3\nriver 1 2 3 4\n", "line 2: 4 numbers after the word where 3 were expected"),
        ("5 4\nlove 1 2 3\n", "line 2: 3 numbers after the word where 4 were expected"),
        ("love 1 2 3\nriver 1 x 3\n", "line 2: not all"),
        ("love 1 2 3\nriver 1 nan 3\n", "line 2: .*NaN"),
        ("love is all you need\n", "line 1: a word and its numbers"),
        ("", "is empty"),
        ("5 3\n", "is empty"),
    ],
)
def test_files_of_another_shape_are_reported(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    path.write_text(text)
    with pytest.raises(LyristError, match=message):
        read(path, VOCABULARY)


def test_files_that_cannot_be_read_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    with pytest.raises(LyristError, match="no file of word vectors"):
        read(path, VOCABULARY)
    with pytest.raises(LyristError, match="cannot be read"):
        read(tmp_path, VOCABULARY)
    path.write_bytes(b"love \xff\xfe\x00\x01\n")
    with pytest.raises(LyristError, match="line 1: not UTF-8"):
        read(path, VOCABULARY)
    packed = tmp_path / "v.txt.gz"
    packed.write_bytes(gzip.compress(GLOVE.encode() * 100)[:60])
    with pytest.raises(LyristError, match="cannot be read after line"):
        read(packed, VOCABULARY)
    path.write_text("love 1 2 3\n")
    with pytest.raises(LyristError, match="--embedding-size is 50"):
        read(path, VOCABULARY, 50)


def test_no_word_in_common_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    path.write_text("alien 1 2 3\n")
    vectors = read(path, VOCABULARY)
    assert vectors.values.shape == (0, 3)
    assert vectors.coverage["found"] == 0
    assert np.isfinite(vectors.values).all()
