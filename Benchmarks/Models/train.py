"""Trains the model on the streams that ``data.py`` built.

    python train.py --work DIR [--resume] [--total-tokens N] [--stop-at N]

The schedule is warm-up, a constant plateau, and a linear decay to zero, all counted in
tokens and never in seconds, so a run can be repeated whatever the machine. Because the
plateau does not know where it ends, a finished model can be branched off any checkpoint:

    python train.py --work DIR --branch NAME --total-tokens N --decay-tokens M

continues from the newest checkpoint of the main run into a decay of its own and leaves the
main run as it is.

Hidden matrices are trained by Muon (momentum whose update is orthogonalised), the embedding
and the norms by AdamW. Checkpoints are written to a temporary name and renamed, so stopping
the process at any moment, by any signal, loses at most the steps since the last one.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from model import LanguageModel, ModelConfig


@dataclass(frozen=True)
class Phase:
    """A stretch of the run with one shape of batch; short contexts first, because early on
    they teach as much per byte and cost less."""

    until_tokens: int
    context: int
    rows: int
    test_rows: int  # of the rows, those drawn from the test-suite


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result, apart from the data."""

    total_tokens: int
    decay_tokens: int
    warmup_tokens: int = 400_000
    muon_rate: float = 0.02
    adam_rate: float = 0.003
    momentum: float = 0.95
    weight_decay: float = 0.1
    gradient_clip: float = 1.0
    seed: int = 20
    phases: tuple[Phase, ...] = (
        Phase(until_tokens=3_000_000, context=256, rows=16, test_rows=4),
        Phase(until_tokens=6_000_000, context=512, rows=8, test_rows=1),
        Phase(until_tokens=1 << 62, context=1024, rows=8, test_rows=1),
    )
    # The decay is where the model settles on what it will be judged on: full context,
    # library code only.
    decay_phase: Phase = Phase(until_tokens=1 << 62, context=1024, rows=4, test_rows=0)

    def phase(self, tokens: int) -> Phase:
        if tokens >= self.total_tokens - self.decay_tokens:
            return self.decay_phase
        return next(phase for phase in self.phases if tokens < phase.until_tokens)

    def rate_factor(self, tokens: int) -> float:
        """The learning rate at ``tokens``, relative to the plateau."""
        warm = min(1.0, (tokens + 1) / self.warmup_tokens)
        left = max(0, self.total_tokens - tokens)
        return min(warm, left / self.decay_tokens if self.decay_tokens else 1.0)


@dataclass
class WindowStream:
    """Endless windows over a byte stream: each epoch cuts it at a new random offset and
    visits the pieces in a new random order. Its state is three integers."""

    content: np.ndarray
    seed: int
    epoch: int = 0
    index: int = 0
    context: int = 0
    _starts: np.ndarray | None = field(default=None, repr=False)

    def _shuffle(self) -> None:
        random = np.random.default_rng((self.seed, self.epoch, self.context))
        offset = int(random.integers(self.context))
        starts = np.arange(offset, len(self.content) - self.context - 1, self.context)
        self._starts = random.permutation(starts)

    def take(self, rows: int, context: int) -> list[np.ndarray]:
        """The next ``rows`` windows, each one byte longer than the context."""
        if context != self.context:
            self.epoch, self.index = self.epoch + (self.context != 0), 0
            self.context, self._starts = context, None
        windows = []
        for _ in range(rows):
            if self._starts is None:
                self._shuffle()
            if self.index == len(self._starts):
                self.epoch, self.index = self.epoch + 1, 0
                self._shuffle()
            start = self._starts[self.index]
            windows.append(self.content[start : start + context + 1])
            self.index += 1
        return windows

    def state(self) -> dict[str, int]:
        return {"epoch": self.epoch, "index": self.index, "context": self.context}

    def restore(self, state: dict[str, int]) -> None:
        self.epoch, self.index, self.context = state["epoch"], state["index"], state["context"]
        self._starts = None


def orthogonalised(matrices: Tensor) -> Tensor:
    """The nearest semi-orthogonal matrices, roughly: five steps of the quintic
    Newton–Schulz iteration with the coefficients of Muon, on a stack ``[n, rows, cols]``."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrices.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).float()


class Muon(torch.optim.Optimizer):
    """Nesterov momentum whose update is orthogonalised, for matrices only. Matrices of one
    shape are handled as one stack, since on a CPU the small products would not fill it."""

    def __init__(
        self, parameters: list[Tensor], lr: float, momentum: float, weight_decay: float
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = {}
            for parameter in group["params"]:
                by_shape.setdefault(parameter.shape, []).append(parameter)
            for shape, parameters in by_shape.items():
                updates = []
                for parameter in parameters:
                    state = self.state[parameter]
                    if not state:
                        state["momentum"] = torch.zeros_like(parameter)
                    state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                    updates.append(parameter.grad.lerp(state["momentum"], group["momentum"]))
                # A tall matrix needs the larger step for the same change of its output.
                scale = math.sqrt(max(1.0, shape[0] / shape[1])) * group["lr"]
                for parameter, update in zip(parameters, orthogonalised(torch.stack(updates))):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(update, alpha=-scale)


class Trainer:
    """The run: model, optimizers, data, progress, and how they are saved."""

    def __init__(self, recipe: Recipe, work: Path, run: str, device: torch.device) -> None:
        self.recipe = recipe
        self.device = device
        self.folder = work / "runs" / run
        self.folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(recipe.seed)
        self.model = LanguageModel(ModelConfig()).to(device)
        matrices, rest = [], []
        for name, parameter in self.model.named_parameters():
            hidden = parameter.ndim == 2 and "embed_tokens" not in name
            (matrices if hidden else rest).append(parameter)
        self.muon = Muon(matrices, recipe.muon_rate, recipe.momentum, recipe.weight_decay)
        self.adam = torch.optim.AdamW(
            rest, lr=recipe.adam_rate, betas=(0.9, 0.95), weight_decay=0.0
        )
        corpus = work / "corpus"
        self.library = WindowStream(np.fromfile(corpus / "library.bin", np.uint8), recipe.seed)
        self.tests = WindowStream(np.fromfile(corpus / "tests.bin", np.uint8), recipe.seed + 1)
        self.tokens = 0
        self.steps = 0
        self.seconds = 0.0

    # Checkpoints

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def save(self, path: Path | None = None) -> None:
        path = path or self.checkpoint
        temporary = path.with_suffix(".tmp")
        torch.save(
            {
                "model": self.model.state_dict(),
                "muon": self.muon.state_dict(),
                "adam": self.adam.state_dict(),
                "library": self.library.state(),
                "tests": self.tests.state(),
                "tokens": self.tokens,
                "steps": self.steps,
                "seconds": self.seconds,
                "recipe": asdict(self.recipe),
            },
            temporary,
        )
        os.replace(temporary, path)

    def load(self, path: Path) -> None:
        saved = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.muon.load_state_dict(saved["muon"])
        self.adam.load_state_dict(saved["adam"])
        self.library.restore(saved["library"])
        self.tests.restore(saved["tests"])
        self.tokens, self.steps, self.seconds = saved["tokens"], saved["steps"], saved["seconds"]

    # Training

    def batch(self, phase: Phase) -> tuple[Tensor, Tensor]:
        windows = self.library.take(phase.rows - phase.test_rows, phase.context)
        if phase.test_rows:
            windows += self.tests.take(phase.test_rows, phase.context)
        block = torch.from_numpy(np.stack(windows)).long().to(self.device)
        return block[:, :-1], block[:, 1:]

    def step(self) -> float:
        """One optimizer step; returns its loss in bits per byte."""
        phase = self.recipe.phase(self.tokens)
        factor = self.recipe.rate_factor(self.tokens)
        inputs, targets = self.batch(phase)
        with torch.autocast(self.device.type, torch.bfloat16):
            loss = self.model.loss(inputs, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.gradient_clip)
        for optimizer, rate in (
            (self.muon, self.recipe.muon_rate),
            (self.adam, self.recipe.adam_rate),
        ):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.tokens += inputs.numel()
        self.steps += 1
        return loss.item() / math.log(2)

    def run(self, stop_at: int, save_every: float, log_every: int) -> None:
        """Trains until ``stop_at`` tokens or the end of the schedule, or a signal."""
        stopping = False

        def stop(number: int, _: object) -> None:
            nonlocal stopping
            stopping = True
            print(f"signal {number}: finishing the step, then saving", flush=True)

        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        end = min(stop_at, self.recipe.total_tokens)
        saved_at = mark = time.monotonic()
        mark_tokens, losses = self.tokens, []
        while self.tokens < end and not stopping:
            losses.append(self.step())
            if not math.isfinite(losses[-1]):
                sys.exit("the loss is not finite; the last checkpoint is untouched")
            now = time.monotonic()
            if self.steps % log_every == 0 or self.tokens >= end:
                self.seconds += now - mark
                speed = (self.tokens - mark_tokens) / (now - mark)
                self._log(sum(losses) / len(losses), speed, end)
                mark, mark_tokens, losses = now, self.tokens, []
            if now - saved_at > save_every:
                self.save()
                saved_at = now
        self.seconds += time.monotonic() - mark
        self.save()

    def _log(self, bits: float, speed: float, end: int) -> None:
        left = (end - self.tokens) / speed
        print(
            f"step {self.steps:6d}  tokens {self.tokens / 1e6:7.3f} M  "
            f"loss {bits:.4f} bits/byte  rate x{self.recipe.rate_factor(self.tokens):.3f}  "
            f"{speed:6.0f} tokens/s  {left / 60:5.1f} min left",
            flush=True,
        )
        log = self.folder / "loss.csv"
        new = not log.exists()
        with log.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["step", "tokens", "bits_per_byte", "tokens_per_second"])
            writer.writerow([self.steps, self.tokens, f"{bits:.5f}", f"{speed:.0f}"])


def trim_log(folder: Path, tokens: int) -> None:
    """Drops the rows of the loss curve that a resumed run is about to write again."""
    log = folder / "loss.csv"
    if log.exists():
        head, *rows = log.read_text().splitlines(keepends=True)
        log.write_text(head + "".join(r for r in rows if int(r.split(",")[1]) <= tokens))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the byte-level model.")
    parser.add_argument("--work", type=Path, default=Path(".build/model"))
    parser.add_argument("--total-tokens", type=int, default=18_000_000)
    parser.add_argument("--decay-tokens", type=int, default=3_600_000)
    parser.add_argument("--stop-at", type=int, default=1 << 62, help="stop early, at this token")
    parser.add_argument("--resume", action="store_true", help="continue from the checkpoint")
    parser.add_argument("--branch", metavar="NAME", help="decay a copy of the main run")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--save-every", type=float, default=120, help="seconds")
    parser.add_argument("--log-every", type=int, default=50, help="steps")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    recipe = Recipe(arguments.total_tokens, arguments.decay_tokens)
    trainer = Trainer(
        recipe, arguments.work, arguments.branch or "main", torch.device(arguments.device)
    )
    main_checkpoint = arguments.work / "runs" / "main" / "checkpoint.pt"
    if arguments.resume and trainer.checkpoint.exists():
        trainer.load(trainer.checkpoint)
        trim_log(trainer.folder, trainer.tokens)
    elif arguments.branch:
        trainer.load(main_checkpoint)
        (trainer.folder / "loss.csv").unlink(missing_ok=True)
    elif trainer.checkpoint.exists():
        sys.exit(f"{trainer.checkpoint} exists: pass --resume, or remove it to start afresh")
    (trainer.folder / "recipe.json").write_text(json.dumps(asdict(recipe), indent=1) + "\n")
    print(
        f"{sum(p.numel() for p in trainer.model.parameters()):,} parameters, "
        f"{arguments.threads} threads, {trainer.device}, from token {trainer.tokens:,}",
        flush=True,
    )
    trainer.run(arguments.stop_at, arguments.save_every, arguments.log_every)


if __name__ == "__main__":
    main()
