/// Published quality of variants, for orientation: orderings and rough sizes of other models.
enum PublishedQuality {
  static func parts() -> [String] {
    [
      "Published by others and not measured here. Other models, other texts: read orderings and "
        + "rough sizes, and never set these numbers beside the ones above.\n",
      "Orderings of models trained as the variant:\n",
      orderings.render(.markdown),
      "Numbers:\n",
      numbers.render(.markdown),
    ]
  }

  private static func arXiv(_ id: String) -> String { "[arXiv \(id)](https://arxiv.org/abs/\(id))" }

  private static let transMLA = "TransMLA, \(arXiv("2502.07864")), README"

  /// What papers say of trained variants in words; their digits are of other models.
  private static let orderings = Table(
    columns: [
      .init("what", .left), .init("kind", .left), .init("published ordering", .left),
      .init("source", .left),
    ],
    rows: [
      [
        "MHA, GQA, MQA", "trained further from an MHA checkpoint",
        "GQA close to MHA and above MQA", Table.Cell("GQA paper, \(arXiv("2305.13245"))"),
      ],
      [
        "MHA, MQA, MQA + CLA2 (1B)", "trained from scratch",
        "MHA best, MQA + CLA2 close to MQA with half its cache",
        Table.Cell("CLA paper, \(arXiv("2405.12981"))"),
      ],
      [
        "MHA, MLA", "trained from scratch",
        "MLA at least on par with MHA with a far smaller cache",
        Table.Cell("DeepSeek-V2, \(arXiv("2405.04434"))"),
      ],
      [
        "windows of 1,024 in five of six layers, global attention only", "trained from scratch",
        "perplexity changes little", Table.Cell("Gemma 3, \(arXiv("2503.19786"))"),
      ],
    ])

  private static let numbers = Table(
    columns: [
      .init("what", .left), .init("kind", .left), .init("measure", .left),
      .init("numbers", .left), .init("source", .left),
    ],
    rows: [
      [
        "1B model: MHA, GQA4, MQA, MQA + CLA2 (head width 128)", "trained from scratch",
        "perplexity", "13.15, 13.36, 13.54, 13.60",
        Table.Cell("CLA paper, \(arXiv("2405.12981"))"),
      ],
      [
        "Llama-2-7B to MLA 512+64: original, RoPE split, rank", "training-free",
        "WikiText-2 perplexity", "5.47 → 18.64 → 41.61", Table.Cell(transMLA),
      ],
      [
        "Llama-2-7B to MLA 448+128", "training-free", "WikiText-2 perplexity",
        "5.47 → 8.99 → 25.77", Table.Cell(transMLA),
      ],
      [
        "Llama-3-8B to MLA", "training-free", "WikiText-2 perplexity", "6.14 → 12.06 → 25.80",
        Table.Cell(transMLA),
      ],
      [
        "Mistral-7B-v0.3 to MLA", "training-free", "WikiText-2 perplexity",
        "5.32 → 7.47 → 9.58", Table.Cell(transMLA),
      ],
      [
        "Qwen2.5-7B to MLA", "training-free", "WikiText-2 perplexity", "6.85 → 7.84 → 8.41",
        Table.Cell(transMLA),
      ],
      [
        "Llama-3.1-8B, rank 512 before the RoPE split: original, activation-aware, weights-only SVD",
        "training-free", "perplexity", "7.21, 9.6, 220",
        Table.Cell("CARE, \(arXiv("2603.17946"))"),
      ],
      [
        "LongChat-7B: original, 2 bits, 4 bits", "codec", "LongBench average",
        "38.72, 38.30, 38.79", Table.Cell("KIVI, \(arXiv("2402.02750"))"),
      ],
    ])
}
