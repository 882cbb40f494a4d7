import AttentionCore
import AttentionZoo

/// How the latents of an exported model meet the stock norm.
public enum LatentNormForm: String, Sendable, Hashable, CaseIterable {
  /// A constant in one channel of the latent, from a bias: exact, one channel wider, and only where
  /// `attention_bias` is read (transformers).
  case constantChannel
  /// A norm of its own: that of a model which has one, or one fitted to the mean size of the latents
  /// (``BiasFreeExport``), for engines without a place for the bias. No bias is written.
  case ownNorm
}

extension HFConfig {
  /// The configuration that a latent variant of `source` is written with: `DeepseekV3ForCausalLM`,
  /// all layers dense.
  ///
  /// - Parameters:
  ///   - latent: the shape of the converted layers.
  ///   - frequencies: those of the layers' RoPE slice, d_r/2 in any order.
  ///   - norm: what becomes of the stock norm. With the constant channel `kv_lora_rank` is one more
  ///     than `latent.rank`, so that for a row of 512 + 64 layers are factorised to rank 511.
  ///   - queryBias: whether a layer's queries have a bias, which goes into a low-rank projection of rank
  ///     D + 1 (``StockQueries``); with the constant channel only.
  /// - Throws: `CheckpointError` of kind `unsupported` where no configuration has these frequencies
  ///   or the shape has several RoPE slices.
  public static func deepseekV3(
    for source: HFConfig, latent: LatentShape, frequencies: [Double],
    norm: LatentNormForm = .constantChannel, queryBias: Bool = false
  ) throws(CheckpointError) -> HFConfig {
    func unsupported(_ found: String, _ expected: String) -> CheckpointError {
      CheckpointError(
        kind: .unsupported, file: HFArchitecture.deepseekV3.name, place: "", found: found,
        expected: expected)
    }
    guard latent.ropeSlices == 1 else {
      throw unsupported(
        "a RoPE slice for each of \(latent.ropeSlices) key/value heads",
        "one shared slice, as in mla:R+P")
    }
    let plain: [HFArchitecture] = [.llama, .mistral, .qwen2, .deepseekV3]
    guard plain.contains(source.architecture), source.mixture == nil, !source.hasMLPBias,
      source.native == nil
    else {
      throw unsupported(
        source.mixture == nil ? "\(source.architecture.name)" : "a mixture of experts",
        "a source whose MLPs and norms are Llama's")
    }
    guard frequencies.count * 2 == latent.ropeWidth,
      let rope = StockRotary.rope(of: frequencies, source: source)
    else {
      throw unsupported(
        "RoPE frequencies that no configuration of DeepseekV3ForCausalLM has",
        "every c-th frequency of the source, one component each")
    }
    var config = source
    config.architecture = .deepseekV3
    config.keyValueHeadCount = source.headCount
    config.headDimension = latent.ropeWidth
    config.slidingWindow = nil
    config.windowLayers = nil
    config.localRope = nil
    config.interleavesRope = true
    config.mixture = nil
    config.quantisation = nil
    config.hasAttentionBias = norm == .constantChannel
    config.rope = rope
    config.keyValueLatentRank = latent.rank + (norm == .constantChannel ? 1 : 0)
    config.queryLatentRank =
      queryBias && norm == .constantChannel ? source.hiddenSize + 1 : nil
    config.ropeHeadDimension = latent.ropeWidth
    config.nopeHeadDimension = latent.nopeWidth
    config.valueHeadDimension = latent.valueWidth
    return config
  }
}
