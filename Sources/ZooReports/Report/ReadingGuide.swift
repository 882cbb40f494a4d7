/// How to read a report.
enum ReadingGuide {
  static func parts() -> [String] {
    [
      Markdown.list([
        "**–** was not measured. Nothing is filled in for it.",
        "**Ideal** bytes are what the layout needs for these tokens, scales and zeros included; "
          + "**allocated** what the cache really holds (pages, rings, padding); **read a step** "
          + "what one decode step must move. They are never mixed.",
        "**itl** is the time between two tokens of one sequence. A percentile q is left out below "
          + "10 ÷ (1 − q) samples. In scope *attention* a step is append and attend over all "
          + "layers' own caches, without linear layers; in scope *step* it is the whole decoder.",
        "A window or a hybrid reads less because it looks at fewer tokens: its time says nothing "
          + "about what the model loses by that.",
        "**attention** is attend and merge, **append** quantise and write, **absorb** MLA's "
          + "per-head products.",
        "**roofline** is the least time of attention by this machine's read bandwidth and peak, "
          + "summed over layers; **roofline fraction** is that ÷ attention. **step roofline** adds "
          + "weights and linear FLOPs.",
        "**bound** says which roof: `bandwidth` below the ridge, `compute` above it.",
        "**÷ mha [95 %]** is a ratio of medians with a bootstrap interval over the raw samples "
          + "(2,000 resamples, fixed seed; pairs where the cases were measured in turn). Two "
          + "variants differ only where it excludes 1.",
        "**†**: probes of the machine around the case differ by more than 10 %; a winner is named "
          + "by such a row only where the cases were measured in turn.",
        "**max batch**: *computed* by the layout's bytes, *measured* in child processes under a "
          + "hard memory limit of the budget plus the fixed overhead.",
      ])
    ]
  }
}
