"""What is compared: shapes, and the ratio and roofline fraction that a row must reach."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    name: str
    variant: str
    heads: int
    width: int
    tokens: int
    sequences: int = 1
    # Floors for f16 against the faster of ggml's two paths, and of the roofline.
    ratio: float | None = None
    fraction: float | None = None

    def has_floors(self, codec):
        return codec == "f16" and (self.ratio or self.fraction) is not None

    @property
    def streams(self):
        kind, _, count = self.variant.partition(":")
        return {"mha": self.heads, "mqa": 1, "mla": 1}.get(kind) or int(count)

    @property
    def is_latent(self):
        return self.variant.startswith("mla")

    @property
    def key_width(self):
        if not self.is_latent:
            return self.width
        rank, rope = self.variant.partition(":")[2].split("+")
        return int(rank) + int(rope)

    @property
    def value_width(self):
        return int(self.variant.partition(":")[2].split("+")[0]) if self.is_latent else self.width

    @property
    def half_bytes(self):
        elements = self.key_width + (0 if self.is_latent else self.value_width)
        return 2 * self.sequences * self.streams * self.tokens * elements


SHAPES = [
    Shape("MHA 32/32 × 128, 16,384", "mha", 32, 128, 16_384, 1, 1.4, 0.80),
    Shape("GQA 32/8 × 128, 32,768", "gqa:8", 32, 128, 32_768, 1, 3.0, 0.60),
    Shape("GQA 32/8 × 128, 8 × 4,096", "gqa:8", 32, 128, 4_096, 8, 3.5, 0.60),
    Shape("MQA 32/1 × 128, 131,072", "mqa", 32, 128, 131_072, 1, 3.5, 0.65),
    Shape("MLA 576/512, 16 heads, 32,768", "mla:512+64", 16, 192, 32_768, 1, 2.0, 0.65),
    Shape("MLA 576/512, 32 heads, 32,768", "mla:512+64", 32, 192, 32_768, 1, 2.5, 0.75),
    Shape("MLA 576/512, 128 heads, 32,768", "mla:512+64", 128, 192, 32_768, 1, None, 0.85),
]

# Group sizes and widths that must not fall off a cliff, f16, ours alone.
NEIGHBOURS = [
    Shape(f"{heads}/{heads // group} × {width}, {tokens:,}", f"gqa:{heads // group}", heads, width, tokens)
    for heads, group, width, tokens in [
        (32, 4, 128, 32_768), (24, 3, 128, 32_768), (40, 5, 128, 32_768), (48, 6, 128, 32_768),
        (56, 7, 128, 32_768), (64, 8, 128, 32_768), (32, 4, 64, 65_536), (32, 4, 80, 49_152),
        (32, 4, 96, 40_960), (32, 4, 192, 20_480), (32, 4, 256, 16_384),
    ]
]

# How rows are addressed, ours against ours: pages must cost nothing from 16 tokens up.
STORAGES = ["contiguous", "ring", "paged:16", "paged:64"]

# Element formats: ours, and ggml's that is nearest.
CODECS = [("f16", "f16"), ("int8", "q8_0"), ("int4", "q4_0")]

# The format that each of ours must not be slower than, measured in turn with it.
BESIDE = {"int8": "f16", "int4": "int8"}

DEPTHS = [16, 2_048, 8_192]
