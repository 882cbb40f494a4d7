"""When a measurement counts: only while nobody else took a share of the cores.

On shared machines a neighbour on the other thread of a core takes issue slots, and halves what is left
of the caches, for milliseconds to minutes. Read bandwidth and the rate of multiply-adds hardly show it,
but code that issues four instructions a cycle runs up to 1.7 times as long. The prober's rate of
independent additions shows it; a run between two readings of the machine's full rate is taken as it
is, others are repeated.
"""

import bisect
import time

# The share of the full rate that both readings around a run must reach.
SHARE = 0.96
# The full rate: this quantile of all readings, so that single clock boosts do not set it.
QUANTILE = 0.98
# Readings before the first run.
FIRST_READINGS = 1_000


# Every reading of this process, in order of size: the full rate belongs to the machine.
rates = []


def full_rate():
    return rates[int(QUANTILE * (len(rates) - 1))]


class QuietRuns:
    def __init__(self, prober, patience):
        """`patience`: seconds for which a run is repeated at most."""
        self.prober = prober
        self.patience = patience
        self.runs = self.disturbed = self.tries = 0
        while len(rates) < FIRST_READINGS:
            self.reading()

    def reading(self):
        rate = self.prober.ask(operation="issue")["issueRate"]
        bisect.insort(rates, rate)
        return rate

    def run(self, measure, prepare=lambda: None):
        """The result of `measure()` between two readings of the full rate; after `patience`,
        that of the try whose lower reading was highest. `prepare()` comes before every try."""
        begin = time.monotonic()
        best, best_rate = None, -1.0
        self.runs += 1
        while True:
            prepare()
            before = self.reading()
            result = measure()
            self.tries += 1
            after = self.reading()
            rate = min(before, after)
            if rate > best_rate:
                best, best_rate = result, rate
            if best_rate >= SHARE * full_rate():
                return best
            if time.monotonic() - begin > self.patience:
                self.disturbed += 1
                return best

    def summary(self):
        return dict(runs=self.runs, disturbed=self.disturbed, tries=self.tries)
