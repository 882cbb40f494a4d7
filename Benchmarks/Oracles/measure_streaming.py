#!/usr/bin/env python3
"""Peak memory of conversions, and bytes and time of a load, on a random Llama of some gigabytes.

    make streaming                                  two depths, every conversion below
    make streaming STREAMING="--depths 24 --only load,mla:512+64"

Peaks are of what the process holds: anonymous memory (its own) and mapped file pages (the page
cache's, given back at any time), sampled every few milliseconds from /proc. A model of four times
the layers must not need more. `load` starts with none of the files in the page cache and counts
what the process reads from the disk; `load again` finds them there. `rate` is how fast calibration
runs: the FLOPs of the model's own forward pass over more calibration tokens by the time that they
add to a conversion to gqa:2, in turn with numpy's product of 512 rows with an MLP weight.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

import numpy as np

SHARD = 500_000_000
CONVERSIONS = ["gqa:2", "gqa:8/swa:1024", "gqa:8/cla:2", "mla:512+64 --weights-only", "mla:512+64"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--attnzoo", required=True)
    parser.add_argument("--depths", default="6,24", help="layers of the models")
    parser.add_argument("--hidden", type=int, default=2048)
    parser.add_argument("--heads", type=int, default=32)
    parser.add_argument("--kv", type=int, default=8)
    parser.add_argument("--mlp", type=int, default=4096)
    parser.add_argument("--vocabulary", type=int, default=32000)
    parser.add_argument("--calibration", type=int, default=2048)
    parser.add_argument("--segments", type=int, default=1)
    parser.add_argument("--only", help="load, rate, or targets as they are listed, separated by commas")
    parser.add_argument("--folder", default=".work/streaming", help="gigabytes go here")
    parser.add_argument("--keep", action="store_true", help="leave the models there")
    return parser.parse_args()


OPTIONS = arguments()


def layer_tensors(index):
    hidden, width = OPTIONS.hidden, OPTIONS.hidden // OPTIONS.heads
    rows, prefix = OPTIONS.kv * width, f"model.layers.{index}."
    yield prefix + "input_layernorm.weight", (hidden,)
    yield prefix + "post_attention_layernorm.weight", (hidden,)
    for name, outputs in [("q", hidden), ("k", rows), ("v", rows), ("o", hidden)]:
        yield prefix + f"self_attn.{name}_proj.weight", (outputs, hidden)
    yield prefix + "mlp.gate_proj.weight", (OPTIONS.mlp, hidden)
    yield prefix + "mlp.up_proj.weight", (OPTIONS.mlp, hidden)
    yield prefix + "mlp.down_proj.weight", (hidden, OPTIONS.mlp)


def elements(tensors):
    return sum(int(np.prod(shape)) for _, shape in tensors)


def brain(random, shape):
    """Random bfloat16 patterns; norms are one."""
    if len(shape) == 1:
        return np.full(shape, 0x3F80, np.uint16)
    values = random.standard_normal(shape, dtype=np.float32) * np.float32(shape[1] ** -0.5)
    return (values.view(np.uint32) >> 16).astype(np.uint16)


def write_model(folder, layers):
    """A Llama folder in bfloat16, shard by shard; returns its bytes."""
    os.makedirs(folder)
    config = dict(
        architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=OPTIONS.hidden,
        num_hidden_layers=layers, num_attention_heads=OPTIONS.heads,
        num_key_value_heads=OPTIONS.kv, intermediate_size=OPTIONS.mlp,
        vocab_size=OPTIONS.vocabulary, max_position_embeddings=4096, rms_norm_eps=1e-5,
        rope_theta=10000.0, tie_word_embeddings=True, torch_dtype="bfloat16")
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file)
    tensors = [("model.embed_tokens.weight", (OPTIONS.vocabulary, OPTIONS.hidden))]
    for index in range(layers):
        tensors += layer_tensors(index)
    tensors.append(("model.norm.weight", (OPTIONS.hidden,)))
    shards, size = [[]], 0
    for name, shape in tensors:
        count = 2 * int(np.prod(shape))
        if shards[-1] and size + count > SHARD:
            shards.append([])
            size = 0
        shards[-1].append((name, shape))
        size += count
    random, places, total = np.random.default_rng(1), {}, 0
    for number, shard in enumerate(shards, 1):
        file_name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        header, offset = {}, 0
        for name, shape in shard:
            count = 2 * int(np.prod(shape))
            header[name] = dict(
                dtype="BF16", shape=list(shape), data_offsets=[offset, offset + count])
            places[name] = file_name
            offset += count
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(os.path.join(folder, file_name), "wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for _, shape in shard:
                file.write(brain(random, shape).tobytes())
            file.flush()
            os.fsync(file.fileno())
        total += offset
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as file:
        json.dump(dict(metadata=dict(total_size=total), weight_map=places), file)
    return total


def forget(folder):
    """Drops the folder's files from the page cache."""
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measured(command):
    """Runs a command; seconds, peaks in bytes and bytes read from the disk."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peaks, status = dict(RssAnon=0, RssFile=0), None
    while status is None:
        try:
            with open(f"/proc/{process.pid}/status") as file:
                for line in file:
                    key = line.split(":")[0]
                    if key in peaks:
                        peaks[key] = max(peaks[key], int(line.split()[1]) * 1024)
        except (FileNotFoundError, ProcessLookupError):
            pass
        pid, code, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            status = code
        else:
            time.sleep(0.004)
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"{' '.join(command)}: {process.stderr.read().decode().strip()}")
    return dict(
        seconds=seconds, anonymous=peaks["RssAnon"], file=peaks["RssFile"],
        read=usage.ru_inblock * 512)


def product_rate():
    """FLOPs a second of numpy's float32 product of 512 rows with an MLP weight."""
    random = np.random.default_rng(3)
    rows = random.standard_normal((512, OPTIONS.hidden), np.float32)
    weight = random.standard_normal((OPTIONS.mlp, OPTIONS.hidden), np.float32)
    rows @ weight.T
    start = time.perf_counter()
    for _ in range(20):
        rows @ weight.T
    return 20 * 2 * rows.shape[0] * weight.size / (time.perf_counter() - start)


def show_calibration_rate(folder, layers, scratch):
    """Medians of three rounds; attention over half the segment of 1,024 tokens on average."""
    few, many = 1024, 8192
    ids, out = os.path.join(scratch, "rate.npy"), os.path.join(scratch, "out")
    np.save(ids, np.random.default_rng(2).integers(0, OPTIONS.vocabulary, many + 1024, dtype=np.int32))
    products = sum(int(np.prod(shape)) for _, shape in layer_tensors(0) if len(shape) == 2)
    flops = layers * (many - few) * (2 * products + 4 * OPTIONS.hidden * 512)
    seconds, peers = [], []
    for _ in range(3):
        times = []
        for count in few, many:
            shutil.rmtree(out, ignore_errors=True)
            peers.append(product_rate())
            times.append(measured(
                [OPTIONS.attnzoo, "convert", folder, "--to", "gqa:2", "--tokens", ids,
                 "--calibration-tokens", str(count), "--evaluation-segments", "1", "--out", out]
            )["seconds"])
        seconds.append(times[1] - times[0])
    shutil.rmtree(out)
    rate, peer = flops / statistics.median(seconds), statistics.median(peers)
    print(f"\n{many - few:,} calibration tokens more, {layers} layers: {statistics.median(seconds):.1f} s, "
          f"{rate / 1e9:.0f} GFLOP/s; numpy's product {peer / 1e9:.0f} GFLOP/s; {rate / peer:.2f} of it\n",
          flush=True)


def mb(count):
    return f"{count / 1e6:,.0f}"


def main():
    scratch = os.path.abspath(OPTIONS.folder)
    wanted = OPTIONS.only.split(",") if OPTIONS.only else ["load"] + CONVERSIONS
    os.makedirs(scratch, exist_ok=True)
    ids = os.path.join(scratch, "ids.npy")
    tokens = OPTIONS.calibration + 1024 * OPTIONS.segments
    np.save(ids, np.random.default_rng(2).integers(
        0, OPTIONS.vocabulary, -(-tokens // 1024) * 1024, dtype=np.int32))
    print(f"one layer {mb(2 * elements(layer_tensors(0)))} MB, embedding "
          f"{mb(2 * OPTIONS.vocabulary * OPTIONS.hidden)} MB, {OPTIONS.calibration} calibration "
          f"tokens, {OPTIONS.segments} evaluation segments; MB and seconds\n")
    print("| layers | model | what | seconds | peak anonymous | peak mapped file "
          "| read from disk |\n|--:|--:|---|--:|--:|--:|--:|", flush=True)
    for layers in map(int, OPTIONS.depths.split(",")):
        folder = os.path.join(scratch, f"llama-{layers}")
        if not os.path.exists(os.path.join(folder, "model.safetensors.index.json")):
            shutil.rmtree(folder, ignore_errors=True)
            write_model(folder, layers)
        size = sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))

        def show(what, found):
            print(f"| {layers} | {mb(size)} | {what} | {found['seconds']:.1f} | "
                  f"{mb(found['anonymous'])} | {mb(found['file'])} | "
                  f"{mb(found['read'])} |", flush=True)

        out = os.path.join(scratch, "out")
        if "load" in wanted:
            load = [OPTIONS.attnzoo, "logits", folder, "--tokens", "1", "--weights", "bf16",
                    "--out", out]
            forget(folder)
            show("load", measured(load))
            show("load again", measured(load))
            os.remove(out)
        for target in wanted:
            if target == "load":
                continue
            if target == "rate":
                show_calibration_rate(folder, layers, scratch)
                continue
            shutil.rmtree(out, ignore_errors=True)
            words = target.split()
            # The weights alone need no tokens.
            text = [] if "--weights-only" in words else [
                "--tokens", ids, "--calibration-tokens", str(OPTIONS.calibration),
                "--evaluation-segments", str(OPTIONS.segments)]
            show(f"`{target}`", measured(
                [OPTIONS.attnzoo, "convert", folder, "--to", *words, *text, "--out", out]))
            shutil.rmtree(out)
        if not OPTIONS.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
