import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Latent attention rewritten so that DeepSeek's own code computes it: same output, weights in the
/// form that `DeepseekV3ForCausalLM` reads.
///
/// Three things differ between a converted layer and the stock one.
///
/// 1. **The norm.** The stock layer normalises the latent c, a converted one does not. One channel of
///    the latent is given to a large constant C, by a bias on its down-projection. The root mean square
///    of [c | C] is then √((‖c‖² + C²)/r) = C/√r · (1 + ‖c‖²/2C² − …), the same for every token to
///    rounding, and its inverse goes into the up-projections. The norm's weight is 0 on the
///    constant's channel, so that its cached value is 0, and a power of two elsewhere.
///    With the rows of the down-projection W, the gain g of the norm before attention and hidden
///    width D, ‖c‖ ≤ ‖W·diag(g)‖·√D + ‖b‖ for every input; C is a power of two at least
///    2^``headroom`` times that bound, so that the relative error stays below 2^(−2·headroom − 1).
/// 2. **The scale.** The stock layer multiplies scores by (d_n + d_r)^(−½): what the layer's own
///    scale differs from that by goes into the queries.
/// 3. **The rotation.** The stock layer turns neighbouring elements by the frequencies of its
///    configuration, fastest first: pairs are sorted and interleaved, in queries and keys alike.
///
/// A layer that normalises its latents already (a DeepSeek model's own, or one with a fitted norm)
/// keeps its norm; 2 and 3 are done to it.
public struct StockLatentAttention: Sendable {
  /// The same attention in the stock form, float32: interleaved rotation, stock scale, normalised
  /// latents.
  public let module: LatentAttention
  /// The constant C; nil where the layer has a norm of its own.
  public let constant: Double?

  /// Powers of two between the constant and the largest latent that the weights allow.
  public static let headroom = 11
  /// The epsilon that transformers gives the latent's norm, whatever the configuration says.
  public static let normEpsilon: Float = 1e-6

  /// Where an error is: the folder that is written and the layer.
  public struct Place: Sendable {
    public var file: String
    public var layer: Int

    public init(file: String, layer: Int) {
      self.file = file
      self.layer = layer
    }

    func unsupported(_ found: String, expected: String) -> CheckpointError {
      CheckpointError(
        kind: .unsupported, file: file, place: "layer \(layer)", found: found, expected: expected)
    }
  }

  /// - Parameters:
  ///   - source: a layer with rows of its own, one shared RoPE slice and global reach.
  ///   - rank: the latent width to be written: one more than the source's, or the source's where one
  ///     of its channels is zero for every input or where it normalises its latents itself.
  ///   - inputGain: the gain of the norm before attention, D elements.
  ///   - rotary: that of the configuration, of width d_r and interleaved.
  ///   - stretch: what the configuration multiplies the stock scale by.
  ///   - queryRank: the rank of the queries to be written: the source's own; nil: projected at once;
  ///     D + 1: with a constant beside the hidden state that carries a bias.
  ///   - place: for errors.
  /// - Throws: `CheckpointError` of kind `unsupported`, one line, for what the stock layer cannot
  ///   express; `OutOfMemory`.
  public init(
    _ source: LatentAttention, rank: Int, inputGain: [Float], rotary: RotaryEmbedding,
    stretch: Double = 1, queryRank: Int? = nil, place: Place
  ) throws {
    let down = try Self.requireExpressible(source, place)
    let order = try Self.order(of: source, rotary, place)
    let queries = try StockQueries(
      source, order: order, stretch: stretch, queryRank: queryRank, inputGain: inputGain,
      place: place)
    var rows = try Self.floats(down.weight)
    Self.arrange(&rows, pairs: order, first: source.shape.rank, from: source, columns: down.inputs)
    var bias = down.bias.map { Self.arranged($0, pairs: order, source: source) }

    var latents = StockLatents(source: source, rank: rank)
    if let norm = source.options.latentNorm {
      guard rank == source.shape.rank else {
        throw place.unsupported(
          "normalised latents of width \(source.shape.rank)", expected: "a latent rank of \(rank)")
      }
      constant = nil
      latents.norm = norm
    } else {
      let bound = Self.bound(rows, bias, source.shape.rank, inputGain)
      let channel: Int
      if rank == source.shape.rank + 1 {
        channel = source.shape.rank
        rows.insert(
          contentsOf: [Float](repeating: 0, count: down.inputs), at: channel * down.inputs)
        bias?.insert(0, at: channel)
      } else {
        guard rank == source.shape.rank,
          let free = Self.freeChannel(rows, bias, rank: rank, columns: down.inputs)
        else {
          throw place.unsupported(
            "latents of width \(source.shape.rank) without a free channel for a latent rank of "
              + "\(rank)", expected: "a factorisation of rank \(rank - 1)")
        }
        channel = free
      }
      let constant = Self.constant(above: bound)
      var biases = bias ?? [Float](repeating: 0, count: rank + source.shape.ropeWidth)
      biases[channel] = Float(constant)
      bias = biases
      self.constant = constant
      latents.setConstant(constant, channel: channel)
    }
    module = try latents.module(
      queries: queries, down: rows, bias: bias, rotary: rotary,
      scale: stretch == 1 ? nil : Float(stretch / Double(source.shape.headWidth).squareRoot()))
  }

  /// The source's down-projection, where the stock layer can express all of the source.
  private static func requireExpressible(
    _ source: LatentAttention, _ place: Place
  ) throws(CheckpointError) -> Linear {
    let options = source.options
    guard source.shape.ropeSlices == 1 else {
      throw place.unsupported(
        "a RoPE slice for each of \(source.shape.ropeSlices) key/value heads",
        expected: "one shared slice, as in mla:R+P")
    }
    guard let down = source.down else {
      throw place.unsupported(
        "a layer that reads the rows of layer \(source.layout.owner)",
        expected: "layers with rows of their own")
    }
    guard source.layout.reach == .global else {
      throw place.unsupported("latent attention with a window", expected: "global reach")
    }
    guard options.softCap == 0, options.sinkLogits == nil else {
      throw place.unsupported("a soft cap or sink logits", expected: "a plain softmax")
    }
    return down
  }

  /// Which of the source's pairs stands at each place of the configuration's frequencies.
  private static func order(
    of source: LatentAttention, _ stock: RotaryEmbedding, _ place: Place
  ) throws(CheckpointError) -> [Int] {
    guard let rotary = source.options.rotary, rotary.magnitude == stock.magnitude,
      rotary.growth == stock.growth,
      let order = StockRotary.order(of: rotary.frequencies, as: stock.frequencies)
    else {
      throw place.unsupported(
        "RoPE frequencies that no configuration of DeepseekV3ForCausalLM has",
        expected: "every c-th frequency of the source, one component each")
    }
    return order
  }

  /// A power of two that lies 2^``headroom`` times above `bound`, or more.
  static func constant(above bound: Double) -> Double {
    exp2(log2(max(bound, 1e-30)).rounded(.up) + Double(headroom))
  }

  /// The root mean square of `rank` channels of which one is `constant` and the rest are nothing
  /// beside it, as the norm has it.
  static func mean(of constant: Double, rank: Int) -> Double {
    (constant * constant / Double(rank) + Double(normEpsilon)).squareRoot()
  }

  /// A bound of ‖c‖ over all inputs of the layer.
  private static func bound(
    _ rows: [Float], _ bias: [Float]?, _ rank: Int, _ gain: [Float]
  ) -> Double {
    var square = 0.0
    for row in 0..<rank {
      for column in gain.indices {
        let value = Double(rows[row * gain.count + column]) * Double(gain[column])
        square += value * value
      }
    }
    let offset = (bias?[..<rank] ?? []).reduce(0.0) { $0 + Double($1) * Double($1) }
    return (square * Double(gain.count)).squareRoot() + offset.squareRoot()
  }

  /// The last channel that is zero for every input.
  private static func freeChannel(
    _ rows: [Float], _ bias: [Float]?, rank: Int, columns: Int
  ) -> Int? {
    (0..<rank).last { channel in
      (bias?[channel] ?? 0) == 0
        && rows[channel * columns..<(channel + 1) * columns].allSatisfy { $0 == 0 }
    }
  }

  static func floats(_ weight: WeightMatrix) throws -> [Float] {
    var values = [Float](repeating: 0, count: weight.outputs * weight.inputs)
    weight.decodeRows(0..<weight.outputs, to: &values)
    return values
  }
}
