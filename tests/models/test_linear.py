"""Linear recipes against what scikit-learn makes of the same numbers, and by hand."""

import re
from typing import Any

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import ComplementNB

from lyrist.errors import LyristError
from lyrist.models.features import NGrams
from lyrist.models.linear import NBSVM, CharSVM, ComplementNaiveBayes, TfidfLogistic
from lyrist.models.weighting import SongFeatures, class_counts, log_count_ratios, unit_rows

ACTS = {
    "ann": "river moon stone tide willow water evening slow",
    "bob": "neon engine wire chrome static motor highway fast",
    "zoe": "oh la na hey yeah baby dance tonight",
}
TOKEN = r"[^\W_]+(?:'[^\W_]+)*"


def songs(n: int = 60, seed: int = 0) -> tuple[list[str], list[str]]:
    """Return songs of three acts, each mostly in words of its own."""
    rng = np.random.default_rng(seed)
    names, every = list(ACTS), " ".join(ACTS.values()).split()
    lyrics, labels = [], [names[i % 3] for i in range(n)]
    for label in labels:
        own = rng.choice(ACTS[label].split(), 8).tolist() + rng.choice(every, 8).tolist()
        rng.shuffle(own)
        lyrics.append("\n".join(" ".join(own[i : i + 4]) for i in range(0, 16, 4)))
    return lyrics, labels


LYRICS, LABELS = songs()


def tfidf(grams: NGrams) -> TfidfVectorizer:
    return TfidfVectorizer(token_pattern=TOKEN, vocabulary={n: i for i, n in enumerate(grams.names_.tolist())})


def test_tfidf_is_that_of_scikit_learn() -> None:
    features = SongFeatures((NGrams("word", 1, 1, min_df=1),), "tfidf").fit(LYRICS)
    theirs = tfidf(features.grams_[0]).fit(LYRICS)
    np.testing.assert_allclose(features.transform(LYRICS).toarray(), theirs.transform(LYRICS).toarray(), atol=1e-6)
    logs = SongFeatures((NGrams("word", 1, 1, min_df=1),), "log-tfidf").fit(LYRICS)
    sublinear = tfidf(logs.grams_[0]).set_params(sublinear_tf=True).fit(LYRICS)
    np.testing.assert_allclose(logs.transform(LYRICS).toarray(), sublinear.transform(LYRICS).toarray(), atol=1e-6)


@pytest.mark.parametrize("acts", [2, 3])
def test_the_baseline_is_the_logistic_regression_of_scikit_learn(acts: int) -> None:
    kept = [i for i, label in enumerate(LABELS) if label in list(ACTS)[:acts]]
    lyrics, labels = [LYRICS[i] for i in kept], [LABELS[i] for i in kept]
    mine = TfidfLogistic().fit(lyrics, labels)
    vectors = tfidf(mine.features_.grams_[0])
    theirs = LogisticRegression(max_iter=1000, tol=1e-8).fit(vectors.fit_transform(lyrics), labels)
    new, _ = songs(20, seed=4)
    np.testing.assert_allclose(mine.predict_proba(new), theirs.predict_proba(vectors.transform(new)), atol=1e-3)
    assert mine.coef_.shape == (len(vectors.vocabulary_), acts)


def test_complement_naive_bayes_is_that_of_scikit_learn() -> None:
    mine = ComplementNaiveBayes(alpha=0.1).fit(LYRICS, LABELS)
    rows = mine.features_.counts(LYRICS).sign()
    theirs = ComplementNB(alpha=0.2).fit(rows, LABELS)  # ours is added for each of the two other classes
    expected = theirs.feature_log_prob_ - theirs.feature_log_prob_.mean(axis=0)
    np.testing.assert_allclose(mine.coef_, expected.T, atol=1e-4)
    length = np.sqrt(rows.sum(axis=1))
    np.testing.assert_allclose(mine.decision_function(LYRICS), (rows @ expected.T) / np.asarray(length), atol=1e-4)


def test_log_count_ratios_by_hand() -> None:
    presence = sp.csr_matrix(np.array([[1, 0], [1, 1], [0, 1]], dtype=np.float32))
    index = np.array([0, 0, 1])
    assert class_counts(presence, index, 2).toarray().tolist() == [[2, 1], [0, 1]]
    p, q = np.array([3, 2]) / 5, np.array([1, 2]) / 3  # smoothing 1 added to the counts of either class
    expected = np.abs(np.log(p / q))
    np.testing.assert_allclose(log_count_ratios(presence, index, 2, 1.0), expected, rtol=1e-5)


def test_rows_have_length_one_or_nothing() -> None:
    rows = unit_rows(sp.csr_matrix(np.array([[3, 4], [0, 0]], dtype=np.float32)))
    np.testing.assert_allclose(rows.toarray(), [[0.6, 0.8], [0, 0]], atol=1e-6)


def test_the_artist_is_a_column_of_its_own() -> None:
    table = pl.DataFrame({"lyrics": LYRICS, "artist": [f"artist {i % 4}" for i in range(60)]})
    features = SongFeatures((NGrams("word", 1, 1, min_df=1),), "tfidf", artist=True).fit(table)
    assert features.artists_.tolist() == [f"artist {i}" for i in range(4)]
    rows = features.transform(table).toarray()
    assert rows[:, -4:].argmax(axis=1).tolist() == [i % 4 for i in range(60)]
    assert not features.transform(table.with_columns(artist=pl.lit("new"))).toarray()[:, -4:].any()
    assert features.get_feature_names_out()[-1] == "artist: artist 3"
    with pytest.raises(LyristError, match="share no words"):
        SongFeatures((NGrams("word", 1, 1),)).fit(["", "..."])


@pytest.mark.parametrize("kind", [CharSVM, NBSVM, ComplementNaiveBayes, TfidfLogistic])
def test_the_shares_of_characters_add_up_to_the_logit(kind: Any) -> None:
    model = kind().fit(LYRICS, LABELS)
    text = "  The river, the MOON\n\nand neon  wire; unheard "
    logits = model.decision_function([text])[0].astype(float) * model.sharpness_
    for c, label in enumerate(model.classes_):
        found = model.contributions([text], label)
        assert found.characters.shape == (len(text),)
        total = found.characters.sum() + sum(found.other.values())
        assert total == pytest.approx(logits[c] - logits.mean(), abs=1e-4)
    river = slice(text.index("river"), text.index("river") + 5)
    assert model.contributions([text], "ann").characters[river].sum() > 0
    assert model.contributions([text], "bob").characters[river].sum() < 0


def test_the_share_of_the_artist_is_reported_apart() -> None:
    table = pl.DataFrame({"lyrics": LYRICS, "artist": LABELS})
    model = CharSVM(features="artist").fit(table, LABELS)
    found = model.contributions(table[:1], LABELS[0])
    assert found.other["artist"] > 0.1
    logits = model.decision_function(table[:1])[0].astype(float) * model.sharpness_
    total = found.characters.sum() + sum(found.other.values())
    assert total == pytest.approx(logits[model.classes_.tolist().index(LABELS[0])] - logits.mean(), abs=1e-4)


@pytest.mark.parametrize("kind", [CharSVM, NBSVM, ComplementNaiveBayes])
def test_probabilities_are_calibrated_on_songs_left_out(kind: Any) -> None:
    lyrics, labels = songs(300, seed=1)
    rng = np.random.default_rng(0)
    muddled = [label if rng.random() < 0.7 else str(rng.choice(list(ACTS))) for label in labels]  # 80% are right
    model = kind().fit(lyrics, muddled)
    new, truth = songs(300, seed=2)
    assert (model.predict(new) == np.array(truth)).mean() > 0.7
    sure = model.predict_proba(new).max(axis=1).mean()
    assert 0.45 < sure < 0.95  # a model that trusted its own training songs would be sure of all


def test_feature_weights_name_what_tells_the_classes() -> None:
    model = NBSVM().fit(LYRICS, LABELS)
    for label, names, weights in model.feature_weights():
        assert len(names) == len(weights)
        best = str(names[int(np.argmax(weights))])
        bare = re.sub(r"[·↵ ]+", " ", best).strip()
        assert any(part in ACTS[label] for part in bare.split(" ") if part), (label, best)
