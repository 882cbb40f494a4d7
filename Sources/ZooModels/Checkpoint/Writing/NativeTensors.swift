import AttentionCore
import AttentionZoo
import ZooLinearAlgebra

/// The attention tensors of one layer in the package's own form, N query heads, rank r:
///
/// | tensor | shape |
/// |---|---|
/// | `q_proj.weight`, `.bias` | N·H × D; latent: N(d_n + d_r) × D, each head [position-free, rotated] |
/// | `k_proj`, `v_proj` | K·H × D; grouped layers that own rows |
/// | `kv_a_proj_with_mqa.weight`, `.bias` | (r + slices·d_r) × D, latent rows first, slices half-split; \
///   latent layers that own rows |
/// | `k_up_proj.weight` | N·r × d_n: of each head, query into the latent space; absent where d_n is 0 |
/// | `v_up_proj.weight` | N·d_v × r |
/// | `o_proj.weight`, `.bias` | D × N·d_v |
/// | `q_norm.weight`, `k_norm.weight`, `sinks` | as the architecture has them |
///
/// A bias is there where it is not zero; the softmax scale is the architecture's.
struct NativeTensors {
  /// The folder, for errors.
  let file: String
  let index: Int

  /// What no conversion changes, where it stays at all.
  static let unchanged = ["q_norm.weight", "k_norm.weight", "sinks"]

  private var prefix: String { NativeTensorNames(layer: index).prefix }

  func all(of module: any AttentionModule) throws -> [OutputTensor] {
    switch module {
    case let module as MultiHeadAttention:
      return projection("q_proj", module.query)
        + (module.key.map { projection("k_proj", $0) } ?? [])
        + (module.value.map { projection("v_proj", $0) } ?? [])
        + projection("o_proj", module.output) + options(module.options)
    case let module as LatentAttention
    where module.queryDown == nil
      && module.options.latentNorm == nil:
      let keyUp =
        module.shape.nopeWidth > 0
        ? [OutputTensor(prefix + "k_up_proj.weight", module.keyUp.weight)] : []
      return projection("q_proj", module.query)
        + (module.down.map { projection("kv_a_proj_with_mqa", $0) } ?? []) + keyUp
        + [OutputTensor(prefix + "v_up_proj.weight", module.valueUp.weight)]
        + projection("o_proj", module.output) + options(module.options)
    default:
      throw CheckpointError(
        kind: .unsupported, file: file, place: "layer \(index)",
        found: "latent attention with norms of its own", expected: "converted attention")
    }
  }

  private func projection(_ name: String, _ linear: Linear) -> [OutputTensor] {
    let bias = linear.bias.flatMap { $0.contains { $0 != 0 } ? $0 : nil }
    return [OutputTensor(prefix + name + ".weight", linear.weight)]
      + (bias.map { [OutputTensor(prefix + name + ".bias", $0)] } ?? [])
  }

  private func options(_ options: AttentionOptions) -> [OutputTensor] {
    [
      ("q_norm.weight", options.queryNorm), ("k_norm.weight", options.keyNorm),
      ("sinks", options.sinkLogits),
    ]
    .compactMap { name, values in values.map { OutputTensor(prefix + name, $0) } }
  }
}

/// Where the attention tensors of a layer lie.
struct NativeTensorNames {
  let layer: Int

  var prefix: String { "model.layers.\(layer).self_attn." }
}
