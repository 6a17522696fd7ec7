"""The corpora of the served runs: opened when they are needed, and checked at each use.

A corpus may be moved, removed or prepared again while a run is served. Each use compares the file ``corpus.json`` with what was
opened; after a change the corpus is opened again, and refused unless it has the fingerprint that the run was trained on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from lyrist.corpus import search
from lyrist.corpus.corpus import Corpus
from lyrist.errors import LyristError
from lyrist.evaluation.originality import Index
from lyrist.serving.requests import Unavailable
from lyrist.text.languages import main_language
from lyrist.training.runs import Run

Made = TypeVar("Made")


class ServedCorpus:
    """The corpus of one or several runs, and what is computed from it once."""

    def __init__(self, run: Run) -> None:
        self._run, self._lock, self._building = run, threading.RLock(), threading.Lock()
        self.runs: list[str] = []
        """Names of the served runs that were trained on it."""
        self._opened: Corpus | None = None
        self._stamp: tuple[int, ...] | None = None
        self._made: dict[str, Any] = {}
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """Name of its directory."""
        return Path(str(self._run.info["corpus"])).name

    def corpus(self) -> Corpus:
        """Return the corpus.

        Raises
        ------
        Unavailable
            It is missing or damaged, or holds other songs than those that the run was trained on.
        """
        with self._lock:
            path = Path(str(self._run.info["corpus"])) / "corpus.json"
            try:
                found = path.stat()
                stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
                if self._opened is None or stamp != self._stamp:
                    self._made.clear()
                    self._opened = None
                    self._opened, self._stamp = self._run.corpus(), stamp
            except (LyristError, OSError):
                self._made.clear()
                self._opened = None
                raise Unavailable(
                    f"The corpus '{self.name}' of this model is not available: it was moved, removed or prepared again since "
                    "the training; restore it, or train the model again."
                ) from None
            return self._opened

    @property
    def available(self) -> bool:
        """Whether it can be read."""
        try:
            self.corpus()
        except LyristError:
            return False
        return True

    @property
    def language(self) -> str | None:
        """Most frequent known language of its songs; None if it is not available."""
        try:
            return main_language(self.corpus().info["counts"].get("languages", {}))
        except LyristError:
            return None

    def index(self) -> Index:
        """Return the phrase index of the training songs; built at the first use, a minute for a million songs."""
        return self._make("index", Index.of)

    def index_if_ready(self) -> Index | None:
        """Return the phrase index, or None while it is built in the background."""
        self.corpus()
        with self._lock:
            if "index" in self._made:
                found: Index = self._made["index"]
                return found
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._build_index, name=f"index {self.name}", daemon=True)
                self._thread.start()
            return None

    def _build_index(self) -> None:
        try:
            self.index()
        except LyristError:  # the next request that needs the index reports it
            return

    def related(self) -> search.RelatedWords:
        """Return the related words of the corpus, counted at the first use."""
        return self._make("related", search.RelatedWords.of)

    def similar(self) -> search.SimilarSongs:
        """Return what finds similar songs, with the words weighed at the first use."""
        return self._make("similar", search.SimilarSongs.of)

    def common(self, column: str) -> list[tuple[str, int]]:
        """Return the most frequent values of a column with their numbers of songs."""
        return self._make(f"common {column}", lambda corpus: search.common(corpus, column))

    def _make(self, what: str, make: Callable[[Corpus], Made]) -> Made:
        """Return what is computed from the corpus; computed again after the corpus was replaced by an equal one."""
        corpus = self.corpus()
        with self._building:
            with self._lock:
                if what in self._made:
                    found: Made = self._made[what]
                    return found
            made = make(corpus)
            with self._lock:
                if self._opened is corpus:
                    self._made[what] = made
            return made


def corpora(runs: Mapping[str, Run]) -> dict[str, ServedCorpus]:
    """Return the corpus of each run, by the name of the run; runs of one corpus share it."""
    shared: dict[tuple[str, str], ServedCorpus] = {}
    found = {}
    for name, run in runs.items():
        if not run.info.get("corpus") or not run.info.get("fingerprint"):
            continue
        corpus = shared.setdefault((str(run.info["corpus"]), str(run.info["fingerprint"])), ServedCorpus(run))
        corpus.runs.append(name)
        found[name] = corpus
    return found
