"""Builds the corpus: the sources of Python's standard library, from Debian's packages.

    python data.py --debs DIR --work DIR [--fetch]

Three byte streams come out, in ``<work>/corpus``:

* ``library.bin``  the library and its tools, for training;
* ``tests.bin``    the library's test-suite, a second training stream (Python as well, but
  not the kind of text that the model is judged on, so it is mixed in sparingly);
* ``heldout.bin``  the modules named in ``heldout-files.txt``, never trained on, and
  ``heldout-shipped.bin``, the first of them, which ship with the package.

Everything is ordered by name, so the streams depend on nothing but the packages;
``corpus.json`` records their sizes and hashes and every file that was left out, and why.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIBRARY_ROOT = "usr/lib/python3"
LARGEST_TEST_FILE = 150_000

# Generated tables and one giant string of documentation: real files, but hardly Python.
TABLES = ("encodings/", "pydoc_data/", "html/entities.py", "stringprep.py", "_sysconfigdata")

# A training file is too close to a held-out one if this share of either's shingles (runs
# of SHINGLE_LINES non-blank lines) also occurs in the other.
SHINGLE_LINES = 4
LARGEST_OVERLAP = 0.02


@dataclass(frozen=True)
class Package:
    """One Debian package, exactly."""

    name: str
    version: str
    architecture: str
    sha256: str

    @property
    def file_name(self) -> str:
        # apt writes the colon of an epoch as %3a; none of ours has one.
        return f"{self.name}_{self.version}_{self.architecture}.deb"


def content_lines(path: Path) -> list[str]:
    """The lines of a list file, without comments and blanks."""
    lines = (line.strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def packages() -> list[Package]:
    return [Package(*line.split()) for line in content_lines(HERE / "packages.txt")]


def heldout_names() -> tuple[list[str], list[str]]:
    """The held-out modules that ship, and those that do not."""
    names = content_lines(HERE / "heldout-files.txt")
    split = names.index("---")
    return names[:split], names[split + 1 :]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def unpack(debs: Path, into: Path, fetch: bool) -> None:
    """Checks every package against its recorded hash and unpacks it under ``into``."""
    debs.mkdir(parents=True, exist_ok=True)
    into.mkdir(parents=True, exist_ok=True)
    for package in packages():
        deb = debs / package.file_name
        if fetch and not deb.exists():
            subprocess.run(
                ["apt-get", "download", f"{package.name}={package.version}"], cwd=debs, check=True
            )
        if not deb.exists():
            sys.exit(f"{deb} is missing: fetch it with apt-get download, or pass --fetch")
        if sha256(deb.read_bytes()) != package.sha256:
            sys.exit(f"{deb} is not the package that packages.txt names")
        subprocess.run(["dpkg-deb", "-x", str(deb), str(into / package.name)], check=True)


def python_files(unpacked: Path) -> dict[str, bytes]:
    """Every source file by its name below ``lib/python3.11``, sorted; the first one of
    files with equal content wins, links do not count."""
    found: dict[str, bytes] = {}
    for path in sorted(unpacked.rglob("*.py")):
        if path.is_symlink():
            continue
        inside = path.relative_to(unpacked).as_posix().split("/", 1)[1]
        if not inside.startswith(LIBRARY_ROOT):
            continue
        name = inside.removeprefix("usr/lib/").split("/", 1)[1]
        found.setdefault(name, path.read_bytes())
    seen: set[str] = set()
    unique: dict[str, bytes] = {}
    for name in sorted(found):
        digest = sha256(found[name])
        if found[name].strip() and digest not in seen:
            seen.add(digest)
            unique[name] = found[name]
    return unique


def is_test(name: str) -> bool:
    parts = name.split("/")
    return any(p in ("test", "tests", "idle_test") for p in parts) or parts[-1].startswith("test_")


def shingles(content: bytes) -> set[int]:
    lines = [line.strip() for line in content.splitlines() if line.strip()]
    return {
        hash(tuple(lines[i : i + SHINGLE_LINES])) for i in range(len(lines) - SHINGLE_LINES + 1)
    }


def reason_to_skip(
    name: str, content: bytes, heldout: dict[str, bytes], heldout_shingles: dict[str, set[int]]
) -> str | None:
    """Why a file may not be trained on, or None."""
    if name in heldout:
        return "held out"
    if name.startswith(TABLES):
        return "generated table or bulk documentation"
    if is_test(name):
        stem = name.rsplit("/", 1)[-1].removesuffix(".py")
        if any(stem.startswith("test_" + h.removesuffix(".py")) for h in heldout):
            return "test of a held-out module"
        if len(content) > LARGEST_TEST_FILE:
            return "very large test"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "not UTF-8"
    own = shingles(content)
    for held_name, held in heldout_shingles.items():
        common = len(own & held)
        if own and max(common / len(own), common / len(held)) > LARGEST_OVERLAP:
            return f"shares {common} passages with held-out {held_name}"
    return None


def build(debs: Path, work: Path, fetch: bool) -> dict[str, object]:
    unpack(debs, work / "unpacked", fetch)
    files = python_files(work / "unpacked")
    shipped, kept_back = heldout_names()
    heldout = {name: files[name] for name in shipped + kept_back}
    heldout_shingles = {name: shingles(content) for name, content in heldout.items()}

    streams: dict[str, list[bytes]] = {"library": [], "tests": []}
    counts = {"library": 0, "tests": 0}
    skipped: dict[str, str] = {}
    for name, content in files.items():
        reason = reason_to_skip(name, content, heldout, heldout_shingles)
        if reason is not None:
            skipped[name] = reason
            continue
        stream = "tests" if is_test(name) else "library"
        streams[stream].append(content)
        counts[stream] += 1

    corpus = work / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    outputs = {
        "library": b"".join(streams["library"]),
        "tests": b"".join(streams["tests"]),
        "heldout": b"".join(heldout.values()),
        "heldout-shipped": b"".join(heldout[name] for name in shipped),
    }
    counts |= {"heldout": len(heldout), "heldout-shipped": len(shipped)}
    record: dict[str, object] = {
        "packages": [vars(package) for package in packages()],
        "streams": {
            name: {"files": counts[name], "bytes": len(content), "sha256": sha256(content)}
            for name, content in outputs.items()
        },
        "heldout_shipped": shipped,
        "heldout_kept_back": kept_back,
        "skipped": skipped,
    }
    for name, content in outputs.items():
        (corpus / f"{name}.bin").write_bytes(content)
    (corpus / "corpus.json").write_text(json.dumps(record, indent=1) + "\n")
    return record


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the training and held-out streams.")
    parser.add_argument("--debs", type=Path, default=Path(".build/model/debs"))
    parser.add_argument("--work", type=Path, default=Path(".build/model"))
    parser.add_argument("--fetch", action="store_true", help="apt-get download what is missing")
    arguments = parser.parse_args()
    record = build(arguments.debs, arguments.work, arguments.fetch)
    print(json.dumps(record["streams"], indent=1))


if __name__ == "__main__":
    main()
