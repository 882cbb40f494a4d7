"""Byte-level BPE tokenizers of each kind, and what the `tokenizers` library makes of adversarial text.

Trains small vocabularies in the configurations of GPT-2, Llama 3, Qwen 2/3, SmolLM, gpt-oss and
DeepSeek-V3, and writes for each a folder with `tokenizer.json` and `cases.json`: texts with the ids
that the library gives with and without its template, and the text that it decodes them to.

    python make_tokenizer_fixtures.py --output ../../Tests/Fixtures/Tokenizers

With --random N, vocabularies and N texts a tokenizer are drawn from --seed instead; `make
tokenizers` compares these live.
"""

import argparse
import json
import os
import random
import unicodedata

from tokenizers import (
    AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers,
)

HERE = os.path.dirname(os.path.abspath(__file__))
HELD_OUT = os.path.join(
    HERE, "..", "..", "Sources", "ZooModels", "Resources", "EmbeddedModel", "heldout.txt")

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = [
    r"\p{N}{1,3}",
    "[一-龥぀-ゟ゠-ヿ]+",
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"""
    r""" ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
]

# Training text beside the held-out Python sources: several scripts, so that merges cross bytes.
PROSE = [
    "The quick brown fox doesn't jump over the lazy dog's 1234567 tails, and they've said we'll see.",
    "Größere Übungen über süße Äpfel; naïve café, déjà vu, Ærøskøbing, smörgåsbord.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю. Привет, мир!",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. Γαζέες καὶ μυρτιὲς δὲν θὰ βρῶ πιὰ.",
    "天地玄黃宇宙洪荒日月盈昃辰宿列張。今日は世界、カタカナとひらがな。안녕하세요 세계.",
    "في البدء خلق الله السماوات والأرض. שלום עולם. नमस्ते दुनिया। สวัสดีชาวโลก",
    "🙂 👩‍👩‍👧‍👦 🏳️‍🌈 ½ ⅔ Ⅷ ² ₃ ① ٣٤٥ ६७८ ９０",
]

ADVERSARIAL = [
    "", " ", "  ", "\n", "\r\n", "\t", "\0", "a", "Hello, world!", "Hello  world   again    ",
    "  leading and trailing  ", "line\nline\r\nline\r\rline\n\n\n  indented\n\t\ttabs",
    " \n \n  \n\t\r\n x", "\n\n\n\n", "   \r\n   \n", "a\r\nb\rc\nd", "end with newline\n",
    "tabs\t\t\tbetween \t mixed \t\n", "don't won't I'll they've we're it's I'm he'd",
    "DON'T WON'T I'LL THEY'VE WE'RE IT'S I'M HE'D", "Don'T 'S'T 'lL 'Re ' s '' 'x",
    "it’s don’t I’ll ‘quoted’ “double”", "'ſ 'S ſ 'K 'ſ'ſ x'ſy", "ıİiI 'ı 'İ DIYARBAKIR'ı",
    "123 1234567 0.5 1,000,000 3rd 4x4 x4 a1b2c3", "١٢٣٤٥٦ ६७८९ ๑๒๓ ９８７６ Ⅷ ½¾ ²³ ① 〇",
    "e\u0301 é a\u0308\u0323 ạ̈ \u0301alone \u1100\u1161\u11a8 각 \u212b Å \u2126 Ω",
    "𝒜𝓁𝓅𝒽𝒶 𝟘𝟙𝟚 𐍈 𒀀𒁀 ʰʷ ªº ﬁ ﬆ ẞß Ǆǅǆ", "👩‍👩‍👧‍👦 👍🏽 🏳️‍🌈 🇩🇪🇫🇷 1️⃣ ❤️ ☃\ufe0e",
    "\u00a0\u00a0x \u2003y\u3000z\u2028a\u2029b\u0085c\u200bd\ufeffe\u180ef\u1680g",
    " \u00a0 \u3000\n\u2028 \u0085\n x", "\x01\x02\x1b[31mred\x1b[0m\x7f\x80\x9f",
    "\ufffd\ufffe\U0010ffff\ue000\U000f0000", "日本語テキストと中文字符和한국어",
    "шла Саша по шоссе, ΑΒΓδεζ, עִבְרִית, العَرَبِيَّة, हिन्दी, ไทย", "(a[b]{c}<d>)!?.,;:-_=+*/\\|@#$%^&~`",
    "!!! ... --- ===\n### /// \\\\\\", "foo/bar\n/baz//qux\r\n", "  !  ?\n ?\n\n!", "snake_case camelCase PascalCase HTTPServer IOError aB Ab aBC",
    "def f(x):\n    return x+1\n\n\nclass A:\n\tpass\n", "<|endoftext|>", "a<|endoftext|>b <|endoftext|> c",
    "<|im_start|>user\nhi<|im_end|>\n<|im_start|>", "<|endoftext", "<|<|endoftext|>|>",
    "<|begin_of_text|><|eot_id|>x<|eot_id|><|eot_id|>", "<tool_call>\n{}\n</tool_call>", "Ġ Ċ ĠaĠ Ã© Â",
    "http://example.org/?q=1&r=%20#x", "a" * 300, "ab" * 200, " " * 200 + "x", "\n" * 150, "1" * 100,
    "中" * 120, "'" * 60 + "s", "é" * 80, "e\u0301" * 80, "A" * 100 + "a", "🙂" * 40,
]
# Long runs, written as a text and a count: what a quadratic merge would not survive.
LONG = [("a", 20_000), (" ", 20_000), ("ab", 10_000), ("\n", 5_000), ("x1", 5_000), ("é", 5_000)]

POOLS = [
    "abcdefghij", "ABCXYZ", "0123456789", " ", "  ", "\t", "\n", "\r", "\r\n", "'", "’", "stmdlrve",
    ".,;:!?-_/\\()[]{}<>|", "éèüßñøå", "абвгдеж", "ΑΒγδ", "日月天地", "かなカナ", "한글", "אבג", "ابت",
    "नमस्", "ไทย", "🙂👍🏽🏳️‍🌈", "\u0301\u0308\u0323", "٣६๑９Ⅷ½²", "\u00a0\u2003\u3000\u2028\u0085",
    "ſıİKﬁ", "\0\x01\x1b\x7f", "\u200b\u200d\ufe0f\ufeff", "Ġ",
]


def corpus():
    with open(HELD_OUT, encoding="utf-8", errors="replace") as file:
        return file.read()[:120_000].splitlines(keepends=True) + PROSE * 6


def byte_level(prefix=False, regex=True):
    return pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=regex)


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert=invert)


def gpt2():
    return dict(pre=byte_level(), post=processors.ByteLevel(trim_offsets=False), special=["<|endoftext|>"],
                strings=True)


def gpt2_prefix():
    return dict(pre=byte_level(prefix=True), special=["<|endoftext|>"])


def llama3():
    return dict(
        pre=pre_tokenizers.Sequence([split(LLAMA3), byte_level(regex=False)]), ignore_merges=True,
        special=["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"], template="<|begin_of_text|>")


def qwen():
    return dict(
        normalizer=normalizers.NFC(),
        pre=pre_tokenizers.Sequence([split(QWEN2), byte_level(regex=False)]),
        post=processors.ByteLevel(trim_offsets=False),
        special=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        added=[AddedToken("<tool_call>", normalized=False), AddedToken("</tool_call>", normalized=False)])


def smollm():
    return dict(
        pre=pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level()]),
        special=["<|endoftext|>", "<|im_start|>", "<|im_end|>"], strings=True)


def gpt_oss():
    return dict(
        pre=pre_tokenizers.Sequence([split(O200K, "removed", invert=True), byte_level(regex=False)]),
        ignore_merges=True, special=["<|endoftext|>", "<|eot_id|>"])


def deepseek():
    return dict(
        pre=pre_tokenizers.Sequence([split(p) for p in DEEPSEEK] + [byte_level(regex=False)]),
        special=["<|begin_of_text|>", "<|endoftext|>"], template="<|begin_of_text|>")


def flags():
    """Added tokens of every flag, some within each other, and a vocabulary without all bytes."""
    return dict(
        normalizer=normalizers.Sequence([normalizers.NFC()]),
        pre=pre_tokenizers.Sequence(
            [pre_tokenizers.Split(" <", "isolated"), pre_tokenizers.Digits(individual_digits=False),
             byte_level(prefix=True)]),
        special=["<|endoftext|>"], unk="<|endoftext|>", fuse_unk=True, alphabet=False, template="</s>",
        added=[
            AddedToken("</s>", special=True, normalized=False), AddedToken("</s>!", normalized=False),
            AddedToken("<mask>", lstrip=True, normalized=False),
            AddedToken("<r>", rstrip=True, normalized=False),
            AddedToken("<both>", lstrip=True, rstrip=True, normalized=True),
            AddedToken("word", single_word=True, normalized=False),
            AddedToken("e\u0301t\u00e9", normalized=True), AddedToken("\u00e9", normalized=False)])


KINDS = dict(gpt2=gpt2, gpt2_prefix=gpt2_prefix, llama3=llama3, qwen=qwen, smollm=smollm, gpt_oss=gpt_oss,
             deepseek=deepseek, flags=flags)

FLAG_TEXTS = [
    "a <mask> b<mask>\n<mask>", " \t\u00a0<mask> x", "a<r>  \n b <r>", "x <both>  <both> y",
    "word words wordy a-word word, _word wordé word", "</s>!</s></s>!!", "été e\u0301te\u0301 é e\u0301 \u00e9t\u00e9",
    "12 345<r> 6 <7 8", "中文 <mask>中", "<r><r> <mask> <mask>", "<r> <mask>", "word word", "wordword word",
]


def build(kind, size, lines):
    """A tokenizer of one kind, trained, as JSON text."""
    parts = KINDS[kind]()
    tokenizer = Tokenizer(models.BPE(
        ignore_merges=parts.get("ignore_merges", False), unk_token=parts.get("unk"),
        fuse_unk=parts.get("fuse_unk", False)))
    if "normalizer" in parts:
        tokenizer.normalizer = parts["normalizer"]
    tokenizer.pre_tokenizer = parts["pre"]
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet() if parts.get("alphabet", True) else []
    if not alphabet:
        # Bytes of the text beyond the most frequent stay unknown.
        trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=parts["special"], limit_alphabet=90,
                                      show_progress=False)
    else:
        trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=parts["special"],
                                      initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.add_tokens(parts.get("added", []))
    name = parts.get("template")
    if name:
        template = processors.TemplateProcessing(
            single=f"{name} $A", pair=f"{name} $A {name} $B", special_tokens=[(name, tokenizer.token_to_id(name))])
        tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    elif "post" in parts:
        tokenizer.post_processor = parts["post"]
    file = json.loads(tokenizer.to_str())
    if parts.get("strings"):
        file["model"]["merges"] = [" ".join(pair) for pair in file["model"]["merges"]]
    return json.dumps(file, ensure_ascii=False, separators=(",", ":"))


def random_text(rng):
    """Characters of a few pools, now and then any assigned one, in runs of a few of the same kind."""
    pools = rng.sample(POOLS, rng.randint(2, 8))
    text = ""
    while len(text) < rng.randint(1, 160):
        choice = rng.random()
        if choice < 0.06:
            scalar = chr(rng.choice([rng.randrange(0x250), rng.randrange(0x3000), rng.randrange(0x110000)]))
            # What a later Unicode assigned is another question: tables differ in their versions, and
            # the library's normaliser is older than its patterns.
            old = unicodedata.ucd_3_2_0.category(scalar) not in ("Cs", "Cn")
            new = unicodedata.category(scalar) not in ("Cs", "Cn") and not unicodedata.combining(scalar)
            if old or (new and not unicodedata.decomposition(scalar)):
                text += scalar
        elif choice < 0.1:
            text += rng.choice(["<|endoftext|>", "<|im_start|>", "<mask>", "<r>", "word", "</s>", "don't", "I'LL"])
        else:
            pool = rng.choice(pools)
            text += "".join(rng.choice(pool) for _ in range(rng.randint(1, 6)))
    return text


def fnv(ids):
    """FNV-1a of 64 bits over the ids as they are."""
    state = 0xcbf29ce484222325
    for value in ids:
        state = ((state ^ value) * 0x100000001b3) % (1 << 64)
    return state


def case(tokenizer, text, count=1):
    whole = text * count
    ids = tokenizer.encode(whole, add_special_tokens=False).ids
    if count > 1:
        return {"text": text, "count": count, "tokens": len(ids), "hash": f"{fnv(ids):016x}"}
    entry = {"text": text, "ids": ids}
    if len(text) < 100:
        entry["prompt"] = tokenizer.encode(whole).ids
        entry["decoded"] = tokenizer.decode(ids, skip_special_tokens=False)
    return entry


def write(folder, text, cases):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8") as file:
        file.write(text + "\n")
    with open(os.path.join(folder, "cases.json"), "w", encoding="utf-8") as file:
        lines = [json.dumps(entry, separators=(",", ":")) for entry in cases]
        file.write("[\n" + ",\n".join(lines) + "\n]\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--output", required=True, help="folder for the tokenizers")
    parser.add_argument("--random", type=int, default=0, help="texts drawn for each tokenizer")
    parser.add_argument("--seed", type=int, default=0, help="seed of vocabularies and texts; 0: from the clock")
    options = parser.parse_args()
    seed = options.seed or random.SystemRandom().randrange(1, 1 << 31)
    rng = random.Random(seed)
    lines = corpus()
    for kind in KINDS:
        size = rng.randint(300, 2_000) if options.random else 800
        sample = rng.sample(lines, rng.randint(200, len(lines))) if options.random else lines
        text = build(kind, size, sample)
        tokenizer = Tokenizer.from_str(text)
        texts = [random_text(rng) for _ in range(options.random)] or ADVERSARIAL
        if kind == "flags":
            texts = texts + FLAG_TEXTS
        cases = [case(tokenizer, text) for text in texts]
        cases += [case(tokenizer, text, count) for text, count in LONG]
        write(os.path.join(options.output, kind), text, cases)
    if options.random:
        print(f"seed {seed}: {options.random} texts for each of {len(KINDS)} tokenizers")


if __name__ == "__main__":
    main()
