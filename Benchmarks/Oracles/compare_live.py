#!/usr/bin/env python3
"""Compares attnzoo with Hugging Face transformers on random configurations of every architecture:
sizes, odd numbers of heads, layer patterns, windows, RoPE types, experts, storage. What it finds
cannot have been tuned to: the configurations follow from the seed, today's date unless given.

    .venv/bin/python compare_live.py --attnzoo ../../.build/release/attnzoo --count 42 --seed 7
"""

import argparse
import datetime
import os
import random
import shutil
import subprocess
import sys
import tempfile

import torch

import cases
import checkpoints
import reference


def compare(case, folder, attnzoo):
    """The largest absolute difference and the largest logit."""
    tokens, expected = checkpoints.make(case, folder)
    output = folder + ".logits.safetensors"
    command = [attnzoo, "logits", folder, "--tokens", ",".join(map(str, tokens)), "--prefill",
               str(case.prefill), "--out", output]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(result.stderr.strip())
    actual = reference.read_logits(output)
    if actual.shape != expected.shape:
        raise RuntimeError(f"logits {tuple(actual.shape)}, expected {tuple(expected.shape)}")
    return (actual - expected).abs().max().item(), expected.abs().max().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--attnzoo", required=True)
    parser.add_argument("--count", type=int, default=42)
    parser.add_argument("--seed", type=int,
                        default=int(datetime.date.today().strftime("%Y%m%d")))
    parser.add_argument("--only", help="one architecture: " + ", ".join(cases.KINDS))
    parser.add_argument("--keep", help="folder where failing checkpoints stay")
    parser.add_argument("--tolerance", type=float, default=1e-4,
                        help="of the largest logit, or absolute where that is below 1")
    options = parser.parse_args()
    torch.set_num_threads(2)
    failures = 0
    worst = 0.0
    kinds = [options.only] if options.only else cases.KINDS
    with tempfile.TemporaryDirectory() as scratch:
        for index in range(options.count):
            kind = kinds[index % len(kinds)]
            rng = random.Random(f"{options.seed}/{index}")
            case = cases.random_case(rng, kind)
            folder = os.path.join(scratch, f"{index}-{kind}")
            try:
                difference, largest = compare(case, folder, os.path.abspath(options.attnzoo))
                relative = difference / max(1.0, largest)
                good = relative <= options.tolerance
                worst = max(worst, relative)
                verdict = f"difference {difference:.1e}, largest logit {largest:.2f}"
            except RuntimeError as error:
                good, verdict = False, str(error)
            config = case.config
            rope = config.rope_parameters or {}
            rope = rope.get("full_attention", rope).get("rope_type", "default")
            print(f"{'ok  ' if good else 'FAIL'} {index:3} {kind:16} {config.num_attention_heads}"
                  f"/{config.num_key_value_heads} heads, {config.num_hidden_layers} layers, "
                  f"{rope}, prefill {case.prefill}, {str(case.dtype)[6:]}: {verdict}", flush=True)
            if not good:
                failures += 1
                if options.keep:
                    os.makedirs(options.keep, exist_ok=True)
                    kept = os.path.join(options.keep, os.path.basename(folder))
                    shutil.rmtree(kept, ignore_errors=True)
                    shutil.copytree(folder, kept)
            shutil.rmtree(folder, ignore_errors=True)
    print(f"seed {options.seed}: {options.count - failures} of {options.count} agree, "
          f"largest relative difference {worst:.1e}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
