import ZooLinearAlgebra

/// What follows attention in a decoder layer: one gated MLP, or a mixture of them.
public enum FeedForward: Sendable {
  /// Every token uses all of it.
  case dense(GatedMLP)
  /// A router chooses a few experts for each token.
  case mixture(ExpertMixture)

  /// Elements of all matrices and biases.
  public var parameters: Int {
    switch self {
    case .dense(let mlp): mlp.parameters
    case .mixture(let mixture): mixture.parameters
    }
  }

  /// Bytes of all matrices, as stored, and of the float32 vectors.
  public var weightBytes: Int {
    switch self {
    case .dense(let mlp): mlp.weightBytes
    case .mixture(let mixture): mixture.weightBytes
    }
  }

  /// Elements of the weights that one token uses.
  public var multipliedPerToken: Int {
    switch self {
    case .dense(let mlp): mlp.parameters
    case .mixture(let mixture): mixture.multipliedPerToken
    }
  }

  /// Elements of the widest operand of any linear map.
  public var widestInputs: Int {
    switch self {
    case .dense(let mlp): mlp.widestInputs
    case .mixture(let mixture): mixture.widestInputs
    }
  }

  /// The dense MLP, or nil for a mixture.
  public var dense: GatedMLP? {
    if case .dense(let mlp) = self { mlp } else { nil }
  }

  /// The mixture, or nil for a dense MLP.
  public var mixture: ExpertMixture? {
    if case .mixture(let mixture) = self { mixture } else { nil }
  }
}

/// down(activation(gate(x), up(x))): a gated MLP (Shazeer, arXiv 2002.05202) of inner width F on a
/// hidden width D.
public struct GatedMLP: Sendable {
  /// `[F × D]`.
  public var gate: Linear
  /// `[F × D]`.
  public var up: Linear
  /// `[D × F]`.
  public var down: Linear
  /// How gate and up meet.
  public var activation: GatedActivation

  /// - Precondition: the three maps fit each other.
  public init(gate: Linear, up: Linear, down: Linear, activation: GatedActivation = .silu) {
    precondition(
      gate.outputs == up.outputs && down.inputs == gate.outputs && gate.inputs == up.inputs
        && down.outputs == gate.inputs, "gate, up and down fit each other")
    self.gate = gate
    self.up = up
    self.down = down
    self.activation = activation
  }

  /// Inner width, F.
  public var width: Int { gate.outputs }

  private var biases: Int {
    (gate.bias?.count ?? 0) + (up.bias?.count ?? 0) + (down.bias?.count ?? 0)
  }

  var parameters: Int {
    gate.inputs * gate.outputs + up.inputs * up.outputs + down.inputs * down.outputs + biases
  }

  var weightBytes: Int {
    gate.weight.byteCount + up.weight.byteCount + down.weight.byteCount
      + biases * MemoryLayout<Float>.stride
  }

  var widestInputs: Int { max(gate.inputs, down.inputs) }
}

/// How the gate of an MLP and its other half meet.
public enum GatedActivation: Hashable, Sendable {
  /// silu(gate) · up, silu(x) = x / (1 + exp(−x)): SwiGLU.
  case silu
  /// gelu(gate) · up with the tanh form of gelu, x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))): Gemma.
  case geluTanh
  /// With g = min(gate, limit) and u = up clamped to ±limit: (u + 1) · g / (1 + exp(−alpha·g)):
  /// gpt-oss.
  case clampedSwish(alpha: Float, limit: Float)
}
