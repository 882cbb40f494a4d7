#!/usr/bin/env python3
"""Loads an exported folder in unmodified Hugging Face transformers and compares logits.

    check_export.py FOLDER --reference LOGITS.safetensors
        a folder against logits that attnzoo wrote: tensors `tokens` [T] and `logits` [T x V]
    check_export.py FOLDER --attnzoo .build/release/attnzoo [--text TEXT | --tokens 1,2,3]
        a folder against what attnzoo computes from the same folder
    check_export.py --oracle .build/release/export-oracle [--attnzoo ...] [--count 40] [--seed 7]
        random models: their logits before they were exported, their exports in transformers, and
        (with --attnzoo) attnzoo's reading of the same exports

A folder in float32 must agree to 1e-4 of the largest logit. A folder in bfloat16 is run in float32
arithmetic, where it must agree with attnzoo's reading of it to 1e-4, and in bfloat16 arithmetic,
where its error must stay within what bfloat16 makes of the same model without the constant channel.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings

import torch
import transformers
from safetensors.torch import load_file

TOLERANCE = 1e-4
# An error of rounding varies from draw to draw; twice the reference's is still rounding.
BF16_FACTOR = 2.0


def load(folder, dtype):
    """The model that unmodified transformers reads from the folder; refuses loose ends."""
    model, report = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager", output_loading_info=True)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if report[kind]:
            raise SystemExit(f"{folder}: {kind}: {sorted(map(str, report[kind]))[:3]}")
    return model.eval()


def logits(model, tokens, prefill):
    """Logits of every token: the first `prefill` in one call, the others one by one by the cache."""
    rows, past = [], None
    with torch.no_grad():
        for start, count in [(0, prefill)] + [(i, 1) for i in range(prefill, len(tokens))]:
            ids = torch.tensor([tokens[start:start + count]])
            result = model(input_ids=ids, past_key_values=past, use_cache=True)
            past = result.past_key_values
            rows.append(result.logits[0].float())
    return torch.cat(rows)


def error(actual, expected):
    """Largest difference over the largest magnitude."""
    if actual.shape != expected.shape:
        raise SystemExit(f"logits of shape {tuple(actual.shape)}, expected {tuple(expected.shape)}")
    return ((actual - expected).abs().max() / expected.abs().max()).item()


def without_constant(model):
    """The float32 model with its latents not normalised at all, as before it was exported: the norm
    becomes nothing, and what it multiplied by goes into the up-projections. The measure of what
    bfloat16 costs such a model anyway."""
    for layer in model.model.layers:
        attention = layer.self_attn
        if not hasattr(attention, "kv_a_layernorm"):
            continue
        rank = attention.kv_lora_rank
        bias = attention.kv_a_proj_with_mqa.bias
        constant = bias[:rank].abs().max().double()
        mean = (constant ** 2 / rank + 1e-6).sqrt()
        with torch.no_grad():
            factor = attention.kv_a_layernorm.weight.double() / mean
            weight = attention.kv_b_proj.weight
            weight.copy_((weight.double() * factor).float())
            bias[int(bias[:rank].abs().argmax())] = 0
        attention.kv_a_layernorm = torch.nn.Identity()
    return model


def attnzoo_logits(program, folder, tokens, prefill, scratch):
    """What attnzoo computes from a folder."""
    output = os.path.join(scratch, "attnzoo.safetensors")
    command = [program, "logits", folder, "--tokens", ",".join(map(str, tokens)),
               "--prefill", str(prefill), "--out", output]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {result.stderr.strip()}")
    return load_file(output)["logits"]


def config_of(folder):
    with open(os.path.join(folder, "config.json")) as file:
        return json.load(file)


def compare(folder, tokens, prefill, expected, program, scratch, exact):
    """Lines of what was found and whether all of it is good.

    `expected` are logits before the export, or None; `exact` says whether the folder must give them
    (a bias-free export does not)."""
    config = config_of(folder)
    narrow = config["dtype"] == "bfloat16"
    good, lines = True, []

    def check(what, value, limit):
        nonlocal good
        good = good and value <= limit
        lines.append(f"{what} {value:.1e}" + ("" if value <= limit else f" > {limit:.1e}"))

    model = load(folder, torch.float32)
    found = logits(model, tokens, prefill)
    if program:
        own = attnzoo_logits(program, folder, tokens, prefill, scratch)
        check("attnzoo's reading", error(own, found), TOLERANCE)
    if expected is not None and not narrow and exact:
        check("float32", error(found, expected), TOLERANCE)
    if expected is not None and not exact:
        lines.append(f"lossy by {error(found, expected):.1e}")
    if narrow and expected is not None and exact:
        rounded = error(logits(load(folder, torch.bfloat16), tokens, prefill), expected)
        latent = "kv_lora_rank" in config and config["attention_bias"]
        if latent:
            plain = without_constant(load(folder, torch.float32)).to(torch.bfloat16)
            floor = error(logits(plain, tokens, prefill), expected)
            check("bfloat16", rounded, BF16_FACTOR * floor)
            lines.append(f"un-normalised in bfloat16 {floor:.1e}")
        else:
            lines.append(f"bfloat16 {rounded:.1e}")
    return lines, good


def random_models(options, scratch):
    """Exports of random models of every kind and element type."""
    kinds = options.kinds.split(",")
    failures = 0
    for index in range(options.count):
        kind = kinds[index % len(kinds)]
        dtype = ["F32", "BF16"][index // len(kinds) % 2]
        folder = os.path.join(scratch, str(index))
        command = [options.oracle, folder, kind, str(options.seed * 1000 + index), dtype]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            print(f"FAIL {index:3} {kind} {dtype}: {result.stderr.strip()}")
            failures += 1
            continue
        reference = load_file(os.path.join(folder, "reference.safetensors"))
        tokens = reference["tokens"].tolist()
        lines, good = compare(
            os.path.join(folder, "export"), tokens, len(tokens) * 2 // 3, reference["logits"],
            options.attnzoo, scratch, exact=kind != "bias-free")
        failures += not good
        print(f"{'ok  ' if good else 'FAIL'} {index:3} {dtype:4} {result.stdout.strip()}: "
              + ", ".join(lines), flush=True)
    print(f"seed {options.seed}: {options.count - failures} of {options.count} agree")
    return failures == 0


def one_folder(options, scratch):
    """One folder against a file of logits, or against attnzoo's reading of it."""
    expected = None
    if options.reference:
        reference = load_file(options.reference)
        tokens, expected = reference["tokens"].tolist(), reference["logits"]
    elif options.tokens:
        tokens = [int(item) for item in options.tokens.split(",")]
    else:
        tokens = list(options.text.encode())
        size = config_of(options.folder)["vocab_size"]
        if size < 256:
            raise SystemExit(f"--text needs a byte-level model; this one has {size} tokens")
    prefill = max(1, len(tokens) * 2 // 3)
    lines, good = compare(
        options.folder, tokens, prefill, expected, options.attnzoo, scratch,
        exact=not options.lossy)
    print(f"{'ok' if good else 'FAIL'} {options.folder}, {config_of(options.folder)['architectures'][0]}"
          f" in transformers {transformers.__version__}, {len(tokens)} tokens: " + ", ".join(lines))
    return good


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--reference", help="safetensors file with tokens and logits")
    parser.add_argument("--lossy", action="store_true",
                        help="the folder is bias-free: its difference from --reference is reported")
    parser.add_argument("--attnzoo", help="the attnzoo program")
    parser.add_argument("--text", default="def check(export, logits):\n    return export == logits\n")
    parser.add_argument("--tokens", help="token ids, separated by commas")
    parser.add_argument("--oracle", help="the export-oracle program")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--kinds", default="latent,grouped,window,pattern,bias-free")
    options = parser.parse_args()
    if bool(options.folder) == bool(options.oracle):
        parser.error("give a folder or --oracle")
    if options.folder and not (options.reference or options.attnzoo):
        parser.error("give --reference or --attnzoo")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    # Newer releases call past_key_values `cache`; both are taken.
    warnings.filterwarnings("ignore", category=FutureWarning)
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as scratch:
        good = random_models(options, scratch) if options.oracle else one_folder(options, scratch)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
