"""When training ends: the validation loss has not fallen for a while, or it has clearly risen.

The second rule is the generalisation loss of Prechelt ("Early Stopping - But When?", LNCS 1524,
1998): training ends where the loss is above the lowest one so far by more than a share of it. A
large table, which overfits within two epochs, does not wait for the patience that a small one
needs.
"""

import math


class EarlyStopping:
    """The validation losses of one training, and whether they end it.

    best: the lowest loss so far; infinite before the first one.
    ended: whether training is to end.
    """

    def __init__(self, patience: float, most_rise: float) -> None:
        """Take the limits, which are infinite where there are none.

        patience: evaluations in a row without a lower loss.
        most_rise: what the loss may be above the lowest one, as a share of it.
        """
        self.best = math.inf
        self.ended = False
        self._patience = patience
        self._most_rise = most_rise
        self._waited = 0  # evaluations since the best one
        self._lowest = math.inf  # since the model began or was changed

    def note(self, loss: float) -> bool:
        """Take in the loss of one more evaluation. Returns whether it is the best so far."""
        is_best = loss < self.best
        if is_best:
            self.best = loss
            self._waited = 0
        else:
            self._waited += 1
        self._lowest = min(self._lowest, loss)
        has_risen = loss - self._lowest > self._most_rise * self._lowest
        self.ended = self._waited >= self._patience or has_risen
        return is_best

    def model_changed(self) -> None:
        """Let the loss rise once: the model is no longer the one of the losses so far."""
        self._lowest = math.inf
