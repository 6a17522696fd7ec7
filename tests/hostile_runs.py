"""Opens mutated runs under Python's audit hooks; by hand for as long as you like: ``python tests/hostile_runs.py SECONDS SEED``.

A run of each kind is trained in a temporary folder and opened once, so that everything that a good run imports is imported.
From then on opening, predicting and scoring a mutated run must not write a file, read a file outside the run and the
installed packages, use the network, start a process, import a module or run code; and what it raises is a `LyristError`.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import sysconfig
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

FORBIDDEN = (
    "socket.", "subprocess.", "os.system", "os.exec", "os.spawn", "os.posix_spawn", "os.fork", "os.remove", "os.rename",
    "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown", "os.putenv", "shutil.",
    "ctypes.dlopen", "pickle.", "marshal.", "builtins.input", "urllib.", "http.", "ftplib.", "webbrowser.", "exec",
    "compile", "import", "tempfile.", "sqlite3.",
)  # fmt: skip
INSTALLED = (sysconfig.get_paths()["stdlib"], sysconfig.get_paths()["purelib"], str(Path(__file__).parents[1] / "src"))
READABLE = (*map(os.path.realpath, INSTALLED), "/proc/", "/sys/", "/dev/urandom", "/dev/null", "/etc/localtime")
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 3.5, 2**31, 2**63, 1e300, -1e300, "", "x", "../../../etc/passwd", "/etc/passwd", [], {}, [[]],
    "sklearn.datasets._covtype.GzipFile", "lyrist.models.baselines.Majority", "os.system", {"array": "x"},
    {"object": ["builtins.dict", {}]}, {"declared": "alpha"}, {"auto_map": {"AutoConfig": "own.Own"}}, "x" * 5_000,
)  # fmt: skip
KEYS = (
    "auto_map", "model_type", "tokenizer_class", "tokenizer_file", "vocab_file", "_attn_implementation", "quantization_config",
    "_name_or_path", "transformers_weights", "architectures", "__class__", "predict_proba", "layers", "recipe", "dtype",
)  # fmt: skip
TEXT = "river moon\nand the moon of the river"


class Watch:
    """Records what an armed process does that opening a run must not do."""

    def __init__(self) -> None:
        self.armed, self.folder, self.seen = False, "", list[str]()
        sys.addaudithook(self._hook)

    def _hook(self, event: str, given: tuple[Any, ...]) -> None:
        if not self.armed:
            return
        if event == "open":
            path, mode, flags = given
            writes = (isinstance(mode, str) and bool(set(mode) & set("wax+"))) or (
                isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC))
            )
            place = "" if isinstance(path, int) else os.path.realpath(os.fsdecode(path))
            if (writes and place != "/dev/null") or not place.startswith((self.folder, *READABLE)):
                self.seen.append(f"open {path} {mode}")
        elif event.startswith(FORBIDDEN) and not (event == "import" and given[0] in sys.modules):
            self.seen.append(f"{event} {str(given)[:200]}")


def make_runs(folder: Path) -> dict[str, Path]:
    """Fit a small run of each kind of artefact."""
    import polars as pl
    import skops.io

    from lyrist import files, progress
    from lyrist.corpus.corpus import Corpus
    from lyrist.corpus.prepare import prepare
    from lyrist.models.inputs import songs
    from lyrist.training import runs
    from lyrist.training.estimators import make_estimator, resolved
    from lyrist.training.train import json_ready
    from lyrist.training.writer import fit_writer

    progress.quiet()
    words = {"ann": "river moon stone the and of", "bob": "neon engine wire of the tide"}
    chance = random.Random(0)
    texts = [" ".join(chance.choices(words[name].split(), k=9)) + f"\nline {n}" for n in range(30) for name in words]
    labels = list(words) * 30
    pl.DataFrame({"lyrics": texts, "artist": labels}).write_csv(folder / "songs.csv")
    prepare(str(folder / "songs.csv"), out=str(folder / "corpus"), languages="", seed=1)
    corpus = Corpus.open(folder / "corpus")
    loop = {"steps": 1, "device": "cpu", "hidden": 4, "embedding_size": 4, "min_count": 1}
    options: dict[str, dict[str, Any]] = {
        "char-svm": {"max_features": 60},
        "ensemble": {"max_features": 60},
        "lstm": loop,
    }
    about = {
        "task": "classify",
        "target": "artist",
        "cleaning": corpus.info["settings"]["cleaning"],
        "songs": {"train": 60},
    }
    found = {name: folder / name for name in (*options, "decision-tree", "ngram", "of-0-1")}
    for name in (*options, "decision-tree"):
        given = options.get(name, {})
        model = make_estimator(name, given).fit(songs(texts, labels), labels)
        runs.save_model(model, found[name])
        config = json_ready(resolved(name, given))
        runs.write_run(found[name], {**about, **runs.describe(model), "recipe": name, "config": config})
    shutil.copytree(found["decision-tree"], found["of-0-1"])
    for path in (found["of-0-1"] / runs.MODEL).glob("estimator.*"):
        path.unlink()
    skops.io.dump(model, found["of-0-1"] / runs.MODEL / "model.skops")
    fit_writer(corpus, "ngram", {"vocabulary": 270}).save(found["ngram"] / runs.MODEL)
    files.write_json(found["ngram"] / runs.MARKER, {"format": 1, "task": "write", "recipe": "ngram"})
    return found


def use(path: Path) -> None:
    """Open a run and let it answer, as the commands do."""
    from lyrist.evaluation.classify import classify
    from lyrist.training.runs import open_run

    run = open_run(path)
    if run.info["task"] == "write":
        run.writer.losses([TEXT, "neon engine"], batch_size=2, device="cpu")
    else:
        classify(str(path), TEXT, "neon engine wire", explain=run.info["recipe"] != "lstm").summary()


def mutated(path: Path, chance: random.Random) -> str:
    """Change one file of a run and say how."""
    files = sorted(
        each for each in path.rglob("*") if each.is_file() and each.suffix in (".json", ".safetensors", ".skops")
    )
    file = chance.choice(files)
    content = file.read_bytes()
    if file.suffix == ".skops" and chance.random() < 0.7:
        with zipfile.ZipFile(file) as archive:
            parts = {entry.filename: archive.read(entry) for entry in archive.infolist()}
        parts["schema.json"] = json.dumps(changed(json.loads(parts["schema.json"]), chance)).encode()
        with zipfile.ZipFile(file, "w") as archive:
            for name, part in parts.items():
                archive.writestr(name, part)
    elif file.suffix == ".safetensors" and chance.random() < 0.5:
        length = int.from_bytes(content[:8], "little")
        header = json.dumps(changed(json.loads(content[8 : 8 + length]), chance)).encode()
        file.write_bytes(len(header).to_bytes(8, "little") + header + content[8 + length :])
    elif file.suffix == ".json" and chance.random() < 0.8:
        file.write_text(json.dumps(changed(json.loads(content), chance)))
    else:
        file.write_bytes(flipped(content, chance))
    return str(file.relative_to(path))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        yield value, key
        yield from _places(item)


def changed(value: Any, chance: random.Random) -> Any:
    """Return a JSON value with some of its keys and values changed."""
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        places = list(_places(value))
        if not places:
            return deepcopy(chance.choice(VALUES))
        holder, key = chance.choice(places)
        kind = chance.random()
        if kind < 0.15 and isinstance(holder, dict):
            del holder[key]
        elif kind < 0.3 and isinstance(holder, dict):
            holder[chance.choice(KEYS)] = deepcopy(chance.choice(VALUES))
        elif kind < 0.4 and isinstance(holder, dict):
            holder[f"{key}x"] = holder.pop(key)
        elif kind < 0.55:
            other, name = chance.choice(places)
            holder[key] = json.loads(json.dumps(other[name]))
        elif kind < 0.65 and isinstance(holder[key], int | float):
            holder[key] = holder[key] * chance.choice((-1, 2, 10, 1000))
        else:
            holder[key] = deepcopy(chance.choice(VALUES))
    return value


def flipped(content: bytes, chance: random.Random) -> bytes:
    """Return the content cut, or with bytes inserted or changed."""
    kind, place = chance.random(), chance.randrange(max(len(content), 1))
    if kind < 0.2:
        return content[:place]
    if kind < 0.3:
        return content[:place] + chance.randbytes(chance.randrange(1, 40)) + content[place:]
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 4, 30))):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def fuzz(seed: int, enough: Callable[[int], bool]) -> tuple[int, int, list[str]]:
    """Mutate runs until ``enough`` of the number so far; return how many, how many were opened, and what went wrong."""
    from lyrist.errors import LyristError

    watch, wrong, opened, count = Watch(), list[str](), 0, 0
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(place).resolve()
        originals = make_runs(folder)
        for path in originals.values():
            use(path)
            use(path)
        watch.folder = str(folder / "hostile")
        while not enough(count):
            chance = random.Random(f"{seed} {count}")
            name = chance.choice(sorted(originals))
            shutil.rmtree(folder / "hostile", ignore_errors=True)
            shutil.copytree(originals[name], folder / "hostile")
            file = mutated(folder / "hostile", chance)
            where, started, outcome = f"mutation {count} of {name}/{file}", time.process_time(), ""
            watch.seen, watch.armed = [], True
            try:
                use(folder / "hostile")
                opened += 1
            except LyristError:
                pass
            except BaseException as error:
                outcome = f"{type(error).__name__}: {str(error)[:300]}"
            finally:
                watch.armed = False
            if outcome:
                wrong.append(f"{where}: raised {outcome}")
            if time.process_time() - started > 20:
                wrong.append(f"{where}: took {time.process_time() - started:.0f} CPU-seconds")
            wrong += [f"{where}: {event}" for event in dict.fromkeys(watch.seen)]
            count += 1
    return count, opened, wrong


if __name__ == "__main__":
    seconds, begun = float(sys.argv[1]), list[float]()

    def enough(count: int) -> bool:
        begun.append(time.monotonic())
        return begun[-1] - begun[0] > seconds

    done, fine, found = fuzz(int(sys.argv[2]), enough)
    print(f"{done} mutations, {fine} opened, {len(found)} findings", *found, sep="\n")  # noqa: T201
    sys.exit(bool(found))
