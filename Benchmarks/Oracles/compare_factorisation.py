#!/usr/bin/env python3
"""Times the factorisation of one layer of Llama-3.1-8B's shape beside numpy.linalg.

    make factorisation                    five rounds, rank 512, two threads
    make factorisation FACTORISATION="--rounds 3 --rank 256"

Both sides are given the same matrices (keys and values stacked, 2,048 x 4,096, and activations of
4,096) and the same number of threads, each with the OpenBLAS that it comes with, and run in turn.

  calibrated    numpy: Y = X Wt in float32, M = Yt Y in float64, numpy.linalg.eigh(M), the leading
                eigenvectors times W. Here: the same, and the RoPE split, the damping and the errors
                besides, to the finished layer.
  weights-only  numpy: numpy.linalg.svd(W) in float64. Here: the same to the finished layer.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--timer", required=True, help="the program factorisation-timer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--rank", type=int, default=512)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--methods", default="calibrated,weights-only")
    return parser.parse_args()


OPTIONS = arguments()
# numpy's OpenBLAS reads them when it is loaded.
os.environ["OPENBLAS_NUM_THREADS"] = str(OPTIONS.threads)
os.environ["OMP_NUM_THREADS"] = str(OPTIONS.threads)
os.environ.pop("OPENBLAS_CORETYPE", None)

import numpy as np  # noqa: E402

ROWS, HIDDEN = 2048, 4096


def matrices():
    """Weights and activations whose energy falls off as in a trained model, from a fixed seed."""
    random = np.random.default_rng(1)
    weights = random.standard_normal((ROWS, HIDDEN), dtype=np.float32) / HIDDEN**0.5
    scale = (1 + np.arange(HIDDEN, dtype=np.float32)) ** -0.5
    basis = np.linalg.qr(random.standard_normal((HIDDEN, 256), dtype=np.float32))[0]
    wide = random.standard_normal((OPTIONS.tokens, HIDDEN), dtype=np.float32) * scale
    narrow = random.standard_normal((OPTIONS.tokens, 256), dtype=np.float32) @ basis.T
    return weights, wide + narrow


def calibrated(weights, activations):
    start = time.perf_counter()
    outputs = activations @ weights.T
    wide = outputs.astype(np.float64)
    moments = wide.T @ wide / len(wide)
    seen = time.perf_counter() - start
    start = time.perf_counter()
    _, vectors = np.linalg.eigh(moments)
    up = vectors[:, ::-1][:, : OPTIONS.rank]
    down = up.T @ weights.astype(np.float64)
    assert down.shape == (OPTIONS.rank, HIDDEN)
    return seen, time.perf_counter() - start


def weights_only(weights, _):
    start = time.perf_counter()
    left, singular, right = np.linalg.svd(weights.astype(np.float64), full_matrices=False)
    down, up = right[: OPTIONS.rank], left[:, : OPTIONS.rank] * singular[: OPTIONS.rank]
    assert down.shape[0] == up.shape[1]
    return 0.0, time.perf_counter() - start


def main():
    weights, activations = matrices()
    slower = False
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("weights.f32", "activations.f32")]
        weights.tofile(paths[0])
        activations.tofile(paths[1])
        timer = subprocess.Popen(
            [OPTIONS.timer, *paths, str(OPTIONS.rank), str(OPTIONS.threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def reply():
            line = timer.stdout.readline()
            if not line:
                sys.exit(f"factorisation-timer ended with {timer.wait()}")
            return json.loads(line)

        print(f"here: {reply()['ready']}")
        print(f"numpy {np.__version__}; {OPTIONS.threads} threads, {OPTIONS.tokens} tokens, "
              f"rank {OPTIONS.rank}, {OPTIONS.rounds} rounds in turn, medians")
        print("| method | phase | here, s | numpy, s | here / numpy |")
        print("|---|---|--:|--:|--:|")
        for method in OPTIONS.methods.split(","):
            own, other = [], []
            for _ in range(OPTIONS.rounds):
                timer.stdin.write(method + "\n")
                timer.stdin.flush()
                answer = reply()
                own.append((answer["moments"], answer["factorisation"]))
                peer = calibrated if method == "calibrated" else weights_only
                other.append(peer(weights, activations))
            phases = {"factorisation": lambda t: t[1], "both": sum}
            if method == "calibrated":
                phases = {"moments": lambda t: t[0], **phases}
            else:
                phases = {"factorisation": lambda t: t[1]}
            for name, part in phases.items():
                here, there = (statistics.median(map(part, side)) for side in (own, other))
                ratio = statistics.median(part(a) / part(b) for a, b in zip(own, other))
                slower |= ratio > 1 and name == "factorisation"
                print(f"| {method} | {name} | {here:.2f} | {there:.2f} | {ratio:.2f} |")
        timer.stdin.close()
        timer.wait()
    sys.exit(1 if slower else 0)


main()
