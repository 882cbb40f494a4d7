#!/usr/bin/env python3
"""Writes Tests/Fixtures/Transformers: a tiny random checkpoint for each architecture, tokens,
and the logits that Hugging Face transformers computes from the saved folder in float32: one prefill,
then 64 steps of one token through its cache.

8- and 4-bit weights are decoded by weights.py, by their definitions, before transformers sees them:
its own kernels for these formats need a GPU.

    python3 -m venv .venv && .venv/bin/pip install -r requirements.txt
    .venv/bin/python make_fixtures.py ../../Tests/Fixtures/Transformers
"""

import os
import sys

import torch
from safetensors.torch import save_file

import cases
import checkpoints


def main():
    target = sys.argv[1]
    only = sys.argv[2:]
    torch.set_num_threads(2)
    for case in cases.fixtures():
        if only and case.name not in only:
            continue
        folder = os.path.join(target, case.name)
        tokens, logits = checkpoints.make(case, folder)
        save_file(
            {"tokens": torch.tensor(tokens), "logits": logits,
             "prefill": torch.tensor(case.prefill)},
            os.path.join(folder, "expected.safetensors"))
        size = sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))
        print(f"{case.name:32} {size:8} bytes, largest logit {logits.abs().max():.2f}")


if __name__ == "__main__":
    main()
