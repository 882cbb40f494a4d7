#!/usr/bin/env python3
"""Compares decode attention and whole decode steps with ggml, PyTorch and ONNX Runtime.

    make peers                 everything, into Reports/peers.md (an hour on two cores)
    make peers PEERS="--only GQA --repetitions 3 --output /tmp/peers.md"
    make peers PEERS="--resume"                 goes on where an interrupted run stopped
    make peers PEERS="--minutes 120"            what others disturbed most once more, two hours in all

Every side is a process of its own. A repetition runs each side in turn, once untimed and once timed,
with the others stopped, so that no side's waiting threads take time from another and a machine whose
speed drifts meets all of them alike; the machine's roofs are probed in turn with them. A run during
which someone else had a share of the cores is repeated (quiet.py).
"""

import argparse
import contextlib
import datetime
import glob
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Callable

import numpy as np

from plan import Plan
from quiet import QuietRuns
from report import write_report
from shapes import BESIDE, CODECS, DEPTHS, NEIGHBOURS, SHAPES, STORAGES, Shape

HERE = os.path.dirname(os.path.abspath(__file__))
MOST_COPIES = 16
# Where floors are to be judged, disturbed runs are repeated so many times as long as elsewhere.
FLOOR_PATIENCE = 3


def past_last_level():
    """Bytes that no cache holds: twice the last level, 256 MiB at least."""
    sizes = [0]
    for path in glob.glob("/sys/devices/system/cpu/cpu0/cache/index*/size"):
        with open(path) as file:
            text = file.read().strip()
        if text.endswith("K"):
            sizes.append(int(text[:-1]) << 10)
    return max(2 * max(sizes), 256 << 20)


class Side:
    """One process of the comparison."""

    def __init__(self, name, command):
        self.name = name
        environment = dict(os.environ, PYTHONUNBUFFERED="1")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        )
        self.pause()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def ask(self, **request):
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            return {"error": f"{self.name} ended with {self.process.wait()}"}
        self.pause()
        return json.loads(line)

    def close(self):
        self.process.kill()
        self.process.wait()


def log(text):
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def rows_of(shape):
    """A folder with the shape's random rows, for as long as they are needed."""
    folder = tempfile.mkdtemp(prefix="attnzoo-peers-")
    try:
        write_rows(shape, folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_rows(shape, folder):
    """Random rows; keys are scaled so that the softmax is neither flat nor one token."""
    random = np.random.default_rng(7)
    rows = (shape.sequences, shape.streams, shape.tokens)

    def save(name, width):
        with open(f"{folder}/{name}", "wb") as file:
            for _ in range(shape.sequences * shape.streams):
                block = random.standard_normal((shape.tokens, width), np.float32)
                block.astype(np.float16).tofile(file)

    save("keys.f16", shape.key_width)
    if not shape.is_latent:
        save("values.f16", shape.value_width)
    queries = random.standard_normal((shape.sequences, shape.heads, shape.key_width), np.float32)
    queries.tofile(f"{folder}/queries.f32")
    return rows


def request_for(shape, folder, threads, **more):
    copies = max(1, min(MOST_COPIES, -(-past_last_level() // shape.half_bytes)))
    return dict(
        operation="attention", folder=folder, sequences=shape.sequences, streams=shape.streams,
        queryHeads=shape.heads, headWidth=shape.width, tokens=shape.tokens,
        keyWidth=shape.key_width, valueWidth=shape.value_width, valueIsKeyPrefix=shape.is_latent,
        threads=threads, copies=copies, **more,
    )


def measure(sides, options, prober, has_floors=False):
    """Nanoseconds of each side and the roofs, repetition by repetition, and how many runs were quiet;
    two rounds to warm up."""
    samples = {name: [] for name in sides}
    roofs = []

    def run(name):
        reply = sides[name].ask(operation="run")
        if "nanoseconds" not in reply:
            raise RuntimeError(f"{name}: {reply}")
        return reply["nanoseconds"]

    def probe():
        return prober.ask(operation="probe")

    for _ in range(2):
        for name in sides:
            run(name)
    quiet = QuietRuns(prober, options.patience * (FLOOR_PATIENCE if has_floors else 1))
    for _ in range(options.repetitions):
        before = quiet.run(probe)
        for name in sides:
            # Once untimed: a decoder's steps follow one another, and what the cores did before was to wait
            # for the other sides. The readings are directly around the timed run.
            samples[name].append(quiet.run(lambda: run(name), prepare=lambda: run(name)))
        after = quiet.run(probe)
        roofs.append(
            {key: (before[key] + after[key]) / 2 for key in ("readGBPerSecond", "peakGFLOPPerSecond")}
        )
    return samples, roofs, quiet.summary()


def attention(shape, ours_codec, peers, folder, options, server):
    """One shape in one format, its rows in `folder`, against `peers`: (label, script, element, path)."""
    sides, notes = {}, {}
    try:
        # "path" is a file for `output` and ggml's way elsewhere.
        request = request_for(shape, folder, options.threads)
        ours = Side("ours", [server])
        sides["ours"] = ours
        made = ours.ask(**dict(request, variant=f"{shape.variant}@{ours_codec}"))
        if "error" in made and made["error"]:
            raise RuntimeError(made["error"])
        wider = BESIDE.get(ours_codec)
        if wider:
            sides[wider] = Side(wider, [server])
            reply = sides[wider].ask(**dict(request, variant=f"{shape.variant}@{wider}"))
            if reply.get("error"):
                raise RuntimeError(reply["error"])
        for label, script, element, path in peers:
            side = Side(label, [sys.executable, os.path.join(HERE, "servers", script)])
            reply = side.ask(**dict(request, element=element, path=path))
            if "error" in reply or "unsupported" in reply:
                notes[label] = reply.get("unsupported") or "failed: " + reply["error"]
                side.close()
            else:
                sides[label] = side
        samples, roofs, quiet = measure(sides, options, ours, shape.has_floors(ours_codec))
        results = {}
        for name, side in sides.items():
            if name == wider:
                continue
            path = f"{folder}/{name.replace(' ', '-')}.out"
            side.ask(operation="output", path=path)
            results[name] = np.fromfile(path, np.float32)
        scale = np.abs(results["ours"]).max()
        errors = {
            name: float(np.abs(result - results["ours"]).max() / scale)
            for name, result in results.items() if name != "ours"
        }
        return dict(
            shape=shape.name, codec=ours_codec, bytes=made["bytes"], flops=made["flops"],
            isa=made["isa"], samples=samples, roofs=roofs, quiet=quiet, errors=errors, notes=notes,
            ratio=shape.ratio, fraction=shape.fraction,
        )
    finally:
        for side in sides.values():
            side.close()


def addressing(shape, folder, options, server):
    """One shape in f16 under every way of addressing rows."""
    sides = {}
    try:
        request = request_for(shape, folder, options.threads, variant=f"{shape.variant}@f16")
        for storage in STORAGES:
            sides[storage] = Side(storage, [server])
            reply = sides[storage].ask(**dict(request, storage=storage))
            if reply.get("error"):
                raise RuntimeError(reply["error"])
        samples, _, quiet = measure(sides, options, sides[STORAGES[0]])
        return dict(shape=shape.name, samples=samples, quiet=quiet)
    finally:
        for side in sides.values():
            side.close()


def steps(options, server, work):
    rows = []
    request = dict(
        operation="step", model="llama-3.2-1b", variant="gqa:8@f16", weights="f16",
        tokens=max(DEPTHS) + 64, threads=options.threads, folder=work,
    )
    sides = {"ours": Side("ours", [server])}
    script = os.path.join(HERE, "servers", "llama_step.py")
    try:
        for label, path in (("llama.cpp fused", "fused"), ("llama.cpp unfused", "unfused")):
            sides[label] = Side(label, [sys.executable, script])
        for name, side in sides.items():
            path = name.rpartition(" ")[2]
            reply = side.ask(**dict(request, path=path, fillThreads=options.fill_threads))
            if reply.get("error"):
                raise RuntimeError(f"{name}: {reply['error']}")
        for depth in DEPTHS:
            log(f"  whole step at depth {depth}: filling")
            for name, side in sides.items():
                reply = side.ask(operation="fill", tokens=depth)
                if reply.get("error"):
                    raise RuntimeError(f"{name}: {reply['error']}")
            samples, roofs, quiet = measure(sides, options, sides["ours"])
            rows.append(dict(depth=depth, samples=samples, roofs=roofs, quiet=quiet))
        return rows
    finally:
        for side in sides.values():
            side.close()


@dataclass(frozen=True)
class Job:
    """Rows of one of the report's sections, measured together."""

    section: str
    name: str
    shape: Shape | None  # whose rows it needs
    measure: Callable[[str | None], list[dict]]
    has_floors: bool = False


def versions():
    found = {}
    for script in ("ggml_attention.py", "torch_attention.py", "onnx_attention.py"):
        side = Side(script, [sys.executable, os.path.join(HERE, "servers", script)])
        found.update(side.ask(operation="versions").get("versions") or {})
        side.close()
    return found


def processor():
    """Its name, and what tells its generation where a virtual machine hides the name."""
    found = {}
    with open("/proc/cpuinfo") as file:
        for line in file:
            key, _, value = line.partition(":")
            found.setdefault(key.strip(), value.strip())
    if "model name" not in found:
        return platform.machine()
    return f"{found['model name']} (family {found.get('cpu family')}, model {found.get('model')})"


def commit():
    def git(*arguments):
        return subprocess.run(
            ["git", "-C", HERE, *arguments], capture_output=True, text=True
        ).stdout.strip()

    dirty = git("status", "--porcelain", "--", "../../Sources", "../../Package.swift")
    return git("rev-parse", "--short", "HEAD") + ("-dirty" if dirty else "")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--server", required=True, help="the built attend-server")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument(
        "--fill-threads", type=int, default=0,
        help="for filling llama.cpp's cache before a step is measured: more than --threads where the"
        " machine has cores that this process is kept from (taskset)")
    parser.add_argument("--repetitions", type=int, default=11)
    parser.add_argument(
        "--patience", type=float, default=1.0,
        help="seconds for which a disturbed run is repeated at most (default 1), three times as many where"
        " floors are judged")
    parser.add_argument(
        "--minutes", type=float, default=0.0,
        help="measure again what was disturbed most until so many minutes have passed; of each the least"
        " disturbed measurement counts (default: once each)")
    parser.add_argument(
        "--resume", action="store_true", help="keep what an interrupted run of this commit has measured")
    parser.add_argument(
        "--note", action="append", default=[], help="a line for the report, about the machine say")
    parser.add_argument("--only", default="", help="shapes whose name contains this")
    parser.add_argument("--without-steps", action="store_true", help="no whole decode steps")
    parser.add_argument("--work", default=os.path.join(HERE, ".work"), help="for the large GGUF")
    parser.add_argument("--output", required=True)
    options = parser.parse_args()
    server = os.path.abspath(options.server)
    if not (os.path.isfile(server) and os.access(server, os.X_OK)):
        parser.error(f"--server {options.server}: no such program")
    if not any(options.only in shape.name for shape in SHAPES + NEIGHBOURS):
        parser.error(f"--only {options.only}: no shape has that in its name")
    folder = os.path.dirname(os.path.abspath(options.output))
    if not os.path.isdir(folder):
        parser.error(f"--output {options.output}: no such folder as {folder}")
    os.makedirs(options.work, exist_ok=True)
    result = dict(
        date=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%MZ"),
        processor=processor(), threads=options.threads, commit=commit(), versions=versions(),
        repetitions=options.repetitions, patience=options.patience, past_caches=past_last_level(),
        notes=options.note,
    )
    # What was measured so far, should the rest not be reached.
    partial = os.path.splitext(options.output)[0] + ".partial.md"
    plan = Plan(list(jobs_of(options, server)), lambda made: save(result | made, partial), log)
    if options.resume and not plan.resume(data_of(partial), result):
        sys.exit(f"{data_of(partial)}: no measurements of commit {result['commit']} with --repetitions "
                 f"{options.repetitions} and --patience {options.patience:g} to go on with")
    begin = time.monotonic()
    try:
        plan.measure_all(rows_of)
    except KeyboardInterrupt:
        if plan.rows:
            log(f"  stopped; what was measured is in {partial}, --resume goes on")
        raise
    try:
        plan.measure_disturbed(rows_of, begin + 60 * options.minutes)
    except KeyboardInterrupt:
        log("  stopped; everything has been measured at least once")
    save(result | plan.results(), options.output)
    for path in (partial, data_of(partial)):
        if os.path.exists(path):
            os.remove(path)
    print(options.output)


def jobs_of(options, server):
    """Everything to be measured, in order."""
    if not options.without_steps:
        yield Job("steps", "whole steps, f16", None, lambda _: steps(options, server, options.work))
    for shape in SHAPES:
        if options.only not in shape.name:
            continue
        for codec, peers in formats_of(shape):
            yield Job(
                "attention", f"{shape.name}, {codec}", shape,
                lambda folder, shape=shape, codec=codec, peers=peers:
                    [attention(shape, codec, peers, folder, options, server)],
                has_floors=shape.has_floors(codec))
        if shape in SHAPES[:5]:
            yield Job(
                "addressing", f"{shape.name}, addressing", shape,
                lambda folder, shape=shape: [addressing(shape, folder, options, server)])
    for shape in NEIGHBOURS:
        if options.only in shape.name:
            yield Job(
                "attention", f"{shape.name}, f16", shape,
                lambda folder, shape=shape: [attention(shape, "f16", [], folder, options, server)])


def formats_of(shape):
    """Our codec and its peers (label, script, element, path), one by one."""
    for codec, element in CODECS:
        yield codec, [
            ("ggml fused", "ggml_attention.py", element, "fused"),
            ("ggml unfused", "ggml_attention.py", element, "unfused"),
        ]
    if shape.sequences == 1 and not shape.is_latent:
        yield "bf16", [("PyTorch", "torch_attention.py", "bf16", "")]
        yield "f32", [
            ("PyTorch", "torch_attention.py", "f32", ""),
            ("ONNX Runtime", "onnx_attention.py", "f32", ""),
        ]


def data_of(report):
    return os.path.splitext(report)[0] + ".json"


def save(result, output):
    """The report, and its data beside it, whole or not at all."""
    with open(output + ".part", "w") as file:
        file.write(write_report(result))
    os.replace(output + ".part", output)
    with open(data_of(output) + ".part", "w") as file:
        json.dump(result, file, separators=(",", ":"))
    os.replace(data_of(output) + ".part", data_of(output))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
