"""An additive linear model of all features: ridge regression, or logistic regression of labels.

Its columns are the values seen in training, one-hot; of a feature with very many values, the rows
that xxh32 chooses for them. A model with embeddings has to beat it before its error says anything
about the interactions of features.

The matrix of the rows is never made. A row's columns follow from its codes, so that a product with
the matrix is a look-up by code for each feature, and one with its transpose is a sum by code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import LinearOperator, cg
from scipy.special import expit

from ue_bench.data.coded import take
from ue_bench.data.encoding import Encoded
from ue_bench.data.splitting import TRAIN, VALIDATION
from ue_bench.features import Feature
from ue_bench.hashing import hash_rows, lookup_seed
from ue_bench.training.scores import loss_of

# Penalties of the squared weights, the strongest first: each fit starts at the solution of the one
# before, and the first that is not better on validation is the last. They suit targets of any scale
# and any number of rows: the best penalty of a ridge regression is the variance of the noise over
# that of the effects.
PENALTIES = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3)
MOST_ONE_HOT = 1 << 20  # values of one feature; one with more is hashed
HASHED_COLUMNS = 1 << 20  # of one feature
# Where the solvers stop. On ML-100K smaller ones change the MSE by less than 3e-5.
RIDGE_TOLERANCE = 1e-2
LOGISTIC_TOLERANCE = 1e-6
MOST_STEPS = 200


class LinearFit(NamedTuple):
    """outputs: of each row, a prediction or, of labels, a logit: float64 [N].

    penalty: the one with the lowest validation loss. rows: the training rows.
    """

    outputs: np.ndarray
    penalty: float
    rows: int


def fit_linear(encoded: Encoded, binary: bool) -> LinearFit:
    """Fit the model to the training rows, with the penalty that is best on the validation rows."""
    shares = [shares_of(feature) for feature in encoded.features]
    train = _Design.of(encoded, shares, encoded.parts == TRAIN)
    validation = _Design.of(encoded, shares, encoded.parts == VALIDATION)
    targets = encoded.ratings[encoded.parts == TRAIN].astype(np.float64)
    expected = encoded.ratings[encoded.parts == VALIDATION]
    step = _logistic if binary else _ridge
    weights = train.start(targets.mean(), binary)
    best = weights
    best_penalty = PENALTIES[0]
    lowest = np.inf
    for penalty in PENALTIES:
        weights = step(train, targets, penalty, weights)
        loss = loss_of(validation.product(weights), expected, binary)
        if not loss < lowest:
            break
        best, best_penalty, lowest = weights, penalty, loss
    every_row = _Design.of(encoded, shares, slice(None))
    return LinearFit(every_row.product(best), best_penalty, len(targets))


def shares_of(feature: Feature) -> csr_matrix:
    """Return the columns of each code of a feature: float64 [codes, columns].

    A value has 1 in its column, and one that training has not seen has none. A bag has 1 over its
    size in the column of each member. A feature of more than `MOST_ONE_HOT` values is hashed: its
    unseen values have columns too.
    """
    n_values = len(feature.values)
    columns = np.arange(n_values)
    n_columns = max(1, feature.n_seen)
    if feature.n_seen > MOST_ONE_HOT:
        n_columns = HASHED_COLUMNS
        seed = lookup_seed(feature.name, 0, 0)
        columns = hash_rows(feature.values, (seed,), n_columns).numpy()[:, 0]
    members = np.arange(n_values)
    offsets = np.arange(n_values + 1)
    if feature.bags is not None:
        members = feature.bags.members
        offsets = feature.bags.offsets
    sizes = np.diff(offsets)
    of_members = columns[members]
    has_column = of_members < n_columns
    code = np.repeat(np.arange(len(sizes)), sizes)[has_column]
    share = np.repeat(1.0 / sizes, sizes)[has_column]
    return csr_matrix((share, (code, of_members[has_column])), (len(sizes), n_columns))


@dataclass(frozen=True)
class _Design:
    """The matrix of some rows, without the matrix: a column of ones, then those of each feature.

    codes: int32 [N] by feature. shares: by feature, as `shares_of` returns them. starts: the first
    column of each feature.
    """

    codes: Sequence[np.ndarray]
    shares: Sequence[csr_matrix]
    starts: Sequence[int]
    n_rows: int
    n_columns: int

    @classmethod
    def of(
        cls, encoded: Encoded, shares: Sequence[csr_matrix], rows: np.ndarray | slice
    ) -> "_Design":
        """Return the matrix of some rows: bool [N], or a slice, which copies nothing."""
        codes = [encoded.codes[rows, index] for index in range(len(shares))]
        ends = 1 + np.cumsum([part.shape[1] for part in shares])
        starts = [1, *ends[:-1].tolist()]
        return cls(
            codes=codes,
            shares=shares,
            starts=starts,
            n_rows=len(codes[0]),
            n_columns=int(ends[-1]),
        )

    def start(self, mean: float, binary: bool) -> np.ndarray:
        """Return the weights that predict the mean of the targets: float64 [columns]."""
        weights = np.zeros(self.n_columns)
        weights[0] = np.log(mean / (1 - mean)) if binary else mean
        return weights

    def penalties(self, penalty: float) -> np.ndarray:
        """Return the penalty of each weight: the intercept has none."""
        penalties = np.full(self.n_columns, penalty)
        penalties[0] = 0.0
        return penalties

    def product(self, weights: np.ndarray) -> np.ndarray:
        """Return the matrix times the weights: float64 [N]."""
        outputs = np.full(self.n_rows, weights[0])
        for codes, shares, start in zip(self.codes, self.shares, self.starts, strict=True):
            of_codes = shares @ weights[start : start + shares.shape[1]]
            outputs += take(of_codes, codes)
        return outputs

    def sums(self, numbers: np.ndarray) -> np.ndarray:
        """Return the transposed matrix times a number for each row: float64 [columns]."""
        sums = np.empty(self.n_columns)
        sums[0] = numbers.sum()
        for codes, shares, start in zip(self.codes, self.shares, self.starts, strict=True):
            by_code = np.bincount(codes, numbers, shares.shape[0])
            sums[start : start + shares.shape[1]] = shares.T @ by_code
        return sums

    def squares(self) -> np.ndarray:
        """Return the sum of the squares in each column of the matrix: float64 [columns]."""
        squares = np.empty(self.n_columns)
        squares[0] = self.n_rows
        for codes, shares, start in zip(self.codes, self.shares, self.starts, strict=True):
            by_code = np.bincount(codes, minlength=shares.shape[0])
            squares[start : start + shares.shape[1]] = shares.multiply(shares).T @ by_code
        return squares


def _ridge(design: _Design, targets: np.ndarray, penalty: float, start: np.ndarray) -> np.ndarray:
    """Return the weights that minimise the squared error and the penalty.

    They solve the normal equations by conjugate gradients. Preconditioned by their diagonal, a
    rare value takes no more steps than a frequent one.
    """
    penalties = design.penalties(penalty)

    def normal(weights: np.ndarray) -> np.ndarray:
        return design.sums(design.product(weights)) + penalties * weights

    diagonal = design.squares() + penalties
    shape = (design.n_columns, design.n_columns)
    # relative to the start, whose error the solution takes away
    residual = design.sums(targets - design.product(start)) - penalties * start
    step, _ = cg(
        LinearOperator(shape, normal, dtype=np.float64),
        residual,
        rtol=RIDGE_TOLERANCE,
        maxiter=MOST_STEPS,
        M=LinearOperator(shape, lambda numbers: numbers / diagonal, dtype=np.float64),
    )
    return start + step


def _logistic(
    design: _Design, targets: np.ndarray, penalty: float, start: np.ndarray
) -> np.ndarray:
    """Return the weights that minimise the log loss and half the penalty.

    L-BFGS searches weights in units in which the curvature of each is about 1.
    """
    penalties = design.penalties(penalty)
    unit = 1.0 / np.sqrt(design.squares() / 4 + penalties)

    def objective(scaled: np.ndarray) -> tuple[float, np.ndarray]:
        weights = unit * scaled
        logits = design.product(weights)
        loss = np.logaddexp(0.0, logits).sum() - targets @ logits
        loss += 0.5 * (penalties * weights) @ weights
        slope = design.sums(expit(logits) - targets) + penalties * weights
        return loss / design.n_rows, unit * slope / design.n_rows

    found = minimize(
        objective,
        start / unit,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": MOST_STEPS, "ftol": LOGISTIC_TOLERANCE, "gtol": 0.0},
    )
    return unit * found.x
