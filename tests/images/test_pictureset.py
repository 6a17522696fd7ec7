"""Image data sets: what is read of archives and folders, blocks of classes, splits and near-copies."""

import gzip
import io
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from lyrist.errors import LyristError, UsageError
from lyrist.images import cifar
from lyrist.images.cifar import read_arrays
from lyrist.images.copies import find
from lyrist.images.decoding import UndecodableError, decode, entries
from lyrist.images.pictureset import SPLITS, Block, Pictures, block, halves, read

LABELS = [f"thing {number}" for number in range(5)]


def batch(count: int, key: bytes, seed: int) -> tuple[dict[Any, Any], NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    data = rng.integers(0, 256, (count, 3072), dtype=np.uint8)
    names = [b"p%03d.png" % number for number in range(count)]
    return {b"data": data, key: [n % 5 for n in range(count)], b"filenames": names, b"batch_label": b"one"}, data


def cifar_100(folder: Path, protocol: int = 2) -> NDArray[np.uint8]:
    folder.mkdir(parents=True)
    train, data = batch(20, b"fine_labels", 0)
    test, _ = batch(10, b"fine_labels", 1)
    meta = {b"fine_label_names": [label.encode() for label in LABELS], b"coarse_label_names": [b"all"]}
    for name, table in (("train", train), ("test", test), ("meta", meta)):
        (folder / name).write_bytes(pickle.dumps(table, protocol=protocol))
    return data


def pack(folder: Path, archive: Path) -> None:
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, arcname="cifar-100-python")


def png(colour: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (9, 7), mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).convert(mode).save(out, "PNG")
    return out.getvalue()


def folders(root: Path, classes: int = 4, each: int = 4) -> None:
    for number in range(classes):
        (root / f"c{number}").mkdir(parents=True)
        for place in range(each):
            (root / f"c{number}" / f"{place}.png").write_bytes(png((40 * number, 20 * place, 90)))


# ------------------------------------------------------------------------------------------------ the published forms


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_cifar_100_reads_the_same_packed_and_unpacked(tmp_path: Path, protocol: int) -> None:
    data = cifar_100(tmp_path / "own", protocol)
    pack(tmp_path / "own", tmp_path / "own.tar.gz")
    for path in (tmp_path / "own", tmp_path / "own.tar.gz"):
        found = read(path)
        assert found.form == "cifar-100"
        assert found.classes == tuple(LABELS)
        assert found.pixels.shape == (30, 32, 32, 3)
        assert (found.pixels[3] == data[3].reshape(3, 32, 32).transpose(1, 2, 0)).all()
        assert found.given.tolist() == [0] * 20 + [2] * 10
        assert found.labels[:6].tolist() == [0, 1, 2, 3, 4, 0]
        assert found.names[1] == "train/p001.png"
        assert "no published checksum" in found.checksum


def test_what_python_2_wrote_is_read() -> None:
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    old = pickle.dumps({"data": array, "labels": [1, 2]}, protocol=2).replace(b"numpy._core", b"numpy.core")
    found = read_arrays(old, "old")
    assert (found["data"] == array).all()
    assert found["labels"] == [1, 2]


def test_arrays_in_the_order_of_columns_are_read_as_they_were() -> None:
    array = np.asfortranarray(np.arange(12, dtype=np.int32).reshape(3, 4))
    for protocol in (2, 5):
        assert (read_arrays(pickle.dumps({"x": array}, protocol=protocol), "file")["x"] == array).all()


def test_cifar_10_reads_all_its_batches(tmp_path: Path) -> None:
    for number, name in enumerate(sorted(cifar.CIFAR_10 - {"batches.meta"})):
        (tmp_path / name).write_bytes(pickle.dumps(batch(5, b"labels", number)[0], protocol=2))
    (tmp_path / "batches.meta").write_bytes(pickle.dumps({b"label_names": [b"a", b"b", b"c", b"d", b"e"]}, protocol=2))
    found = read(tmp_path)
    assert (found.form, len(found.labels), (found.given == 2).sum()) == ("cifar-10", 30, 5)


def test_idx_files_become_colour_pictures(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for part, count in (("train", 12), ("t10k", 8)):
        pixels, labels = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8), np.arange(count, dtype=np.uint8) % 4
        for name, array in ((f"{part}-images-idx3-ubyte", pixels), (f"{part}-labels-idx1-ubyte", labels)):
            head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(head + array.tobytes(), mtime=0))
    found = read(tmp_path)
    assert (found.form, found.pixels.shape, found.side) == ("idx", (20, 28, 28, 3), 28)
    assert (found.pixels[0, :, :, 0] == found.pixels[0, :, :, 2]).all()
    assert read(tmp_path, side=16).pixels.shape == (20, 16, 16, 3)


def test_a_file_with_a_published_name_must_have_the_published_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cifar_100(tmp_path / "cifar-100-python")
    archive = tmp_path / "cifar-100-python.tar.gz"
    pack(tmp_path / "cifar-100-python", archive)
    for path in (archive, tmp_path / "cifar-100-python"):
        with pytest.raises(LyristError, match=r"has the MD5 \w{32}, not \w{32} as published"):
            read(path)
    import hashlib

    md5 = hashlib.md5(archive.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setitem(cifar.ARCHIVES, archive.name, md5)
    assert read(archive).checksum == "MD5 as published"


def test_a_set_that_lacks_a_file_says_which(tmp_path: Path) -> None:
    cifar_100(tmp_path / "own")
    (tmp_path / "own" / "meta").unlink()
    with pytest.raises(LyristError, match="not a complete data set of the format cifar-100: the file meta is missing"):
        read(tmp_path / "own")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({b"data": np.zeros((3, 10), np.uint8), b"fine_labels": [0] * 3}, "no array 'data'"),
        ({b"data": np.zeros((3, 3072), np.uint8), b"fine_labels": [0]}, "label in 'fine_labels' for each"),
        ({b"data": np.zeros((3, 3072), np.uint8), b"fine_labels": [b"a"] * 3}, "not whole numbers"),
        ({b"data": np.zeros((3, 3072), np.uint8), b"fine_labels": [99] * 3}, "labels outside its 5 class names"),
        ([1, 2], "contains list instead of a dictionary"),
    ],
)
def test_tables_that_are_not_cifar_say_so(tmp_path: Path, table: Any, told: str) -> None:
    cifar_100(tmp_path / "own")
    (tmp_path / "own" / "train").write_bytes(pickle.dumps(table, protocol=2))
    with pytest.raises(LyristError, match=told):
        read(tmp_path / "own")


# ------------------------------------------------------------------------------------------------------- hostile files


class Evil:
    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> Any:
        return self.call, self.arguments


def hostile(marker: Path) -> list[bytes]:
    import builtins
    import os

    touch = f"touch {marker}"
    return [pickle.dumps({"data": Evil(os.system, touch)}, protocol=protocol) for protocol in (0, 1, 2, 4, 5)] + [
        pickle.dumps({"data": Evil(builtins.eval, f"open({str(marker)!r}, 'w')")}, protocol=2),
        pickle.dumps({"data": Evil(getattr, "text", "upper")}, protocol=2),
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cnumpy.core.multiarray\nscalar\n.",
        b"(i__main__\nEvil\n.",
        b"cnumpy\nndarray\n}S'state'\nS'x'\nsb.",  # attributes for a class
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n}S'__defaults__'\nNsb.",  # attributes for a function
        b"\x80\x02}S'x'\nNsb.",
        b"Pid\n.",
        b"\x80\x02}r\xff\xff\xff\x7f.",  # a table of two billion entries
        b"\x80\x04}\x8e" + (1 << 40).to_bytes(8, "little") + b"x.",  # a text of a terabyte
        b"\x80\x02}U\x01x]q\x00" + b"".join(b"]q%c(h%ch%ce" % (n, n - 1, n - 1) for n in range(1, 60)) + b"s.",
    ]


@pytest.mark.parametrize("number", range(len(hostile(Path("marker")))))
def test_a_hostile_file_is_refused_and_nothing_of_it_is_run(tmp_path: Path, number: int) -> None:
    marker = tmp_path / "owned"
    with pytest.raises(LyristError, match=r"contains .*, which is not part of an array|is damaged") as told:
        read_arrays(hostile(marker)[number], "bad")
    assert not marker.exists()
    assert "\n" not in str(told.value)


def test_an_array_of_objects_is_refused() -> None:
    with pytest.raises(LyristError, match="an array of object"):
        read_arrays(pickle.dumps({"x": np.array([None, {}], dtype=object)}, protocol=2), "bad")


def test_an_array_whose_size_is_a_lie_is_damaged() -> None:
    good = pickle.dumps({"x": np.zeros(200, np.uint8)}, protocol=2)
    with pytest.raises(LyristError, match="damaged"):
        read_arrays(good.replace(b"K\xc8\x85", b"K\xc9\x85"), "bad")


def test_every_cut_of_a_good_file_is_one_sentence(tmp_path: Path) -> None:
    whole = pickle.dumps(batch(2, b"labels", 0)[0], protocol=2)
    for end in [*range(0, 120, 7), len(whole) - 1]:
        with pytest.raises(LyristError):
            read_arrays(whole[:end], "cut")


@pytest.mark.parametrize("name", ["../out.png", "/etc/out.png", "a/../../out.png", "C:/out.png", "..\\out.png"])
def test_an_archive_with_a_path_outside_itself_is_refused(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "bad.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size = 3
        tar.addfile(member, io.BytesIO(b"abc"))
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(name, b"abc")
    for path in (tmp_path / "bad.tar.gz", tmp_path / "bad.zip"):
        with pytest.raises(LyristError, match="leads outside of the archive"):
            read(path)


def test_a_link_out_of_an_archive_is_refused_and_one_inside_is_left_out(tmp_path: Path) -> None:
    for target, fine in (("../../etc/passwd", False), ("other.png", True)):
        with tarfile.open(tmp_path / "links.tar", "w") as tar:
            member = tarfile.TarInfo("a/link.png")
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
        if fine:
            assert next(entries(tmp_path / "links.tar")).reason == "a link"
        else:
            with pytest.raises(LyristError, match="leads outside of the archive"):
                list(entries(tmp_path / "links.tar"))


@pytest.mark.parametrize("content", [b"", b"no archive at all", gzip.compress(b"abc" * 500, mtime=0)])
def test_what_is_no_archive_is_reported_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tar.gz").write_bytes(content)
    with pytest.raises(LyristError, match=r"x\.tar\.gz") as told:
        read(tmp_path / "x.tar.gz")
    assert "\n" not in str(told.value)


def test_a_cut_archive_is_damaged(tmp_path: Path) -> None:
    cifar_100(tmp_path / "own")
    pack(tmp_path / "own", tmp_path / "own.tar.gz")
    whole = (tmp_path / "own.tar.gz").read_bytes()
    (tmp_path / "own.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LyristError, match="damaged"):
        read(tmp_path / "own.tar.gz")


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_an_archive_that_is_damaged_in_its_midst_is_damaged_and_not_shorter(tmp_path: Path, mode: Any) -> None:
    rng = np.random.default_rng(0)
    with tarfile.open(tmp_path / "covers.tar", mode) as tar:
        for number in range(16):
            member, data = tarfile.TarInfo(f"c{number % 4}/{number}.bin"), rng.bytes(5_000)  # noise is stored as it is
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    whole = (tmp_path / "covers.tar").read_bytes()
    place = 5_632 * 9 if mode == "w" else len(whole) // 2
    (tmp_path / "covers.tar").write_bytes(whole[:place] + b"\xff" * 100 + whole[place + 100 :])
    with pytest.raises(LyristError, match="is damaged"):
        list(entries(tmp_path / "covers.tar"))


# ------------------------------------------------------------------------------------------------------------- folders


def test_folders_of_mixed_sizes_and_modes_become_squares_and_bad_files_are_named(tmp_path: Path) -> None:
    folders(tmp_path / "set")
    for mode in ("L", "1", "P", "RGBA", "CMYK", "I;16", "LA"):
        out = io.BytesIO()
        Image.new("L", (40, 20), 130).convert("I;16" if mode == "I;16" else mode).save(
            out, "TIFF" if mode in ("CMYK", "I;16") else "PNG"
        )
        (tmp_path / "set" / "c1" / f"{mode.replace(';', '')}.img").write_bytes(out.getvalue())
    (tmp_path / "set" / "c2" / "broken.png").write_bytes(png()[:40])
    (tmp_path / "set" / "c2" / "notes.txt").write_text("no picture")
    (tmp_path / "set" / "c2" / "empty.jpg").write_bytes(b"")
    (tmp_path / "set" / "loose.png").write_bytes(png())
    (tmp_path / "set" / "c2" / ".DS_Store").write_bytes(b"x")
    found = read(tmp_path / "set", side=16)
    assert found.pixels.shape == (23, 16, 16, 3)
    assert {Path(name).name for name, _ in found.rejected} == {"broken.png", "notes.txt", "empty.jpg", "loose.png"}
    ledger = found.ledger()
    assert ledger["read"] == ledger["kept"] + ledger["rejected"] == 27
    assert dict(found.rejected)["loose.png"] == "not in the folder of a class"


def test_the_split_of_folders_is_kept_and_archives_read_as_folders_do(tmp_path: Path) -> None:
    for part in ("train", "Test"):
        folders(tmp_path / "set" / part)
    with tarfile.open(tmp_path / "set.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "set", arcname="top/set")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in sorted((tmp_path / "set").rglob("*.png")):
            archive.write(file, file.relative_to(tmp_path))
    first, *others = (read(tmp_path / name) for name in ("set", "set.tar.gz", "set.zip"))
    assert sorted(first.given.tolist()) == [0] * 16 + [2] * 16
    assert first.classes == ("c0", "c1", "c2", "c3")
    for other in others:
        assert (other.fingerprint, other.classes) == (first.fingerprint, first.classes)


@pytest.mark.parametrize("top", ["covers", "."])
def test_an_archive_may_begin_with_a_dot(tmp_path: Path, top: str) -> None:
    folders(tmp_path / "set" / "covers")
    with tarfile.open(tmp_path / "set.tar.gz", "w:gz") as tar:  # as `tar -C FOLDER -czf set.tar.gz .` does
        tar.add(tmp_path / "set" / top, arcname=".")
    assert read(tmp_path / "set.tar.gz").classes == ("c0", "c1", "c2", "c3")


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    folders(tmp_path / "set", classes=5)
    (tmp_path / "set" / "c4").rename(tmp_path / "set" / "train")
    found = read(tmp_path / "set")
    assert found.classes == ("c0", "c1", "c2", "c3", "train")
    assert found.rejected == ()
    folders(tmp_path / "split" / "train")
    (tmp_path / "split" / "test").mkdir()
    (tmp_path / "split" / "test" / "1.png").write_bytes(png())  # a test part without labels is no class
    assert read(tmp_path / "split").rejected == (("test/1.png", "not in the folder of a class"),)


@pytest.mark.parametrize("what", ["empty folder", "only bad files"])
def test_a_class_without_a_picture_is_named(tmp_path: Path, what: str) -> None:
    folders(tmp_path)
    (tmp_path / "jazz").mkdir()
    if what == "only bad files":
        (tmp_path / "jazz" / "a.png").write_bytes(b"x")
    with pytest.raises(LyristError, match=r"class 'jazz' in .* has no picture that can be read"):
        read(tmp_path)


def test_too_few_classes_and_nothing_at_all_are_reported(tmp_path: Path) -> None:
    folders(tmp_path / "three", classes=3)
    with pytest.raises(LyristError, match=r"has 3 classes .*at least 4"):
        read(tmp_path / "three")
    with pytest.raises(LyristError, match="There is no file or folder"):
        read(tmp_path / "nowhere")
    (tmp_path / "void").mkdir()
    with pytest.raises(LyristError, match="no picture that can be read"):
        read(tmp_path / "void")
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "a.png").write_bytes(png())
    with pytest.raises(LyristError, match="not in subfolders"):
        read(tmp_path / "flat")
    with pytest.raises(UsageError, match="multiple of 4"):
        read(tmp_path / "three", side=10)


def test_a_transparent_picture_lies_on_white_and_a_camera_is_turned_upright() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(out, "PNG")
    assert (decode(out.getvalue(), 8) == 255).all()
    turned, exif = Image.new("RGB", (8, 8), (0, 0, 0)), Image.Exif()
    turned.paste((255, 255, 255), (0, 0, 8, 4))
    exif[274] = 6  # a quarter turn
    out = io.BytesIO()
    turned.save(out, "PNG", exif=exif)
    assert decode(out.getvalue(), 8)[:, :, 0].mean(axis=0).tolist() == [0] * 4 + [255] * 4


def test_a_picture_that_claims_too_much_is_not_decoded() -> None:
    small = bytearray(png(size=(1, 1)))
    small[16:24] = struct.pack(">II", 60_000, 60_000)
    with pytest.raises(UndecodableError):
        decode(bytes(small), 8)


def pictures(counts: list[int], given_split: list[int] | None = None, seed: int = 0) -> Pictures:
    labels = np.repeat(np.arange(len(counts)), counts)
    pixels = np.random.default_rng(seed).integers(0, 256, (len(labels), 8, 8, 3), dtype=np.uint8)
    split = np.array(given_split if given_split is not None else [-1] * len(labels), dtype=np.int8)
    names = tuple(f"{n}.png" for n in range(len(labels)))
    return Pictures(
        Path("set"), "folders", pixels, labels, split, tuple(f"c{n}" for n in range(len(counts))), names, (), ""
    )


@given(st.lists(st.text(min_size=1), min_size=4, max_size=60, unique=True), st.integers(0, 2**31))
def test_every_class_is_in_one_block_and_none_in_both(classes: list[str], seed: int) -> None:
    first, second = halves(classes, seed)
    assert sorted([*first, *second]) == sorted(classes)
    assert not set(first) & set(second)
    assert len(first) - len(second) in (0, 1)
    assert halves(classes, seed) == (first, second)


@given(st.lists(st.integers(3, 30), min_size=4, max_size=8), st.integers(0, 1000))
def test_every_picture_is_in_one_split_of_one_block(counts: list[int], seed: int) -> None:
    found = pictures(counts)
    parts = [block(found, name, seed) for name in ("1", "2")]
    rows = np.concatenate([part.rows(split) for part in parts for split in SPLITS])
    assert sorted(rows) == list(range(len(found.labels)))
    for part in parts:
        for split in SPLITS:
            assert set(part.labels(split)) == set(part.classes)
            assert [found.classes[n] for n in found.labels[part.rows(split)]] == part.labels(split)
    whole = block(found, "all", seed)
    for split in SPLITS:  # a picture has the same split in its block as in the whole
        assert set(whole.rows(split)) == {*parts[0].rows(split), *parts[1].rows(split)}


def test_a_given_test_part_is_kept_and_validation_comes_out_of_training() -> None:
    found = pictures([20] * 4, ([0] * 15 + [2] * 5) * 4)
    made = block(found, "all", 3)
    assert (found.given[made.rows("test")] == 2).all()
    assert made.counts() == {"train": 52, "validation": 8, "test": 20}
    assert (found.given[made.rows("validation")] == 0).all()
    own = block(pictures([20] * 4, ([0] * 10 + [1] * 5 + [2] * 5) * 4), "all", 3)
    assert own.counts() == {"train": 40, "validation": 20, "test": 20}


def test_another_seed_draws_other_blocks() -> None:
    names = [f"c{n}" for n in range(20)]
    assert len({halves(names, seed) for seed in range(10)}) > 5


def test_fewer_training_pictures_lie_within_more() -> None:
    made = block(pictures([40] * 4), "all", 0)
    few, some = made.with_at_most(5, 1), made.with_at_most(12, 1)
    assert set(few.rows("train")) < set(some.rows("train")) < set(made.rows("train"))
    assert np.bincount(few.targets("train")).tolist() == [5] * 4
    assert few.counts()["test"] == made.counts()["test"]


def test_equal_pictures_stand_on_one_side() -> None:
    found = pictures([30] * 4)
    found.pixels[1::2] = found.pixels[::2]
    made: Block = block(found, "all", 0)
    splits = made.splits.reshape(-1, 2)
    assert (splits[:, 0] == splits[:, 1]).all()


def test_a_class_with_too_few_pictures_is_named_and_so_is_an_unknown_block() -> None:
    with pytest.raises(LyristError, match="class 'c2' in set has 1 pictures, none of them in"):
        block(pictures([9, 9, 1, 9]))
    with pytest.raises(UsageError, match="1, 2 or all"):
        block(pictures([9] * 4), "3")


def smooth(count: int, seed: int) -> NDArray[np.uint8]:
    """Return pictures with large shapes, as photographs have."""
    rough = np.random.default_rng(seed).normal(size=(count, 5, 5, 3))
    places = np.linspace(0, 3.999, 32)
    low, part = places.astype(int), places - places.astype(int)
    rows = rough[:, low] * (1 - part)[None, :, None, None] + rough[:, low + 1] * part[None, :, None, None]
    both = rows[:, :, low] * (1 - part)[None, None, :, None] + rows[:, :, low + 1] * part[None, None, :, None]
    return np.clip(both * 50 + 128, 0, 255).astype(np.uint8)


def test_near_copies_are_found_and_nothing_else() -> None:
    train, test = smooth(400, 1), smooth(120, 2)
    rng = np.random.default_rng(0)
    test[3] = train[17]
    test[40] = np.clip(train[99].astype(int) + rng.integers(-6, 7, (32, 32, 3)), 0, 255)
    test[41] = np.clip(train[120] * 0.8 + 20, 0, 255)  # darker, with less contrast
    test[42] = train[130][:, ::-1]
    test[43] = np.roll(train[140], 1, axis=1)
    found = find(train, test)
    assert dict(zip(found.test.tolist(), found.train.tolist(), strict=True)) == {
        3: 17, 40: 99, 41: 120, 42: 130, 43: 140,
    }  # fmt: skip
    assert found.test[found.exact].tolist() == [3]
    told = found.summary(len(test))
    assert (told["with_copy_in_training"], told["exact"], told["near"]) == (5, 1, 4)


def test_plain_pictures_are_no_copies_of_each_other() -> None:
    train = np.full((5, 8, 8, 3), 40, dtype=np.uint8) + np.arange(5, dtype=np.uint8)[:, None, None, None]
    test = np.full((2, 8, 8, 3), 90, dtype=np.uint8)
    assert len(find(train, test).test) == 0
    assert len(find(train, train[:2]).test) == 2  # the same to the last byte
    assert len(find(train[:0], test).test) == 0
    assert len(find(train, test[:0]).test) == 0


def test_the_short_cut_for_very_large_sets_finds_what_is_very_close(monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = smooth(300, 1), smooth(50, 2)
    test[7] = train[5]
    test[8] = np.clip(train[6].astype(int) + 3, 0, 255)
    monkeypatch.setattr("lyrist.images.copies._ALL", 10)
    assert find(train, test).test.tolist() == [7, 8]


def test_pictures_that_are_all_alike_are_no_copies_but_a_copy_among_them_is() -> None:
    rng = np.random.default_rng(0)
    pattern = smooth(1, 9).astype(int)
    many = np.clip(pattern + (smooth(300, 3).astype(int) - 128) // 8, 0, 255).astype(np.uint8)
    train, test = many[:240], many[240:]
    test[5] = np.clip(train[50].astype(int) + rng.integers(-1, 2, (32, 32, 3)), 0, 255)
    found = find(train, test)
    assert found.test.tolist() == [5]
    assert found.train.tolist() == [50]
