"""The content of a corpus as plain values: what ``explore.json`` holds and the page of `explore` shows.

The text is read in blocks; of each song some 60 bytes of numbers and labels are kept, so that medians and quantiles are
exact. Figures that need the words use a sample, drawn by a hash of the song's id. Terms of a genre or an artist: TF-IDF
with damped counts and songs of length 1 (Salton and Buckley, "Term-weighting approaches in automatic text retrieval",
1988), the mean over the group less the mean over all others. A term must occur in several songs of the group.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lyrist import progress
from lyrist.corpus import doubtful, trends
from lyrist.corpus.arrays import hashed
from lyrist.corpus.cleaning.rules import KEPT
from lyrist.corpus.corpus import SPLITS, Corpus
from lyrist.corpus.duplicates import covers
from lyrist.corpus.labels import Labels, labels_of, stored_columns
from lyrist.corpus.ledger import REASONS
from lyrist.corpus.names import artist_key, mentions
from lyrist.corpus.splits import Split, leak
from lyrist.text import WORD_PATTERN

if TYPE_CHECKING:
    from scipy.sparse import csr_array

SAMPLE = 20_000
"""At most so many songs are looked at word by word."""
GENERAL = 0.6
"""Share of a full sample that is drawn from all songs; the rest goes to the commonest artists, evenly."""
WINDOW = 50
"""Words in the window on which lexical diversity is measured."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

HEADER = rf"(?m)^{KEPT}$"
"""A section header, as ``--sections keep`` leaves it."""

LABELS = ("artist", "genre", "language")
NAMED = ("artist", "genre")
"""Labels that a text may name."""

GENRE = Labels("genre")

KEPT_AS = "kept {}"
"""What a kept column is called here: one called ``words`` or ``lines`` would be taken for what is measured."""


@dataclass(frozen=True)
class Measured:
    """What a pass over the corpus found."""

    songs: pl.DataFrame
    """One row a song, by id: id, split, cluster, artist, genre, language, year, kept columns (`KEPT_AS`), words, lines,
    repetition, sections. An artist is written in one way, the commonest."""
    sections: dict[str, int]
    """Songs that have a section of each kind."""
    sample: pl.DataFrame
    """By id: id, artist, genre, language, lyrics, ``general`` (false: drawn for its artist) and ``tokens``, the words in
    lower case."""


def measure(corpus: Corpus, top: int, seed: int = 0, genre: Labels = GENRE) -> Measured:
    """Measure all songs of ``corpus``; the sample holds songs of its ``top`` commonest artists for certain."""
    kept = {name: KEPT_AS.format(name) for name in corpus.info["settings"].get("keep", [])}
    labels = one_spelling(corpus.songs(columns=["id", "artist"]))
    drawn = draw(labels, top, seed)
    headers = corpus.info["settings"]["cleaning"]["sections"] == "keep"
    parts, sampled = [], []
    kinds: dict[str, int] = {}
    columns = ["id", "cluster", "artist", "genre", "language", "year", "lyrics", *kept]
    with progress.task("measuring") as advance:
        done = 0
        for split in SPLITS:
            for batch in corpus.batches(split, columns):
                if headers:
                    _count_kinds(batch["lyrics"], kinds)
                named = {
                    "names artist": mentions(pl.col("lyrics"), pl.col("artist")),
                    "names genre": _mentioned(batch, genre),
                }
                read = _measured(batch.rename(kept).with_columns(split=pl.lit(split), **named), headers)
                sampled.append(read.select("id", "lyrics", "tokens").filter(pl.col("id").is_in(drawn["id"].implode())))
                parts.append(_narrow(read, kept.values()))
                done += len(batch)
                advance(done, len(labels))
    songs = pl.concat(parts).join(labels, on="id", how="left").sort("id")
    known = songs.select("id", *LABELS)
    sample = pl.concat(sampled).join(drawn, on="id").join(known, on="id", how="left").sort("id")
    return Measured(songs, dict(sorted(kinds.items(), key=lambda item: -item[1])), sample)


def _mentioned(songs: pl.DataFrame, labels: Labels) -> pl.Expr | pl.Series:
    """Return whether each text names its label, or one of its labels."""
    named = mentions(pl.col("lyrics"), pl.col(labels.column))
    if not labels.multi:
        return named
    rows = labels.rows(songs.select("id", "lyrics", labels.column))
    return rows.group_by("id", maintain_order=True).agg(named.any().alias("named"))["named"]


def one_spelling(songs: pl.DataFrame) -> pl.DataFrame:
    """Return id and artist, names that differ in case and punctuation only written as the commonest of them."""
    keyed = songs.select("id", "artist", key=artist_key())
    names = keyed.drop_nulls().group_by("key", "artist").len().sort("len", "artist", descending=[True, False])
    names = names.unique("key", keep="first", maintain_order=True).select("key", "artist")
    named = keyed.select("id", "key").join(names, on="key", how="left")
    return named.select("id", pl.col("artist").cast(pl.Categorical)).sort("id")


def draw(labels: pl.DataFrame, top: int, seed: int, most: int = SAMPLE) -> pl.DataFrame:
    """Return ``id`` and ``general`` of the sampled songs: all of them, if they are no more than ``most``."""
    songs = labels.with_columns(chance=pl.Series(hashed(labels["id"].to_numpy(), seed))).sort("chance", "id")
    if len(songs) <= most:
        return songs.select("id", general=pl.lit(value=True))
    general = songs.head(int(most * GENERAL))
    common = songs.drop_nulls("artist").group_by("artist").len().top_k(top, by=["len", "artist"])
    each = int(most * (1 - GENERAL)) // max(len(common), 1)
    theirs = songs.join(common, on="artist", how="semi", maintain_order="left")
    theirs = theirs.filter(pl.int_range(pl.len()).over("artist") < each)
    both = pl.concat([general.select("id", general=True), theirs.select("id", general=False)])
    return both.unique("id", keep="first", maintain_order=True)


def tokens(column: str = "lyrics", *, headers: bool = False) -> pl.Expr:
    """Return the expression for the words of a text as `lyrist.text.words` gives them, section headers left out."""
    text = pl.col(column)
    if headers:
        text = text.str.replace_all(HEADER, "")
    return (
        text.str.to_lowercase()
        .str.extract_all(WORD_PATTERN)
        .list.eval(pl.element().str.replace_all("’", "'", literal=True))
    )


def _measured(songs: pl.DataFrame, headers: bool) -> pl.DataFrame:
    """Add tokens, words, lines, repetition and sections."""
    songs = songs.with_columns(
        tokens=tokens(headers=headers),
        sections=pl.col("lyrics").str.count_matches(HEADER) if headers else pl.lit(0),
        lines=pl.col("lyrics").str.count_matches(r"\S[^\n]*"),
    )
    words, distinct = pl.col("tokens").list.len(), pl.col("tokens").list.n_unique()
    return songs.with_columns(
        words=words,
        lines=pl.col("lines") - pl.col("sections"),
        repetition=pl.when(words > 0).then(1 - distinct / words).otherwise(0.0),
    )


def _narrow(songs: pl.DataFrame, kept: Iterable[str]) -> pl.DataFrame:
    """Return the columns that are kept of every song, in small types."""
    return songs.select(
        "id",
        "cluster",
        pl.col("year").cast(pl.Int32),
        pl.col("split", "genre", "language", *kept).cast(pl.Categorical),
        pl.col("words", "lines", "sections").cast(pl.Int32),
        pl.col("repetition").cast(pl.Float32),
        *(f"names {label}" for label in NAMED),
    )


def _count_kinds(lyrics: pl.Series, kinds: dict[str, int]) -> None:
    found = lyrics.str.extract_all(HEADER).list.unique().explode().drop_nulls()
    for header, count in found.value_counts().iter_rows():
        kind = header.strip("[]")
        kinds[kind] = kinds.get(kind, 0) + count


def diversity(sample: pl.DataFrame, window: int = WINDOW) -> pl.DataFrame:
    """Return the lexical diversity of each song: the mean share of different words in every window of it.

    The moving-average type-token ratio of Covington and McFall, "Cutting the Gordian knot" (2010): unlike different
    words over all words it does not fall with length. A word counts in each window that holds it but not its
    predecessor, so that the sum over all windows is a sum over the words.

    Parameters
    ----------
    sample
        ``id`` and ``tokens``.
    window
        Words in a window.

    Returns
    -------
    DataFrame, by id
        ``id`` and ``diversity`` (above 0 to 1) of the songs with at least ``window`` words.
    """
    long = sample.select("id", "tokens", n=pl.col("tokens").list.len().cast(pl.Int64)).filter(pl.col("n") >= window)
    found = []
    for part in long.iter_slices(4_096):
        each = part.with_columns(at=pl.int_ranges("n")).explode("tokens", "at")
        before = pl.col("at").shift(1).over("id", "tokens").fill_null(-1)
        first = pl.max_horizontal(before + 1, pl.col("at") - window + 1)
        last = pl.min_horizontal(pl.col("at"), pl.col("n") - window)
        counted = each.select("id", "n", count=(last - first + 1).clip(lower_bound=0))
        sums = counted.group_by("id").agg(pl.col("count").sum(), pl.col("n").first())
        found.append(sums.select("id", diversity=pl.col("count") / ((pl.col("n") - window + 1) * window)))
    empty = pl.DataFrame(schema={"id": pl.Int64, "diversity": pl.Float64})
    return pl.concat([empty, *found]).sort("id")


def spread(values: pl.Series) -> dict[str, float] | None:
    """Return n, mean, the 5, 25, 50, 75 and 95% quantiles and the maximum of ``values``; None of none."""
    values = values.drop_nulls()
    values = values.filter(values.is_finite())
    if values.is_empty():
        return None
    figures: dict[str, Any] = {"n": len(values), "mean": float(values.cast(pl.Float64).mean())}  # type: ignore[arg-type]
    for share in QUANTILES:
        figures[f"p{round(share * 100):02d}"] = float(values.quantile(share, "linear"))  # type: ignore[arg-type]
    return {**figures, "max": float(values.max())}  # type: ignore[arg-type]


def quantiles(figures: dict[str, float]) -> list[float]:
    """Return the five quantiles of what `spread` found."""
    return [figures[f"p{round(share * 100):02d}"] for share in QUANTILES]


def binned(values: pl.Series, bins: int = 40, *, whole: bool = True) -> dict[str, list[float]]:
    """Return the edges and counts of a histogram; what is above the 99.5% quantile is in the last bin.

    Parameters
    ----------
    values
        Numbers of 0 or more.
    bins
        About how many bins.
    whole
        The values are counts: bins have whole numbers for edges.
    """
    array = values.drop_nulls().to_numpy().astype(float)
    top = float(np.quantile(array, 0.995)) if len(array) else 1.0
    if whole:
        step = max(1, round(np.ceil(top / bins)))
        edges = np.arange(0, (np.ceil(top / step) + 1) * step + 1, step, dtype=float)
    else:
        edges = np.linspace(0, 1, bins + 1)
    counts, _ = np.histogram(np.minimum(array, edges[-1]), edges)
    return {"edges": edges.tolist(), "counts": counts.astype(float).tolist()}


Floats = npt.NDArray[np.float64]

VOCABULARY = 50_000
"""At most so many words, those in most songs."""
COMMON = 0.4
"""In a language without a list of stop words, a word in more than this share of its songs is one."""
ENOUGH = 5
"""Fewest songs of a language for which stop words are found, and of a group for which characteristic words are found."""
ENGLISH = ("en", "und", None)
"""Languages that have the English stop words: songs of unknown language are mostly in English here."""

_ENDINGS = ("'s", "'m", "'re", "'ve", "'ll", "'d", "n't")
_SPOKEN = """
im ive ill id youre youve youll youd hes shes thats theres whats lets its dont cant wont aint isnt didnt doesnt
couldnt wouldnt shouldnt wasnt werent havent hasnt hadnt can't won't ain't shan't let's y'all 'em em cause 'cause
just did does doing having being ll ve re don didn doesn isn wasn couldn wouldn
"""


@cache
def _stop_words() -> frozenset[str]:
    """Return scikit-learn's English stop words with spoken contractions."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(ENGLISH_STOP_WORDS.union(_SPOKEN.split()))


@dataclass(frozen=True)
class Weighted:
    """The words of a sample, weighed."""

    words: list[str]
    weights: csr_array
    """(songs, words) TF-IDF; stop words weigh nothing."""
    songs: npt.NDArray[np.int64]
    """In how many songs each word occurs (as no stop word of the song's language)."""


def is_stop_word(word: str) -> bool:
    """Return whether ``word`` (in lower case) is an English stop word, alone or contracted (``you're``, ``didn't``)."""
    stop = _stop_words()
    return word in stop or any(word.endswith(end) and word.removesuffix(end) in stop for end in _ENDINGS)


def weigh(sample: pl.DataFrame) -> Weighted:
    """Weigh the words of a sample of songs.

    Parameters
    ----------
    sample
        ``tokens`` (the words of each song) and ``language``.
    """
    from scipy.sparse import csr_array, diags_array

    words, counts = _counts(sample["tokens"])
    counts = _without_stop_words(counts, words, sample["language"].cast(pl.String).to_list())
    songs = np.bincount(counts.indices, minlength=len(words)).astype(np.int64)
    n = counts.shape[0]
    weights = counts.astype(float)
    weights.data = (1 + np.log(weights.data)) * (np.log((1 + n) / (1 + songs)) + 1)[weights.indices]
    lengths = np.sqrt(np.asarray((weights * weights).sum(axis=1)).ravel())
    scaled = diags_array(1 / np.maximum(lengths, 1e-12)) @ weights
    return Weighted(words, csr_array(scaled), songs)


def _counts(texts: pl.Series) -> tuple[list[str], csr_array]:
    """Return the vocabulary, the commonest words first, and how often each song has each of its words."""
    from scipy.sparse import coo_array, csr_array

    rare = 3 if len(texts) >= 100 else 1
    long = pl.DataFrame({"row": pl.int_range(len(texts), eager=True), "word": texts}).explode("word").drop_nulls()
    # two letters at least: numbers and single letters say little
    long = long.filter(pl.col("word").str.contains(r"\p{L}.*\p{L}|\p{Lo}"))
    pairs = long.group_by("row", "word").len("count")
    words = pairs.group_by("word").len("songs").filter(pl.col("songs") >= rare)
    words = words.sort("songs", "word", descending=[True, False]).head(VOCABULARY).with_row_index("place")
    cells = pairs.join(words.select("word", "place"), on="word").sort("row", "place")
    shape = (len(texts), len(words))
    table = coo_array((cells["count"].to_numpy(), (cells["row"].to_numpy(), cells["place"].to_numpy())), shape=shape)
    return words["word"].to_list(), csr_array(table)


def _without_stop_words(counts: csr_array, words: Sequence[str], languages: Sequence[str | None]) -> csr_array:
    """Take from each song the stop words of its language."""
    from scipy.sparse import coo_array, csr_array

    english = np.array([not is_stop_word(word) for word in words], dtype=bool)
    keep = np.ones(counts.nnz, dtype=bool)
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    spoken = np.array([language or "" for language in languages])
    for language in dict.fromkeys(languages):
        theirs = spoken == (language or "")
        if language in ENGLISH:
            content = english
        elif (n := int(theirs.sum())) >= ENOUGH:
            content = np.bincount(counts.indices[theirs[rows]], minlength=len(words)) <= COMMON * n
        else:
            continue
        keep &= ~theirs[rows] | content[counts.indices]
    cells = (counts.data[keep], (rows[keep], counts.indices[keep]))
    return csr_array(coo_array(cells, shape=counts.shape))


def characteristic(
    found: Weighted, labels: Sequence[str | list[str] | None], groups: Sequence[str], most: int = 12
) -> dict[str, list[tuple[str, float, int]]]:
    """Return the words by which each group differs from all other songs.

    Parameters
    ----------
    found
        The weighed words of n songs.
    labels
        The group of each of the n songs, or its groups; None for none.
    groups
        The groups wanted.
    most
        Words a group.

    Returns
    -------
    dict
        For each group with at least `ENOUGH` songs its words: (word, weight above 0, songs of the group that have it),
        the weightiest first. A group that is the whole corpus is left out.
    """
    names = [label if isinstance(label, list) else [label] for label in labels]
    total = np.asarray(found.weights.sum(axis=0)).ravel()
    top: dict[str, list[tuple[str, float, int]]] = {}
    for group in groups:
        theirs = np.array([group in each for each in names], dtype=bool)
        n = int(theirs.sum())
        if n < ENOUGH or n == len(names):
            continue
        own = found.weights[theirs]
        sums = np.asarray(own.sum(axis=0)).ravel()
        songs = np.bincount(own.indices, minlength=len(found.words))
        weight = sums / n - (total - sums) / (len(names) - n)
        weight[songs < min(3, 2 + n // 20)] = 0
        best = [i for i in np.argsort(-weight, kind="stable")[:most] if weight[i] > 0]
        top[group] = [(found.words[i], float(weight[i]), int(songs[i])) for i in best]
    return top


def common(found: Weighted, rows: npt.NDArray[np.bool_], most: int = 100) -> dict[str, float]:
    """Return the words in most of the songs marked in ``rows``, and the share of these songs that have each."""
    own = found.weights[rows]
    songs = np.bincount(own.indices, minlength=len(found.words))
    best = [i for i in np.argsort(-songs, kind="stable")[:most] if songs[i]]
    return {found.words[i]: float(songs[i]) / max(int(rows.sum()), 1) for i in best}


SEED = 0
GENRES = 12
"""At most so many genres are compared with one another."""
LISTED = 1_000
"""At most so many values of a column are listed: some columns hold a different one for every song."""
EACH = ((1, 1), (2, 4), (5, 9), (10, 49), (50, None))
"""Ranges of songs an artist has."""


def find(corpus: Corpus, top: int, judged: str | None = None) -> dict[str, Any]:
    """Return everything that is found in ``corpus``; lists of artists hold the ``top`` commonest.

    The labels in the column ``judged`` are judged by a model, see `lyrist.corpus.doubtful`.
    """
    several = stored_columns(corpus)
    labels = {name: labels_of(corpus, name) for name in ("genre", *corpus.info["settings"].get("keep", []))}
    measured = measure(corpus, top, SEED, labels["genre"])
    songs = measured.songs
    by_genre = labels["genre"].rows(songs)
    various = diversity(measured.sample)
    genres, artists = _counted(by_genre, "genre"), _counted(songs, "artist")
    return {
        "corpus": {
            "path": str(corpus.path),
            "fingerprint": corpus.fingerprint,
            "songs": len(songs),
            "splits": {name: corpus.info["counts"]["splits"].get(name, 0) for name in SPLITS},
        },
        "top": top,
        "sample": {"songs": len(measured.sample), "of": len(songs), "seed": SEED},
        "rows": _rows(corpus),
        "artists": {**_labels(songs, "artist", "artist", top), "songs_each": _songs_each(artists)},
        "genres": {**_labels(by_genre, "genre", "genre"), "profiles": _profiles(by_genre, various, genres)},
        "several_labels": several,
        "languages": _labels(songs, "language", "language"),
        "years": _years(songs),
        "trends": trends.find(
            songs, measured.sample.drop("artist", "genre", "language"), various, SEED, labels["genre"]
        ),
        "columns": {
            name: _labels(labels[name].rows(songs, kept), kept, "value")
            for name in corpus.info["settings"].get("keep", [])
            if (kept := KEPT_AS.format(name))
        },
        "lengths": _lengths(songs),
        "sections": {
            "kept": corpus.info["settings"]["cleaning"]["sections"] == "keep",
            "songs_with": int((songs["sections"] > 0).sum()),
            "kinds": measured.sections,
        },
        "repetition": {
            "cleaning": corpus.info["counts"]["repetition"],
            "songs": spread(songs["repetition"]),
            "histogram": binned(songs["repetition"], 25, whole=False),
        },
        "diversity": {
            "window": WINDOW,
            "songs": spread(various["diversity"]),
            "histogram": binned(various["diversity"], 25, whole=False),
        },
        "words": _words(measured, labels["genre"], genres, artists, top),
        "near_copies": _near_copies(corpus),
        "contained": _contained(corpus),
        "mentions": _mentions(songs),
        "doubtful": doubtful.find(corpus, judged or "genre", by_words=judged is not None),
        "leak": _leak(corpus, songs),
    }


def _counted(songs: pl.DataFrame, column: str) -> list[tuple[str, int]]:
    """Return the values of a column and their songs, the commonest first."""
    counts = songs.select(pl.col(column).cast(pl.String)).drop_nulls().group_by(column).len("songs")
    return list(counts.sort("songs", column, descending=[True, False]).iter_rows())


def _labels(rows: pl.DataFrame, column: str, name: str, top: int = LISTED) -> dict[str, Any]:
    """Return how the songs fall on the values of one column; a share is of the songs that have a value.

    A song with several values has a row for each; ``labels`` is then the number of values of all songs.
    """
    counts = _counted(rows, column)
    labels = sum(n for _, n in counts)
    known = rows.filter(pl.col(column).is_not_null())["id"].n_unique()
    shown = [{name: value, "songs": n, "share": n / known} for value, n in counts[:top]]
    found = {"different": len(counts), "known": known, "missing": rows["id"].n_unique() - known, "songs": shown}
    return found | ({"labels": labels} if labels > known else {})


def _songs_each(artists: list[tuple[str, int]]) -> list[dict[str, Any]]:
    """Return how many artists have one song, a few, many."""
    counts = [n for _, n in artists]
    rows = []
    for low, high in EACH:
        theirs = [n for n in counts if low <= n and (high is None or n <= high)]
        name = f"{low}" if low == high else f"{low} to {high}" if high else f"{low} or more"
        rows.append({"songs": name, "artists": len(theirs), "songs_in_all": sum(theirs)})
    return rows


def _years(songs: pl.DataFrame) -> dict[str, Any]:
    counts = songs["year"].drop_nulls().value_counts().sort("year")
    return {
        "missing": songs["year"].null_count(),
        "songs": [{"year": int(y), "songs": int(n)} for y, n in counts.iter_rows()],
    }


def _rows(corpus: Corpus) -> dict[str, Any]:
    counts = corpus.info["counts"]
    ledger = corpus.ledger.to_json()
    return {
        "read": ledger["read"],
        "kept": ledger["kept"],
        "dropped": [
            {"reason": reason, "rows": n, "share": n / ledger["read"], "meaning": REASONS.get(reason, "")}
            for reason, n in ledger["dropped"].items()
        ],
        "repaired": counts["repaired"],
        "rules": {
            rule: {"songs": n, "share": n / max(ledger["kept"], 1)}
            for rule, n in sorted(counts["rules"].items(), key=lambda item: -item[1])
            if n
        },
        "sources": [
            {key: source[key] for key in ("name", "bytes", "rows", "sha256")} for source in corpus.info["sources"]
        ],
    }


def _lengths(songs: pl.DataFrame) -> dict[str, Any]:
    return {
        "words": {"spread": spread(songs["words"]), "histogram": binned(songs["words"])},
        "lines": {"spread": spread(songs["lines"]), "histogram": binned(songs["lines"])},
        "words_a_line": {"spread": spread(songs.select(pl.col("words") / pl.col("lines")).to_series())},
        "one_line": int(((songs["lines"] == 1) & (songs["words"] >= 60)).sum()),
    }


def _profiles(songs: pl.DataFrame, various: pl.DataFrame, genres: list[tuple[str, int]]) -> list[dict[str, Any]]:
    """Return what the songs of each of the commonest genres are like."""
    rows = []
    joined = songs.select("id", "words", "repetition", pl.col("genre", "artist").cast(pl.String))
    joined = joined.join(various, on="id", how="left")
    for genre, n in genres[:GENRES]:
        own = joined.filter(pl.col("genre") == genre)
        found = {name: spread(own[name]) for name in ("words", "repetition", "diversity")}
        rows.append({"genre": genre, "songs": n, "artists": own["artist"].drop_nulls().n_unique(), **found})
    return rows


def _words(
    measured: Measured, genre: Labels, genres: list[tuple[str, int]], artists: list[tuple[str, int]], top: int
) -> dict[str, Any]:
    """Return the words of all songs, and those by which the genres and the artists differ."""
    sample = measured.sample
    weighed = weigh(sample)
    result: dict[str, Any] = {"common": common(weighed, sample["general"].to_numpy())}
    for labels, groups in ((genre, genres[:GENRES]), (Labels("artist"), artists[:top])):
        column = labels.column
        found = characteristic(weighed, labels.read(sample[column]).to_list(), [name for name, _ in groups], most=60)
        have = dict(_counted(labels.rows(sample), column))
        result[column] = [
            {
                column: name,
                "songs": have[name],
                "words": [{"word": word, "weight": weight, "songs": n} for word, weight, n in words],
            }
            for name, words in found.items()
            if words
        ]
    return result


def _near_copies(corpus: Corpus) -> dict[str, Any]:
    """Return how many near-copies there are, and the clusters of them with all their names."""
    found = corpus.duplicates
    looked = corpus.info["settings"]["duplicates"] != "keep"
    if found.is_empty():
        return {"looked_for": looked, "songs": 0, "clusters": 0, "covers": 0, "list": []}
    about = covers(found)
    grouped = (
        found.join(about.select("cluster", "cover"), on="cluster")
        .sort("cluster", "jaccard", "id", descending=[False, True, False])
        .group_by("cluster", maintain_order=True)
        .agg("id", "artist", "title", "jaccard", "split", pl.col("cover").first())
        .sort("cover", "cluster", descending=[True, False])
    )
    clusters = [
        {
            "cover": row["cover"],
            "jaccard": min(row["jaccard"]),
            "songs": [
                {"id": i, "artist": a, "title": t, "split": s}
                for i, a, t, s in zip(row["id"], row["artist"], row["title"], row["split"], strict=True)
            ],
        }
        for row in grouped.head(2_000).iter_rows(named=True)
    ]
    return {
        "looked_for": looked,
        "songs": len(found),
        "clusters": len(about),
        "covers": int(about["cover"].sum()),
        "list": clusters,
    }


def _mentions(songs: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Return for each label how many songs have one, and how many of these name it."""
    result = {}
    for label in NAMED:
        known = songs.filter(pl.col(label).is_not_null())
        result[label] = {"known": len(known), "named": int(known[f"names {label}"].sum())}
    return result


def _contained(corpus: Corpus) -> dict[str, Any]:
    """Return the kept songs that are contained in others, the most contained first."""
    pairs = corpus.contained.drop_nulls(["split", "within_split"])
    pairs = pairs.sort("containment", "id", "within", descending=[True, False, False])
    return {"songs": pairs["id"].n_unique(), "pairs": len(pairs), "list": pairs.head(2_000).to_dicts()}


def _leak(corpus: Corpus, songs: pl.DataFrame) -> dict[str, Any]:
    """Return the share of test songs whose artist or near-copy is in training: by a random split, and in this corpus."""
    settings = corpus.info["settings"]["split"]
    shares = Split(validation=settings["validation"], test=settings["test"] or 0.1)
    own = songs.select("id", "cluster", "split", pl.col("artist").cast(pl.String))
    gone = corpus.duplicates.filter(pl.col("split").is_null()).select("id", "cluster", "artist")
    everything = pl.concat([own.select("id", "cluster", "artist"), gone])
    looked = corpus.info["settings"]["duplicates"] != "keep"
    result = {"random": leak(everything, SEED, shares), "corpus": _own_leak(own), "looked_for": looked}
    for found in (result["random"], result["corpus"]):
        if not looked:
            found["near_copy"] = None
        if own["artist"].null_count() == len(own):
            found["artist"] = None
    return result


def _own_leak(songs: pl.DataFrame) -> dict[str, Any]:
    test, train = (songs.filter(pl.col("split").cast(pl.String) == name) for name in ("test", "train"))
    shares = {}
    for column in ("artist", "cluster"):
        known = test[column].is_in(train[column].drop_nulls().unique().implode()).fill_null(value=False)
        shares[column] = float(np.mean(known.to_numpy())) if len(known) else 0.0
    return {"test": len(test), "artist": shares["artist"], "near_copy": shares["cluster"]}
