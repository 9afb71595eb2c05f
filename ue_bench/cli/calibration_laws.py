"""What published runs on draws of planted worlds must show: verdicts are seldom wrong."""

from collections.abc import Iterable, Iterator

from ue_bench.record import Record
from ue_bench.report.evidence.error_rates import calibrations

FEWEST_FAMILIES = 200


def faults(drawn: Iterable[Record]) -> Iterator[str]:
    """Yield one line for each law that the runs on draws break."""
    for calibration in calibrations(drawn):
        world = calibration.world
        if calibration.families < FEWEST_FAMILIES:
            yield (
                f"{world}: {calibration.families} draws were searched, "
                f"and at least {FEWEST_FAMILIES} must be"
            )
        for rate in calibration.rates:
            if not rate.is_kept:
                yield (
                    f"{world}: {rate.what}: {rate.found} of {rate.of}, {rate.share:.1%}, and "
                    f"{rate.bound} may be"
                )
