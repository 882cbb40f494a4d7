"""In which order things are measured, which measurement of each counts, and what a run goes on with."""

import contextlib
import itertools
import json
import os
import time

SECTIONS = ("attention", "addressing", "steps")
# How often one job is measured at most.
MOST_TIMES = 6


def disturbed_share(rows):
    """The share of runs for which no quiet moment was found; of what failed: none."""
    quiet = [row["quiet"] for row in rows if "quiet" in row]
    runs = sum(one["runs"] for one in quiet)
    return sum(one["disturbed"] for one in quiet) / runs if runs else 0.0


class Plan:
    def __init__(self, jobs, save, log):
        """`save(results)`, what a resumed run needs among them, is called after every job."""
        self.jobs, self.save, self.log = jobs, save, log
        self.rows = {}  # by job's name
        self.times = {}
        self.seconds = {}

    def results(self):
        return {
            section: [
                row for job in self.jobs if job.section == section for row in self.rows.get(job.name, [])
            ]
            for section in SECTIONS
        } | {"times": self.times}

    def state(self):
        """The results, and by job what a resumed run goes on with."""
        return self.results() | {"measured": {
            name: dict(times=self.times[name], seconds=self.seconds[name], rows=rows)
            for name, rows in self.rows.items()
        }}

    def resume(self, path, result):
        """Takes what the file holds if it was measured in the same way; whether it was."""
        if not os.path.exists(path):
            return False
        with open(path) as file:
            before = json.load(file)
        if any(before.get(key) != result[key] for key in ("commit", "repetitions", "patience", "threads")):
            return False
        names = {job.name for job in self.jobs}
        for name, measured in before.get("measured", {}).items():
            if name in names and not any("failed" in row for row in measured["rows"]):
                self.rows[name], self.times[name] = measured["rows"], measured["times"]
                self.seconds[name] = measured["seconds"]
        return bool(self.rows)

    def measure_all(self, rows_of):
        """Each job that has not been measured, those of one shape over the same rows."""
        left = [job for job in self.jobs if job.name not in self.rows]
        for shape, jobs in itertools.groupby(left, key=lambda job: job.shape):
            with rows_of(shape) if shape else contextlib.nullcontext() as folder:
                for job in jobs:
                    self.measure(job, folder)

    def measure_disturbed(self, rows_of, deadline):
        """What was disturbed most once more, the less urgently the more often it has been measured and
        twice as urgently where floors are judged, while the time allows."""
        while True:
            open_jobs = [
                job for job in self.jobs
                if disturbed_share(self.rows[job.name]) > 0 and self.times[job.name] < MOST_TIMES
                and time.monotonic() + self.seconds[job.name] < deadline
            ]
            if not open_jobs:
                return
            job = max(open_jobs, key=lambda job: (
                disturbed_share(self.rows[job.name]) / self.times[job.name] * (2 if job.has_floors else 1)))
            with rows_of(job.shape) if job.shape else contextlib.nullcontext() as folder:
                self.measure(job, folder)

    def measure(self, job, folder):
        self.log(f"  {job.name} ({self.jobs.index(job) + 1} of {len(self.jobs)})")
        begin = time.monotonic()
        try:
            rows = job.measure(folder)
        except RuntimeError as error:
            shape, _, codec = job.name.rpartition(", ")
            rows = [dict(shape=shape, codec=codec, failed=str(error))]
            self.log(f"    failed: {error}")
        share = disturbed_share(rows)
        before = self.rows.get(job.name)
        counts = before is None or (not any("failed" in row for row in rows) and share < disturbed_share(before))
        if counts:
            self.rows[job.name] = rows
        self.times[job.name] = self.times.get(job.name, 0) + 1
        self.seconds[job.name] = max(self.seconds.get(job.name, 0.0), time.monotonic() - begin)
        self.log(f"    {100 * share:.0f} % disturbed"
                 + ("" if before is None else f", {100 * disturbed_share(before):.0f} % before"))
        self.save(self.state())
