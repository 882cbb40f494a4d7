import AttentionCore
import ZooLinearAlgebra
import ZooRecords

/// One measurement of a suite: a variant at a context and a batch in a scope.
public struct BenchCase: Sendable, Hashable {
  /// What is measured.
  public let scope: RowScope
  /// The variant.
  public let variant: Variant
  /// One layout a layer.
  public let layouts: [KVLayout]
  /// Tokens of each sequence.
  public let context: Int
  /// Sequences decoded together.
  public let batch: Int
  /// Prompt tokens of the time to first token, where this case measures it.
  public let prefillTokens: Int?

  /// The cache that the case needs. A timed step works at `context` tokens and is then taken back,
  /// so that the capacity is the context.
  public func cachePlan(_ storage: CacheStorage) -> CachePlan {
    CachePlan(
      storage: storage, sequences: batch, capacity: context,
      maxChunk: min(Self.chunk, max(context, 1)))
  }

  /// Tokens appended at once when a cache is filled.
  public static let chunk = 64

  /// What the layouts need, allocate and read, all sequences.
  public func bytes(_ storage: CacheStorage) -> ResultRow.KV {
    let footprint = CacheFootprint(layouts: layouts, plan: cachePlan(storage))
    let ideal = layouts.reduce(0) { $0 + $1.idealBytes(context: context) } * batch
    return ResultRow.KV(
      idealBytesPerToken: Double(ideal) / Double(batch * context), idealBytes: ideal,
      allocatedBytes: footprint.rowBytes, metadataBytes: footprint.metadataBytes,
      readBytesPerStep: readBytes)
  }

  /// Cache bytes that one step of all sequences reads.
  public var readBytes: Int {
    layouts.reduce(0) { $0 + $1.readBytes(context: context) } * batch
  }

  /// FLOPs of attend in one step of all sequences.
  public var attendFLOPs: Double {
    Double(layouts.reduce(0) { $0 + $1.attendFLOPs(context: context) }) * Double(batch)
  }

  /// A bound on every count of a case, in bytes or FLOPs, with room for sums of a few of them; nil
  /// where an `Int` does not hold it.
  static func mostCounted(
    _ layouts: [KVLayout], context: Int, batch: Int, vocabulary: Int
  ) -> Int? {
    func product(_ factors: Int...) -> Int? {
      factors.reduce(1 as Int?) { product, factor in
        guard let (value, overflow) = product?.multipliedReportingOverflow(by: factor) else {
          return nil
        }
        return overflow ? nil : value
      }
    }
    // An element takes at most four bytes or FLOPs for each query head that reads it, and a row
    // what rounding and tables add.
    var perToken = vocabulary
    for layout in layouts {
      let shape = layout.shape
      guard
        let heads = product(4, shape.streams, shape.queryHeadsPerStream),
        let row = product(heads, shape.keyWidth + shape.valueWidth)
      else { return nil }
      let (sum, overflow) = perToken.addingReportingOverflow(max(row, layout.rowBytesPerToken))
      if overflow { return nil }
      perToken = sum
    }
    return product(4, perToken, context, batch)
  }

  /// Least attention time of one step under the machine's roofs: Σ over layers of
  /// max(bytes ÷ bandwidth, FLOPs ÷ peak), and which of the two takes most of it.
  public func roofline(_ roofs: MachineRoofs) -> (milliseconds: Double, bound: RowBound) {
    var moving = 0.0
    var computing = 0.0
    for layout in layouts {
      let bytes = Double(layout.readBytes(context: context)) * Double(batch)
      let flops = Double(layout.attendFLOPs(context: context)) * Double(batch)
      let move = roofs.milliseconds(bytes: bytes, flops: 0)
      let compute = roofs.milliseconds(bytes: 0, flops: flops)
      if compute > move { computing += compute } else { moving += move }
    }
    return (moving + computing, computing > moving ? .compute : .bandwidth)
  }
}

extension Suite {
  /// The decode cases of the suite, in the order they run: those of one scope, context and batch
  /// together, since they are compared.
  /// - Throws: `HarnessError` where a variant has no meaning on the geometry.
  public func decodeCases() throws(HarnessError) -> [BenchCase] {
    var cases: [BenchCase] = []
    for (scope, grid) in [(RowScope.attention, attention), (.step, step)] {
      guard let grid else { continue }
      for context in grid.contexts {
        for batch in grid.batches {
          for variant in variants {
            let first = context == grid.contexts.first && batch == grid.batches.first
            cases.append(
              BenchCase(
                scope: scope, variant: variant, layouts: try layouts(variant), context: context,
                batch: batch,
                prefillTokens: scope == .step && first ? prefillTokens : nil))
          }
        }
      }
    }
    return cases
  }

  func layouts(_ variant: Variant) throws(HarnessError) -> [KVLayout] {
    do {
      return try variant.layouts(for: geometry)
    } catch {
      throw HarnessError(.usage, "\(geometry.name): \(error)")
    }
  }
}
