/// Published quality of variants, for orientation: orderings and rough sizes of other models.
enum PublishedQuality {
  static func parts() -> [String] {
    [
      "Other models, other texts: read orderings and rough sizes, and never set these numbers "
        + "beside the ones above.\n",
      table.render(.markdown),
    ]
  }

  private static let table = Table(
    columns: [
      .init("what", .left), .init("kind", .left), .init("measure", .left),
      .init("numbers", .left), .init("source", .left),
    ],
    rows: [
      [
        "1B model: MHA, GQA4, MQA, MQA + CLA2 (head width 128)", "trained from scratch",
        "perplexity", "13.15, 13.36, 13.54, 13.60",
        "CLA paper, [arXiv 2405.12981](https://arxiv.org/abs/2405.12981)",
      ],
      [
        "Llama-2-7B to MLA 512+64: original, RoPE split, rank", "training-free",
        "WikiText-2 perplexity", "5.47 → 18.64 → 41.61",
        "TransMLA, [arXiv 2502.07864](https://arxiv.org/abs/2502.07864), README",
      ],
      [
        "Llama-2-7B to MLA 448+128", "training-free", "WikiText-2 perplexity",
        "5.47 → 8.99 → 25.77", "TransMLA README",
      ],
      [
        "Llama-3-8B to MLA", "training-free", "WikiText-2 perplexity", "6.14 → 12.06 → 25.80",
        "TransMLA README",
      ],
      [
        "Mistral-7B-v0.3 to MLA", "training-free", "WikiText-2 perplexity",
        "5.32 → 7.47 → 9.58", "TransMLA README",
      ],
      [
        "Qwen2.5-7B to MLA", "training-free", "WikiText-2 perplexity", "6.85 → 7.84 → 8.41",
        "TransMLA README",
      ],
      [
        "Llama-3.1-8B, rank 512 before the RoPE split: original, activation-aware, weights-only SVD",
        "training-free", "perplexity", "7.21, 9.6, 220", "CARE, ICLR 2026",
      ],
      [
        "LongChat-7B: original, 2 bits, 4 bits", "codec", "LongBench average",
        "38.72, 38.30, 38.79", "KIVI, [arXiv 2402.02750](https://arxiv.org/abs/2402.02750)",
      ],
    ])
}
