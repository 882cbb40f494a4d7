"""Scores a model on held-out text, in bits per byte, next to what ``xz -9`` needs.

    python evaluate.py --work DIR --checkpoint FILE      a checkpoint, rounded to bfloat16
    python evaluate.py --work DIR --export FOLDER        an exported model

Every byte is predicted once. Windows of 1,024 bytes advance by 512, and from each only the
second half is scored (from the first window, all of it), so that every byte but the first
512 has at least 512 bytes of context. The first byte of all has none, and costs eight bits.
"""

from __future__ import annotations

import argparse
import json
import lzma
import math
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from model import LanguageModel, ModelConfig

LEAST_CONTEXT = 512


@torch.inference_mode()
def byte_costs(model: LanguageModel, content: bytes, rows: int = 8) -> Tensor:
    """What each byte of ``content`` costs, in bits; the arithmetic is float32 throughout."""
    window = model.config.max_position_embeddings
    device = model.model.embed_tokens.weight.device
    text = torch.from_numpy(np.frombuffer(content, np.uint8).astype(np.int64)).to(device)
    costs = torch.full((len(text),), math.nan, dtype=torch.float64)
    costs[0] = math.log2(model.config.vocab_size)
    # The windows of full length go through in batches, the shorter last one by itself.
    batches: list[list[int]] = []
    beyond_last = max(min(1, len(text) - 1), len(text) - 1 - LEAST_CONTEXT)
    for start in range(0, beyond_last, window - LEAST_CONTEXT):
        full = start + window <= len(text) - 1
        if full and batches and len(batches[-1]) < rows:
            batches[-1].append(start)
        else:
            batches.append([start])
    for batch in batches:
        length = min(window, len(text) - 1 - batch[0])
        inputs = torch.stack([text[start : start + length] for start in batch])
        targets = torch.stack([text[start + 1 : start + length + 1] for start in batch])
        nats = F.cross_entropy(
            model(inputs).float().flatten(0, 1), targets.flatten(), reduction="none"
        ).view(targets.shape)
        for start, row in zip(batch, nats):
            # Position i predicts byte start+i+1 from i+1 bytes of context.
            first = 0 if start == 0 else LEAST_CONTEXT
            costs[start + first + 1 : start + length + 1] = row[first:].double() / math.log(2)
    assert not costs.isnan().any(), "a byte was not scored"
    return costs


def xz_bits_per_byte(content: bytes) -> float:
    """What ``xz -9`` makes of the same bytes (by the tool, or by the library behind it)."""
    if shutil.which("xz"):
        packed = subprocess.run(
            ["xz", "-9", "-c"], input=content, stdout=subprocess.PIPE, check=True
        ).stdout
    else:
        packed = lzma.compress(content, preset=9)
    return 8 * len(packed) / len(content)


def load_checkpoint(path: Path) -> LanguageModel:
    """The model of a checkpoint, with its weights rounded to bfloat16 as exported."""
    model = LanguageModel(ModelConfig())
    state = torch.load(path, map_location="cpu", weights_only=True)["model"]
    model.load_state_dict({name: value.bfloat16().float() for name, value in state.items()})
    return model.eval()


def load_export(folder: Path) -> LanguageModel:
    """An exported model, read back from its files."""
    from safetensors.torch import load_file

    settings = json.loads((folder / "config.json").read_text())
    model = LanguageModel(ModelConfig(**{k: settings[k] for k in ModelConfig.__annotations__}))
    state = load_file(folder / "model.safetensors")
    model.load_state_dict({name: value.float() for name, value in state.items()})
    return model.eval()


def scores(model: LanguageModel, corpus: Path) -> dict[str, float]:
    """Both held-out sets, by the model and by xz. The shipped set is the beginning of the
    whole one and the model is causal, so one pass scores both."""
    whole = (corpus / "heldout.bin").read_bytes()
    shipped = (corpus / "heldout-shipped.bin").read_bytes()
    assert whole.startswith(shipped)
    costs = byte_costs(model, whole)
    return {
        "heldout": costs.mean().item(),
        "heldout-xz": xz_bits_per_byte(whole),
        "heldout-shipped": costs[: len(shipped)].mean().item(),
        "heldout-shipped-xz": xz_bits_per_byte(shipped),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Score a model on the held-out text.")
    parser.add_argument("--work", type=Path, default=Path(".build/model"))
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--checkpoint", type=Path)
    what.add_argument("--export", type=Path)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.checkpoint:
        model = load_checkpoint(arguments.checkpoint)
    else:
        model = load_export(arguments.export)
    for name, value in scores(model, arguments.work / "corpus").items():
        print(f"{name:20s} {value:.4f} bits/byte")


if __name__ == "__main__":
    main()
