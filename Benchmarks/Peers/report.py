"""Reports/peers.md from measured samples: medians, ratios of one run, GB/s, GFLOP/s."""

import statistics

from shapes import BESIDE, NEIGHBOURS

median = statistics.median


def milliseconds(samples):
    return median(samples) / 1e6


def ratio(row, name):
    """Median over repetitions of that side's time by ours in the same repetition."""
    return median(
        theirs / ours for theirs, ours in zip(row["samples"][name], row["samples"]["ours"])
    )


def fraction(row):
    """Median over repetitions of the roofline's time at the roofs probed in turn, by ours."""
    return median(
        max(row["bytes"] / roof["readGBPerSecond"], row["flops"] / roof["peakGFLOPPerSecond"])
        / nanoseconds
        for roof, nanoseconds in zip(row["roofs"], row["samples"]["ours"])
    )


def bandwidth(row):
    return median(roof["readGBPerSecond"] for roof in row["roofs"])


def peak(row):
    return median(roof["peakGFLOPPerSecond"] for roof in row["roofs"])


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |"]
    lines.append("|" + "|".join([" --- "] + [" ---: "] * (len(header) - 1)) + "|")
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return lines


def cell(row, name):
    if name in row["samples"]:
        return f"{milliseconds(row['samples'][name]):.2f}"
    note = row["notes"].get(name, "–")
    return note


def own_columns(row):
    ours = milliseconds(row["samples"]["ours"])
    return [
        f"{ours:.2f}", f"{row['bytes'] / ours / 1e6:.1f}", f"{row['flops'] / ours / 1e6:.0f}",
        f"{bandwidth(row):.1f}", f"{peak(row):.0f}", f"{fraction(row):.2f}",
    ]


def disturbed(row):
    return f"{100 * row['quiet']['disturbed'] / row['quiet']['runs']:.0f} %"


OWN_HEADER = ["ours, ms", "GB/s", "GFLOP/s", "read GB/s", "peak GFLOP/s", "roofline fraction"]


def best_ratio(row, names):
    present = [ratio(row, name) for name in names if name in row["samples"]]
    return min(present) if present else None


def ggml_section(rows, codec):
    names = ["ggml fused", "ggml unfused"]
    wider = BESIDE.get(codec)
    body = []
    for row in rows:
        if "failed" in row:
            body.append([row["shape"], "failed: " + row["failed"]] + [""] * (12 if wider else 11))
            continue
        best = best_ratio(row, names)
        verdict = []
        if codec == "f16":
            if row["ratio"] is not None and best is not None:
                verdict.append(f"≥ {row['ratio']:g}×: {'yes' if best >= row['ratio'] else 'no'}")
            if row["fraction"] is not None:
                holds = fraction(row) >= row["fraction"]
                verdict.append(f"≥ {row['fraction']:.2f}: {'yes' if holds else 'no'}")
        largest = max(row["errors"].values(), default=float("nan"))
        body.append(
            [row["shape"], *own_columns(row), *(cell(row, name) for name in names),
             f"{best:.2f}×" if best else "–", *([f"{ratio(row, wider):.2f}×"] if wider else []),
             f"{largest:.1e}", "; ".join(verdict) or "–", disturbed(row)]
        )
    return table(
        ["shape", *OWN_HEADER, "fused, ms", "unfused, ms", "faster ÷ ours",
         *([f"ours in {wider} ÷ ours"] if wider else []), "difference", "floors", "disturbed"],
        body,
    )


def peer_section(rows, names):
    body = []
    for row in rows:
        if "failed" in row:
            body.append([row["shape"], row["codec"], "failed: " + row["failed"]] + [""] * 9)
            continue
        cells = []
        for name in names:
            cells.append(cell(row, name))
            cells.append(f"{ratio(row, name):.1f}×" if name in row["samples"] else "–")
        largest = max(row["errors"].values(), default=float("nan"))
        body.append([row["shape"], row["codec"], *own_columns(row), *cells, f"{largest:.1e}", disturbed(row)])
    header = ["shape", "format", *OWN_HEADER]
    for name in names:
        header += [f"{name}, ms", "÷ ours"]
    return table(header + ["difference", "disturbed"], body)


def addressing_section(rows):
    names = next((list(row["samples"]) for row in rows if "samples" in row), [])
    body = []
    for row in rows:
        if "failed" in row:
            body.append([row["shape"], "failed: " + row["failed"]])
            continue
        first = row["samples"][names[0]]
        cells = [f"{milliseconds(first):.2f} ms"]
        for name in names[1:]:
            cells.append(f"{median(a / b for a, b in zip(row['samples'][name], first)):.3f}×")
        body.append([row["shape"], *cells, disturbed(row)])
    return table(["shape", *names, "disturbed"], body)


def step_section(rows):
    body = []
    for row in rows:
        if "failed" in row:
            return [f"Failed: {row['failed']}."]
        names = ["llama.cpp fused", "llama.cpp unfused"]
        best = min(ratio(row, name) for name in names)
        body.append(
            [f"{row['depth']:,}", f"{milliseconds(row['samples']['ours']):.1f}",
             *(f"{milliseconds(row['samples'][name]):.1f}" for name in names), f"{best:.2f}×",
             disturbed(row)]
        )
    return table(["depth", "ours, ms", "fused, ms", "unfused, ms", "better ÷ ours", "disturbed"], body)


def again_line(result):
    times = result.get("times", {}).values()
    again = sum(times) - len(times)
    if again == 0:
        return []
    return [f"- What was disturbed most was measured again later, the {len(times)} rows or tables of rows that are "
            f"measured together {again} times in all; of each the least disturbed measurement counts, however it "
            "came out."]


def write_report(result):
    rows = result["attention"]
    names_alone = {shape.name for shape in NEIGHBOURS}
    compared = [row for row in rows if row["shape"] not in names_alone]
    alone = [row for row in rows if row["shape"] in names_alone]
    isas = {row["isa"] for row in rows if "isa" in row}
    packages = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    quiet = [row["quiet"] for row in rows + result["addressing"] + result["steps"] if "quiet" in row]
    total = {key: sum(one[key] for one in quiet) for key in ("runs", "disturbed", "tries")}
    lines = [
        "# Decode attention beside peers", "",
        f"- Machine: {result['processor']}, {result['threads']} threads, instruction set "
        f"{', '.join(sorted(isas))}",
        f"- Date: {result['date']}; commit {result['commit']}",
        f"- Peers, from PyPI: {packages}",
        f"- Medians of {result['repetitions']} repetitions. A repetition runs every side, once untimed "
        "and once timed, each a process of its own with the others stopped; ratios are medians of the "
        "ratios within a repetition. Read bandwidth and arithmetic peak are probed before and after every "
        "repetition; the roofline fraction takes that repetition's.",
        "- A run counts if the cores issued instructions at their full rate just before and after it, "
        f"and is repeated otherwise, for {result['patience']:g} s at most, three times as long where floors are "
        "judged: what else runs on the same physical "
        f"cores takes up to 40 % of it. {total['tries']:,} runs for {total['runs']:,} that count, of "
        f"which {total['disturbed']:,} are the least disturbed of their tries; each table's last column "
        "has their share.",
        *again_line(result),
        f"- Copies of the rows, at least {result['past_caches'] >> 20:,} MiB together where sixteen "
        "suffice, are taken in turn, so that no run finds its rows in a cache.",
        "- *difference* is the largest absolute difference of the outputs by the largest output; the "
        "peers round queries or weights to the format of the rows.",
        *(f"- {note}" for note in result["notes"]),
        "- Repeat: `make peers`.", "",
    ]
    for codec, name in (("f16", "f16"), ("int8", "int8 beside q8_0"), ("int4", "int4 beside q4_0")):
        chosen = [
            row for row in compared
            if row["codec"] == codec
        ]
        if chosen:
            lines += [f"## One step of attention, {name}", "", *ggml_section(chosen, codec), ""]
    chosen = [row for row in compared if row["codec"] in ("bf16", "f32")]
    if chosen:
        lines += ["## PyTorch and ONNX Runtime", "", *peer_section(chosen, ["PyTorch", "ONNX Runtime"]), ""]
    if result["steps"]:
        lines += [
            "## Whole decode steps", "",
            "Llama-3.2-1B's shape with its vocabulary of 128,256, weights and cache in f16, one "
            "sequence, against llama.cpp with a GGUF of random weights.", "",
            *step_section(result["steps"]), "",
        ]
    if result["addressing"]:
        lines += [
            "## Addressing, f16, by contiguous rows", "", *addressing_section(result["addressing"]), "",
        ]
    if alone:
        lines += ["## Group sizes and widths, f16, ours alone", ""]
        body = [
            [row["shape"], *own_columns(row), disturbed(row)] if "failed" not in row
            else [row["shape"], "failed: " + row["failed"]]
            for row in alone
        ]
        lines += [*table(["shape", *OWN_HEADER, "disturbed"], body), ""]
    return "\n".join(lines)
