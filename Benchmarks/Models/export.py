"""Exports a checkpoint as a Llama-format folder and writes its model card.

    python export.py --work DIR --run main --output FOLDER --card FOLDER

The output folder holds ``config.json`` and ``model.safetensors`` (bfloat16), which
``LlamaForCausalLM`` loads, the held-out text that ships, its licence, and the card. The
card, the loss curve and the scores also go to ``--card``. Every number in the card is read
from the run or measured here, on the exported file. An export that scores worse than the
one already in place is refused.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from evaluate import load_export, scores
from model import LanguageModel, ModelConfig

HERE = Path(__file__).resolve().parent
LARGEST_EXPORT = 9_000_000
LICENCE = Path("unpacked/libpython3.11-stdlib/usr/lib/python3.11/LICENSE.txt")


def export_weights(checkpoint: Path, folder: Path) -> None:
    """Writes ``config.json`` and ``model.safetensors``. The tied head is not stored."""
    config = ModelConfig()
    model = LanguageModel(config)
    model.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["model"])
    tensors = {name: value.bfloat16().contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config.to_hugging_face(), indent=2) + "\n")
    size = (folder / "model.safetensors").stat().st_size
    if size > LARGEST_EXPORT:
        sys.exit(f"the export has {size:,} bytes, more than {LARGEST_EXPORT:,}")


def loss_curve(work: Path, run: str) -> list[dict[str, float]]:
    """The logged losses of a run; a branch's are preceded by those of the main run."""

    def rows(name: str) -> list[dict[str, float]]:
        log = work / "runs" / name / "loss.csv"
        with log.open(newline="") as file:
            table = csv.DictReader(file)
            return [{key: float(value) for key, value in row.items()} for row in table]

    curve = rows(run)
    if run != "main":
        curve = [row for row in rows("main") if row["tokens"] < curve[0]["tokens"]] + curve
    return curve


def svg_curve(curve: list[dict[str, float]], heldout: float, xz: float) -> str:
    """The loss curve as a small drawing, with the two held-out scores as lines across."""
    width, height, left, bottom = 640, 320, 48, 36
    most_tokens = max(row["tokens"] for row in curve)
    low, high = 1.0, 4.0

    def x(tokens: float) -> float:
        return left + (width - left - 12) * tokens / most_tokens

    def y(bits: float) -> float:
        return 12 + (height - bottom - 12) * (high - min(max(bits, low), high)) / (high - low)

    points = " ".join(f"{x(row['tokens']):.1f},{y(row['bits_per_byte']):.1f}" for row in curve)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for tick in (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0):
        parts.append(
            f'<line x1="{left}" x2="{width - 12}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" '
            f'stroke="#dddddd"/><text x="{left - 6}" y="{y(tick) + 4:.1f}" '
            f'text-anchor="end" fill="#444444">{tick}</text>'
        )
    for bits, colour, label in ((xz, "#a04000", "xz -9"), (heldout, "#006040", "model, held out")):
        parts.append(
            f'<line x1="{left}" x2="{width - 12}" y1="{y(bits):.1f}" y2="{y(bits):.1f}" '
            f'stroke="{colour}" stroke-dasharray="5 4"/><text x="{width - 14}" '
            f'y="{y(bits) - 4:.1f}" text-anchor="end" fill="{colour}">{label}: {bits:.3f}</text>'
        )
    parts += [
        f'<polyline points="{points}" fill="none" stroke="#2050a0" stroke-width="1.2"/>',
        f'<text x="{(width + left) / 2}" y="{height - 8}" text-anchor="middle" fill="#444444">'
        f"bytes seen in training (0 to {most_tokens / 1e6:.1f} million); "
        "vertical: training loss, bits per byte</text>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def thinned(curve: list[dict[str, float]], count: int) -> list[dict[str, float]]:
    """About ``count`` rows, evenly spread, each the mean of those it stands for."""
    size = max(1, round(len(curve) / count))
    groups = [curve[i : i + size] for i in range(0, len(curve), size)]
    return [
        {
            "tokens": group[-1]["tokens"],
            "bits_per_byte": sum(row["bits_per_byte"] for row in group) / len(group),
            "tokens_per_second": sum(row["tokens_per_second"] for row in group) / len(group),
        }
        for group in groups
    ]


def card(
    record: dict, recipe: dict, state: dict, curve: list[dict[str, float]], score: dict[str, float]
) -> str:
    """The text of the model card."""
    streams = record["streams"]
    config = ModelConfig()
    parameters = sum(p.numel() for p in LanguageModel(config).parameters())
    total, decay = recipe["total_tokens"], recipe["decay_tokens"]
    speed = state["tokens"] / state["seconds"]
    packages = "\n".join(
        f"| {p['name']} | {p['version']} | `{p['sha256']}` |" for p in record["packages"]
    )
    stream_rows = "\n".join(
        f"| {name} | {s['files']} | {s['bytes']:,} | `{s['sha256']}` |"
        for name, s in streams.items()
    )
    curve_rows = "\n".join(
        f"| {row['tokens'] / 1e6:.2f} | {row['bits_per_byte']:.3f} |" for row in thinned(curve, 24)
    )
    starts = [0] + [phase["until_tokens"] for phase in recipe["phases"][:-1]]
    stages = [
        (start, phase)
        for start, phase in zip(starts, recipe["phases"])
        if start < total - decay
    ] + [(total - decay, recipe["decay_phase"])]
    phase_rows = "\n".join(
        f"| {start / 1e6:.1f} | {phase['context']} | {phase['rows']} | {phase['test_rows']} |"
        for start, phase in stages
    )
    shipped, kept = record["heldout_shipped"], record["heldout_kept_back"]
    too_close = [
        f"`{name}` ({reason})"
        for name, reason in record["skipped"].items()
        if reason.startswith("shares")
    ]
    return f"""# Model card: the embedded byte-level model

A small language model of Python source text, made to give the attention variants and the
key/value-cache formats of this package something real to run on. It is a measuring
instrument; as a programmer's assistant it is useless.

| | |
| --- | --- |
| Architecture | Llama (`LlamaForCausalLM`), multi-head attention |
| Layers, hidden size, MLP | {config.num_hidden_layers}, {config.hidden_size}, {config.intermediate_size} |
| Heads × head dimension | {config.num_attention_heads} × {config.head_dim} (as many key/value heads) |
| Positions | rotary, θ = {config.rope_theta:.0f}, half-split; context {config.max_position_embeddings:,} |
| Vocabulary | the {config.vocab_size} byte values; no special tokens |
| Embedding | tied to the output head |
| Parameters | {parameters:,}, stored as bfloat16 |

## Scores

Bits per byte on the concatenated held-out files: every byte scored once, with at least 512
bytes of context where there are that many before it (windows of 1,024, step 512), weights as
exported (bfloat16), arithmetic in float32. `xz -9` packs the same bytes as one file.

| Held-out text | Bytes | Model | `xz -9` |
| --- | ---: | ---: | ---: |
| all {len(shipped) + len(kept)} files | {streams['heldout']['bytes']:,} | **{score['heldout']:.4f}** | {score['heldout-xz']:.4f} |
| the {len(shipped)} that ship (`heldout.txt`) | {streams['heldout-shipped']['bytes']:,} | **{score['heldout-shipped']:.4f}** | {score['heldout-shipped-xz']:.4f} |

## Data

The sources of Python 3.11's standard library, its tools and its test-suite, as Debian 12
packages them (Python Software Foundation licence; the shipped text carries it as
`LICENSE-PYTHON.txt`).

| Package | Version | SHA-256 of the .deb |
| --- | --- | --- |
{packages}

| Stream | Files | Bytes | SHA-256 |
| --- | ---: | ---: | --- |
{stream_rows}

Files are taken whole and ordered by name. Left out of training: the held-out files, their
tests, generated tables (`encodings/` and the like), very large tests, files that are not
UTF-8, and files too close to a held-out one (more than 2 % of either's runs of four lines in
common): {', '.join(too_close)}.

Held out and shipped: {', '.join(f'`{name}`' for name in shipped)}.
Held out, not shipped: {', '.join(f'`{name}`' for name in kept)}.

## Training

{state['tokens']:,} bytes seen (a byte is a token) in {state['steps']:,} steps;
{total - decay:,} of warm-up and plateau, then {decay:,} of linear decay to zero. The library
stream was seen about {library_epochs(state, recipe, streams):.1f} times. Muon (rate
{recipe['muon_rate']}, momentum {recipe['momentum']}, weight decay {recipe['weight_decay']}) for
the matrices, AdamW (rate {recipe['adam_rate']}) for the embedding and the norms, gradient norm
clipped at {recipe['gradient_clip']}, bfloat16 autocast, seed {recipe['seed']}.

| From (million bytes) | Context | Rows per step | of them tests |
| ---: | ---: | ---: | ---: |
{phase_rows}

It took {state['seconds'] / 60:.0f} minutes on two cores of an x86-64 server processor with
`avx512_bf16`, shared with other work: {speed:,.0f} bytes per second on average.

### Loss curve

Training loss, each row the mean since the row before (`loss.csv` has every value; the
curve steps where the context grows and where the tests leave the mixture).

![loss curve](loss.svg)

| Million bytes seen | Bits per byte |
| ---: | ---: |
{curve_rows}

## How to repeat it

See `Benchmarks/Models/README.md`; the training command for exactly this schedule is

```sh
python train.py --work DIR --total-tokens {total} --decay-tokens {decay}
```

The schedule is counted in bytes and everything is seeded, and neither interruptions nor
branching off a finished model change what the main run sees. The same versions on the same
kind of processor give the same model up to the rounding of parallel sums, other machines one
as good.

## Limits

It has read one project's Python and nothing else, in a house style twenty years deep; text
in other languages costs it far more bits. It was trained on contexts of up to 1,024 bytes and
is not meant to be used beyond them.
"""


def library_epochs(state: dict, recipe: dict, streams: dict) -> float:
    """How often the library stream was read, from the shares of the phases."""
    plateau_end = recipe["total_tokens"] - recipe["decay_tokens"]
    start, seen = 0, 0.0
    for phase in recipe["phases"]:
        end = min(phase["until_tokens"], plateau_end)
        seen += max(0, end - start) * (1 - phase["test_rows"] / phase["rows"])
        start = max(start, end)
    phase = recipe["decay_phase"]
    seen += (state["tokens"] - plateau_end) * (1 - phase["test_rows"] / phase["rows"])
    return seen / streams["library"]["bytes"]


def main() -> None:
    parser = argparse.ArgumentParser(description="Export a checkpoint and write its card.")
    parser.add_argument("--work", type=Path, default=Path(".build/model"))
    parser.add_argument("--run", default="main", help="main, or the name of a branch")
    parser.add_argument("--output", type=Path, required=True, help="the folder of the model")
    parser.add_argument("--card", type=Path, default=HERE, help="a second home for the card")
    parser.add_argument("--force", action="store_true", help="replace even a better model")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    corpus = arguments.work / "corpus"
    record = json.loads((corpus / "corpus.json").read_text())
    checkpoint = arguments.work / "runs" / arguments.run / "checkpoint.pt"
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    # Everything is made in a staging folder first: what is in place stays until it is beaten.
    staging = arguments.work / "export"
    staging.mkdir(parents=True, exist_ok=True)
    export_weights(checkpoint, staging)
    score = scores(load_export(staging), corpus)
    print(json.dumps(score, indent=1))

    if (arguments.output / "model.safetensors").exists() and not arguments.force:
        present = scores(load_export(arguments.output), corpus)["heldout"]
        if present <= score["heldout"]:
            sys.exit(f"the model in place scores {present:.4f}, which is no worse: kept")

    curve = loss_curve(arguments.work, arguments.run)
    text = card(record, state["recipe"], state, curve, score)
    drawing = svg_curve(curve, score["heldout"], score["heldout-xz"])
    for folder in (arguments.card, arguments.output):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "MODEL_CARD.md").write_text(text)
        (folder / "loss.svg").write_text(drawing)
    with (arguments.card / "loss.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", "tokens", "bits_per_byte"])
        for row in curve:
            writer.writerow([int(row["step"]), int(row["tokens"]), f"{row['bits_per_byte']:.4f}"])
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(staging / name, arguments.output / name)
    shutil.copyfile(corpus / "heldout-shipped.bin", arguments.output / "heldout.txt")
    shutil.copyfile(arguments.work / LICENCE, arguments.output / "LICENSE-PYTHON.txt")
    print(f"exported to {arguments.output}")


if __name__ == "__main__":
    main()
