"""Whether predictions mean what they say, the `quality.reliability` of a record: rows whose
predictions are alike, with the mean of their targets."""

from typing import Any

import numpy as np

DECILES = 10


def reliability(predictions: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
    """Return the mean prediction and target of each tenth of the rows, ordered by prediction.

    `ece`: the mean distance of the two over the rows, the expected calibration error of Naeini et
    al. (AAAI 2015) with tenths of equal size. Of no rows it is None.

    predictions, targets: [N].
    """
    order = np.argsort(predictions, kind="stable")
    bins = []
    distance = 0.0
    for rows in np.array_split(order, DECILES):
        if not len(rows):
            continue
        predicted = float(predictions[rows].mean())
        observed = float(targets[rows].mean())
        bins.append({"n": len(rows), "predicted": predicted, "observed": observed})
        distance += len(rows) * abs(predicted - observed)
    ece = distance / len(order) if len(order) else None
    return {"ece": ece, "deciles": bins}
