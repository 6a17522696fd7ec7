"""The encoding of text is detected and reported, what is named wins, and nothing that cannot be read is half read."""

import json
from pathlib import Path
from typing import Any

import pytest

from lyrist.cli import run
from lyrist.corpus.cleaning import clean
from lyrist.corpus.columns import recognise
from lyrist.corpus.corpus import Corpus
from lyrist.corpus.encodings import code_page_of, is_utf8, seven_bit_of, utf16_of
from lyrist.corpus.reading import Reader, find_sources, sniff

TEXTS = {
    "cp1252": [
        "I don’t know what the river’s for\nYou’re the lantern I can’t ignore\nIt’s the wheel that I’ve been on",
        "J'ai laissé la fenêtre ouverte près du garçon\nÇa m'est égal, où que tu sois\nLa rivière chante là-bas",
        "El corazón está allí, mañana será otro día\n¿Dónde está el niño? ¡Qué canción!\nTú y yo, después",
        "Não sei se você virá, coração\nA canção é só de nós, amanhã\nEu já não posso mais, irmão",
        "Ich hör die Vögel über den Dächern\nDie Straße heißt für mich zurück\nSchöne Grüße, mein Mädchen",
        "I lost my heart in the café\nand the lamp was low all night\nso I carried the kettle home",
        "Jeg så en lampe på vejen\nog søen græd så blå, åh nej\nhør på mig, kære",
    ],
    "cp1250": [
        "Zażółć gęślą jaźń, może dziś\nŚpiewam dla ciebie piosenkę, żeby łzy\nniech płyną w noc, a świat śpi",
        "Příliš žluťoučký kůň úpěl\nďábelské ódy, když déšť šuměl\nza oknem nočním",
    ],
    "cp1254": ["Lambayı pencereye koydum\nbu gece yağmur yağacak dedin\ntrenleri saydık, şarkı söyledi çaydanlık"],
    "cp1251": ["Я оставил лампу у окна\nТы сказала, будет дождь\nМы считали поезда\nЧайник тихо пел"],
    "koi8_r": ["Я оставил лампу у окна\nТы сказала, будет дождь\nМы считали поезда\nЧайник тихо пел"],
    "cp932": ["窓辺にランプを置いて\n今夜は雨が降ると君は言う\n僕らは列車を数えていた\nやかんが静かに歌う"],
    "euc_jp": ["窓辺にランプを置いて\n今夜は雨が降ると君は言う\n僕らは列車を数えていた\nやかんが静かに歌う"],
    "gb18030": ["我把灯放在窗边\n你说今晚会下雨\n我们数着火车走\n纸船等在雨里头\n水壶轻轻唱着歌"],
    "big5": ["我把燈放在窗邊\n你說今晚會下雨\n我們數著火車走\n紙船等在雨裡頭"],
    "cp949": ["나는 창가에 등불을 두었네\n오늘 밤 비가 온다고 너는 말했지\n우리는 기차를 세었고"],
    "cp1253": ["Άφησα τη λάμπα στο παράθυρο\nείπες πως απόψε θα βρέξει\nμετρούσαμε τα τρένα"],
    "cp850": [
        "J'ai laissé la fenêtre ouverte près du garçon\nÇa m'est égal, où que tu sois\nLa rivière chante là-bas",
        "El corazón está allí, mañana será otro día\n¿Dónde está el niño? ¡Qué canción!\nTú y yo, después",
        "Não sei se você virá, coração\nA canção é só de nós, amanhã\nEu já não posso mais, irmão",
        "Ich hör die Vögel über den Dächern\nDie Straße heißt für mich zurück\nSchöne Grüße, mein Mädchen",
        "we met on the terrace of the café\nand the lamp was low all night",
        "Jeg så en lampe på vejen\nog søen græd så blå, åh nej\nhør på mig, kære",
    ],
    "cp852": ["Zażółć gęślą jaźń, może dziś\nŚpiewam dla ciebie piosenkę, żeby łzy\nniech płyną w noc, a świat śpi"],
    "cp857": ["Lambayı pencereye koydum\nbu gece yağmur yağacak dedin\ntrenleri saydık, şarkı söyledi çaydanlık"],
    "iso8859_2": [
        "Zażółć gęślą jaźń, może dziś\nŚpiewam dla ciebie piosenkę, żeby łzy\nniech płyną w noc, a świat śpi",
        "Příliš žluťoučký kůň úpěl\nďábelské ódy, když déšť šuměl\nza oknem nočním",
    ],
    "iso8859_5": ["Я оставил лампу у окна\nТы сказала, будет дождь\nМы считали поезда\nЧайник тихо пел"],
    "mac_cyrillic": ["Я оставил лампу у окна\nТы сказала, будет дождь\nМы считали поезда\nЧайник тихо пел"],
    "koi8_u": ["Ніч тихо падає на місто\nі ніхто не знає, де ти є\nвітер твоє ім'я приносить\nїї пісня живе"],
    "mac_roman": [
        "I don’t know what the river’s for\nYou’re the lantern I can’t ignore\nWe’ll be home when the kettle’s sung",
        "J'ai laissé la fenêtre ouverte près du garçon\nÇa m'est égal, où que tu sois, l'été s'achève",
    ],
}
SEVEN_BITS = [
    ("iso2022_jp", TEXTS["cp932"][0]),
    ("hz", TEXTS["gb18030"][0]),
    ("utf-7", TEXTS["cp1252"][1]),
    ("utf-7", TEXTS["cp1251"][0]),
]
CASES = [(encoding, text) for encoding, texts in TEXTS.items() for text in texts]


def table(text: str, rows: int = 3) -> str:
    return "artist,title,lyrics\n" + "".join(f'A,T{i},"{text}"\n' for i in range(rows))


def songs(path: Path, encoding: str = "auto") -> tuple[list[dict[str, Any]], list[dict[str, Any]], Reader]:
    (source,) = find_sources([path])
    header, sample = sniff(source, encoding)
    reader = Reader(source, recognise(header, sample=sample), encoding)
    chunks = list(reader)
    return [s for c in chunks for s in c.songs.to_pylist()], [r for c in chunks for r in c.rejected.to_pylist()], reader


@pytest.mark.parametrize(("encoding", "text"), CASES)
def test_code_pages_are_told_apart(encoding: str, text: str) -> None:
    for data in (text.encode(encoding), table(text, 10).encode(encoding)):
        assert not is_utf8(data)
        assert not utf16_of(data)
        assert data.decode(code_page_of(data)) == data.decode(encoding)


@pytest.mark.parametrize(("encoding", "text"), SEVEN_BITS)
def test_ascii_may_represent_other_characters(encoding: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(table(text, 10).encode(encoding))
    found, rejected, reader = songs(tmp_path / "t.csv")
    assert [song["lyrics"] for song in found] == [text] * 10
    assert not rejected
    assert f"read as {encoding}, detected" in " ".join(reader.notes)


@pytest.mark.parametrize(
    "text", ["me + you + 1\n+44 is the number", "a+b-c+d-e+f-", "~{ hold on ~}", "love++ love+- love"]
)
def test_ascii_with_marks_is_ascii(text: str) -> None:
    assert seven_bit_of(table(text, 10).encode()) == ""


@pytest.mark.parametrize(("encoding", "text"), CASES)
@pytest.mark.parametrize("form", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_needs_no_mark(encoding: str, text: str, form: str, tmp_path: Path) -> None:
    path = tmp_path / "songs.csv"
    path.write_text(table(text), encoding=form, newline="")
    found, rejected, _ = songs(path)
    assert ({song["lyrics"] for song in found}, rejected) == ({text}, [])


@pytest.mark.parametrize("ending", ["csv", "jsonl", "json", "txt", "folder"])
def test_the_encoding_is_detected_reported_and_overruled(tmp_path: Path, ending: str) -> None:
    text = TEXTS["cp1252"][1]
    line = json.dumps({"title": "T", "lyrics": text}, ensure_ascii=False)
    contents = {"csv": table(text), "jsonl": f"{line}\n{line}", "json": f"[{line}]"}
    path = tmp_path / f"d/songs.{ending if ending != 'folder' else 'txt'}"
    path.parent.mkdir()
    path.write_bytes(contents.get(ending, text).encode("cp1252"))
    if ending == "folder":
        (path.parent / "other.txt").write_bytes(TEXTS["cp1251"][0].encode("cp1251"))
    found, rejected, reader = songs(path.parent if ending == "folder" else path)
    assert text in [song["lyrics"] for song in found]
    assert rejected == []
    assert "cp1252" in "".join(reader.notes)
    assert "--encoding names another" in "".join(reader.notes)
    if ending == "folder":
        assert {song["lyrics"] for song in found} == {text, TEXTS["cp1251"][0]}
        assert "1 as cp1251, 1 as cp1252" in "".join(reader.notes)
    else:
        found, _, reader = songs(path, "mac_roman")
        assert found[0]["lyrics"] == text.encode("cp1252").decode("mac_roman")
        assert "encoding" not in "".join(reader.notes)
        assert {row["reason"] for row in songs(path, "utf-8")[1]} == {"invalid-utf8"}


def test_single_values_in_another_encoding_are_read_in_it(tmp_path: Path) -> None:
    text = TEXTS["cp1252"][1]
    path = tmp_path / "songs.csv"
    mixed = table(text, 200).encode() + table(text, 3).encode("cp1252").partition(b"\n")[2]
    ascii_first = table("only plain words here\n" * 3, 9_000).encode() + b'A,T,"' + text.encode("cp1252") + b'"\n'
    for data, count in ((mixed, 3), (ascii_first, 1)):
        path.write_bytes(data)
        found, rejected, reader = songs(path)
        assert [song["lyrics"] for song in found][-count:] == [text] * count
        assert (rejected, reader.repaired) == ([], {"encoding-cp1252": count})
    path.write_bytes(table("words").encode() + b"A,T,\xff\x81\x8d\x90\n")
    found, rejected, _ = songs(path)
    assert (len(found), [row["reason"] for row in rejected]) == (3, ["invalid-utf8"])


def test_nul_bytes_are_no_utf16() -> None:
    for data in (b"title,lyrics\na,la\nb\0,l\0a\nc,\0\nd,la\n", b"la la\0 la la, la la la\n" * 9, b"", b"\0\0", b"a\0"):
        assert utf16_of(data) == ""


DAMAGED = [
    (text, right, wrong)
    for right, texts in TEXTS.items()
    for text in texts
    for wrong in ("latin-1", "cp1252", "mac_roman", "gbk")
    if (right, wrong) in {("cp1252", "mac_roman"), ("mac_roman", "cp1252"), ("cp1252", "gbk"), ("cp1251", "latin-1"),
                          ("cp1251", "cp1252"), ("koi8_r", "cp1252"), ("gb18030", "latin-1"), ("cp1250", "cp1252"),
                          ("cp1254", "cp1252"), ("cp1253", "latin-1"), ("cp949", "latin-1")}
]  # fmt: skip


@pytest.mark.parametrize(("text", "right", "wrong"), DAMAGED)
def test_text_decoded_by_the_wrong_table_is_mended(text: str, right: str, wrong: str) -> None:
    try:
        damaged = text.encode(right).decode(wrong)
    except UnicodeError:
        pytest.skip("it cannot have been read so")
    if wrong == "mac_roman" and sum(c.isalpha() and c > "\x7f" for c in text) == 1:
        pytest.skip("one letter is no evidence")
    if wrong == "gbk" and "’" not in text:
        pytest.skip("accents of French and others are lost in GBK")
    assert clean(damaged) == clean(text)


@pytest.mark.parametrize("text", [text for texts in TEXTS.values() for text in texts])
def test_true_text_is_no_damage(text: str) -> None:
    assert clean(text).translate(str.maketrans("'", "’")) == text.translate(str.maketrans("'", "’"))


@pytest.mark.parametrize("name", ["Россия", "Україна", "À côté", "Ты не одна"])
def test_letters_of_which_half_looks_like_a_space_come_back_whole(tmp_path: Path, name: str) -> None:
    damaged = name.encode().decode("latin-1")
    assert clean(damaged) == name
    words = " ".join(f"слово{i}" for i in range(20))
    (tmp_path / "songs.csv").write_text(f'artist,title,lyrics\n"{damaged}","{damaged}","{damaged}\n{words}"\n', "utf-8")
    assert run(["prepare", str(tmp_path / "songs.csv"), "--out", str(tmp_path / "c"), "--validation", "0", "--test", "0", "--quiet"]) == 0  # fmt: skip # noqa: E501
    (song,) = Corpus.open(tmp_path / "c").songs().to_dicts()
    assert (song["artist"], song["title"], song["lyrics"].split("\n")[0]) == (name, name, name)


def test_lost_apostrophes_and_true_questions() -> None:
    assert clean("I don?t know the river?s name\nYou?re home") == "I don't know the river's name\nYou're home"
    for text in (
        "Why? So? t? s",
        "Who?s there? Nobody",
        "el país de mis raíces\nmaíz y caí",
        "I love 你 my baby, come with me",
    ):
        assert clean(text) == text
