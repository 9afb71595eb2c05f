"""Gradient boosted trees on all features: scikit-learn's HistGradientBoosting.

They find interactions of features that a linear model cannot represent. A feature of up to 255
values is a categorical column, in which a tree splits sets of values. A feature of more values is
encoded by the mean target of each value (Micci-Barreca, SIGKDD Explorations 2001), with
cross-fitting: the encoding of a training row does not contain its own target. A multi-valued
feature has an indicator for each of its most frequent values, and the mean of its values' encodings
where it has more.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from ue_bench.data.coded import chunks, take
from ue_bench.data.encoding import Encoded
from ue_bench.data.splitting import TRAIN, VALIDATION
from ue_bench.features import Feature
from ue_bench.training.scores import loss_of

MOST_ROWS = 1_000_000  # training rows of the trees; encodings are means over all training rows
MOST_TREES = 200
MOST_CATEGORIES = 255  # of a categorical column of HistGradientBoosting
MOST_INDICATORS = 32  # of one multi-valued feature
FOLDS = 5
DAMPING = 5.0  # pseudo-rows at the training mean in each encoding, as in the bias model
SEED = 0
_CHUNK_ROWS = 1 << 18


class BoostingFit(NamedTuple):
    """outputs: of each row, a prediction or, of labels, a logit: float64 [N]; NaN for training rows
    that the trees were not fitted to.

    trees: the number with the lowest validation loss. rows: the training rows of the trees.
    """

    outputs: np.ndarray
    trees: int
    rows: int


class Column(NamedTuple):
    """A column of the matrix that the trees split.

    feature: the position of its feature. of_codes: its number by code of that feature, [codes].
    of_folds: the numbers that training rows have instead, by code and fold of the row, [codes,
    FOLDS]; None where they are the same.
    """

    feature: int
    of_codes: np.ndarray
    of_folds: np.ndarray | None = None
    categorical: bool = False


def fit_boosting(encoded: Encoded, binary: bool) -> BoostingFit:
    """Fit trees to the training rows, as many as are best on the validation rows."""
    random = np.random.default_rng(SEED)
    train = np.flatnonzero(encoded.parts == TRAIN)
    folds = random.integers(FOLDS, size=len(train), dtype=np.uint8)
    columns = _columns(encoded, train, folds)
    sample = _sample(encoded.ratings[train], binary, random)
    rows = train[sample]
    trees = _trees(columns, binary)
    trees.fit(_matrix(columns, encoded.codes[rows], folds[sample]), encoded.ratings[rows])

    validation = encoded.parts == VALIDATION
    targets = encoded.ratings[validation]
    losses = []
    for outputs in _stages(trees, _matrix(columns, encoded.codes[validation]), binary):
        losses.append(loss_of(outputs, targets, binary))
    best = int(np.argmin(losses))
    scored = np.sort(np.concatenate([rows, np.flatnonzero(encoded.parts != TRAIN)]))
    every_output = np.full(len(encoded.parts), np.nan)
    for part in chunks(len(scored), least=_CHUNK_ROWS):
        stages = _stages(trees, _matrix(columns, encoded.codes[scored[part]]), binary)
        every_output[scored[part]] = next(islice(stages, best, None))
    return BoostingFit(every_output, trees=best + 1, rows=len(rows))


def encodings(
    codes: np.ndarray, targets: np.ndarray, folds: np.ndarray, members: csr_matrix
) -> tuple[np.ndarray, np.ndarray]:
    """Return the damped mean target of each code, [codes], and that without each fold, [codes, F].

    codes: of the training rows, whole numbers [N]. targets, folds: [N].
    members: 1 where a code contains a value, [codes, values]. A code is encoded by the mean of its
        values' encodings, and a value without rows by the mean of all targets.
    """
    n_codes = members.shape[0]
    cells = codes.astype(np.int64) * FOLDS + folds
    sums = np.bincount(cells, targets, n_codes * FOLDS).reshape(n_codes, FOLDS)
    counts = np.bincount(cells, minlength=n_codes * FOLDS).reshape(n_codes, FOLDS)
    sums = members.T @ sums
    counts = members.T @ counts
    mean = targets.mean()
    all_sums = sums.sum(axis=1, keepdims=True)
    all_counts = counts.sum(axis=1, keepdims=True)
    of_values = (all_sums + DAMPING * mean) / (all_counts + DAMPING)
    without_fold = (all_sums - sums + DAMPING * mean) / (all_counts - counts + DAMPING)
    sizes = np.diff(members.indptr)[:, None]
    return (members @ of_values / sizes)[:, 0], members @ without_fold / sizes


def _columns(encoded: Encoded, train: np.ndarray, folds: np.ndarray) -> list[Column]:
    """Return the columns, sorted by the names of their features: their order decides ties."""
    order = sorted(range(len(encoded.features)), key=lambda index: encoded.features[index].name)
    targets = encoded.ratings[train].astype(np.float64)
    columns = []
    for index in order:
        feature = encoded.features[index]
        members = _members(feature)
        codes = encoded.codes[:, index][train]
        if feature.bags is None and feature.n_seen <= MOST_CATEGORIES:
            columns.append(_categories(index, feature))
            continue
        if feature.bags is not None:
            columns += _indicators(index, members, codes)
        if feature.bags is None or feature.n_seen > MOST_INDICATORS:
            of_codes, of_folds = encodings(codes, targets, folds, members)
            columns.append(Column(index, of_codes, of_folds))
    return columns


def _members(feature: Feature) -> csr_matrix:
    """Return 1 where a code of a feature contains a value: float64 [codes, values]."""
    n_values = len(feature.values)
    members = np.arange(n_values)
    offsets = np.arange(n_values + 1)
    if feature.bags is not None:
        members = feature.bags.members
        offsets = feature.bags.offsets
    shape = (len(offsets) - 1, n_values)
    return csr_matrix((np.ones(len(members)), members, offsets), shape)


def _categories(index: int, feature: Feature) -> Column:
    """Return the codes as they are; a value that training has not seen is missing."""
    codes = np.arange(len(feature.values), dtype=np.float64)
    codes[feature.n_seen :] = np.nan
    return Column(index, codes, categorical=True)


def _indicators(index: int, members: csr_matrix, codes: np.ndarray) -> list[Column]:
    """Return a column for each of the values that most training rows contain."""
    rows = members.T @ np.bincount(codes, minlength=members.shape[0])
    most_frequent = np.argsort(-rows, kind="stable")[:MOST_INDICATORS]
    by_value = members.tocsc()
    columns = []
    for value in most_frequent[rows[most_frequent] > 0]:
        contains = np.zeros(members.shape[0], np.uint8)
        contains[by_value.indices[by_value.indptr[value] : by_value.indptr[value + 1]]] = 1
        columns.append(Column(index, contains))
    return columns


def _matrix(
    columns: Sequence[Column], codes: np.ndarray, folds: np.ndarray | None = None
) -> np.ndarray:
    """Return the matrix of rows: float64 [N, columns].

    codes: [N, features]. folds: of training rows, which then have their cross-fitted numbers.
    """
    matrix = np.empty((len(codes), len(columns)), order="F")
    for number, column in enumerate(columns):
        of_rows = codes[:, column.feature]
        if folds is None or column.of_folds is None:
            matrix[:, number] = take(column.of_codes, of_rows)
        else:
            matrix[:, number] = column.of_folds[of_rows, folds]
    return matrix


def _sample(targets: np.ndarray, binary: bool, random: np.random.Generator) -> np.ndarray:
    """Return the positions of the rows that the trees are fitted to, in order.

    Of labels there are both, however rare one is.
    """
    n = len(targets)
    if n <= MOST_ROWS:
        return np.arange(n)
    chosen = np.sort(random.choice(n, MOST_ROWS, replace=False, shuffle=False))
    if binary and np.ptp(targets[chosen]) == 0:
        chosen[0] = np.flatnonzero(targets != targets[chosen[0]])[0]
    return chosen


def _trees(columns: Sequence[Column], binary: bool) -> Any:
    kind = HistGradientBoostingClassifier if binary else HistGradientBoostingRegressor
    return kind(
        max_iter=MOST_TREES,
        categorical_features=[column.categorical for column in columns],
        early_stopping=False,
        random_state=SEED,
    )


def _stages(trees: Any, matrix: np.ndarray, binary: bool) -> Any:
    """Yield the outputs of the first tree, of the first two, and so on: float64 [N] each."""
    if binary:
        stages = trees.staged_decision_function(matrix)
    else:
        stages = trees.staged_predict(matrix)
    for outputs in stages:
        yield outputs.reshape(-1)
