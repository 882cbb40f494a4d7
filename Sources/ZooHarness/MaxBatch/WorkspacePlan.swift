import AttentionCore

/// Bytes of scratch that the decoder holds after a prefill chunk and decode steps of a batch: what
/// the search for the largest batch counts beside weights and cache.
///
/// Legend: D hidden width, F MLP width, V vocabulary, N query heads. A call of T tokens holds
/// 3·D + 2·F floats a token, V a row of logits, and the operands of attention; the largest call is
/// the chunk or the batch, whichever has more tokens.
struct WorkspacePlan: Sendable {
  let geometry: ModelGeometry
  let layouts: [KVLayout]
  let threads: Int
  let chunk: Int

  /// Bytes for `sequences` decoded together.
  func bytes(sequences: Int) -> Int {
    let tokens = max(chunk, sequences)
    let float = MemoryLayout<Float>.stride
    let perToken = 3 * geometry.hidden + 2 * geometry.mlpWidth + attentionFloats
    return float * (tokens * perToken + sequences * geometry.vocabulary)
      + projectionBytes + partialBytes(tokens: tokens)
  }

  /// Floats a token of the largest operand of each kind among the layers: queries, keys, values,
  /// queries in stream order, sums, sums in token order, and the rotary table.
  private var attentionFloats: Int {
    var widest = [0, 0, 0, 0, 0, 0, 0]
    for layout in layouts {
      let shape = layout.shape
      let heads = shape.streams * shape.queryHeadsPerStream
      let operands: [Int]
      switch layout.heads {
      case .grouped:
        let wide = heads * shape.keyWidth
        operands = [
          wide, shape.streams * shape.keyWidth, shape.streams * shape.valueWidth, wide, wide, wide,
          shape.keyWidth,
        ]
      case .latent(let latent):
        operands = [
          heads * latent.headWidth, latent.rowWidth, 0, heads * latent.rowWidth,
          heads * latent.rank, heads * latent.valueWidth, latent.ropeWidth,
        ]
      }
      for index in widest.indices { widest[index] = max(widest[index], operands[index]) }
    }
    return widest.reduce(0, +)
  }

  /// A widened block of 256 outputs a worker, of the widest projection's inputs.
  private var projectionBytes: Int {
    var widest = max(geometry.hidden, geometry.mlpWidth)
    for layout in layouts {
      switch layout.heads {
      case .grouped:
        widest = max(widest, geometry.queryHeads * layout.shape.valueWidth)
      case .latent(let latent):
        widest = max(widest, geometry.queryHeads * latent.valueWidth, latent.rank)
      }
    }
    return threads * 256 * widest * MemoryLayout<Float>.stride
  }

  /// Partial results of blocks of up to 128 query rows: one a thread, and a few a block that is
  /// split over threads.
  private func partialBytes(tokens: Int) -> Int {
    layouts.map { layout in
      let shape = layout.shape
      let rows = max(128, shape.queryHeadsPerStream)
      let blocks = 1 + chunk * shape.streams * shape.queryHeadsPerStream / rows
      let partials = threads + 4 * threads + blocks
      return partials * rows * (shape.valueWidth + 2) * MemoryLayout<Float>.stride
    }.max() ?? 0
  }
}
