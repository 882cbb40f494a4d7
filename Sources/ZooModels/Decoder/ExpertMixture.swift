import ZooLinearAlgebra

/// A mixture of experts: a router scores E gated MLPs for each token, k of them run, and their
/// results are added by weight; a shared expert may run for every token beside them.
public struct ExpertMixture: Sendable {
  /// `[E × D]`; scores before ``routing``.
  public var router: Linear
  /// How scores become experts and weights.
  public var routing: ExpertRouting
  /// E experts of one inner width.
  public var experts: [GatedMLP]
  /// Runs for every token (DeepSeek, Qwen2-MoE).
  public var shared: GatedMLP?
  /// `[1 × D]`: the shared expert's result is multiplied by its sigmoid (Qwen2-MoE).
  public var sharedGate: Linear?

  /// - Precondition: one router output an expert, experts of one width, and no more chosen than there
  ///   are.
  public init(
    router: Linear, routing: ExpertRouting, experts: [GatedMLP], shared: GatedMLP? = nil,
    sharedGate: Linear? = nil
  ) {
    precondition(
      router.outputs == experts.count && routing.chosen <= experts.count && routing.chosen > 0,
      "a router has one output an expert")
    precondition(
      experts.allSatisfy { $0.width == experts[0].width && $0.gate.inputs == router.inputs },
      "experts have one width")
    self.router = router
    self.routing = routing
    self.experts = experts
    self.shared = shared
    self.sharedGate = sharedGate
  }

  var parameters: Int {
    experts.reduce(Self.elements(router) + routing.parameters) { $0 + $1.parameters }
      + (shared?.parameters ?? 0) + (sharedGate.map(Self.elements) ?? 0)
  }

  var weightBytes: Int {
    let vectors =
      routing.parameters + (router.bias?.count ?? 0) + (sharedGate?.bias?.count ?? 0)
    return experts.reduce(router.weight.byteCount) { $0 + $1.weightBytes }
      + (shared?.weightBytes ?? 0) + (sharedGate?.weight.byteCount ?? 0)
      + vectors * MemoryLayout<Float>.stride
  }

  var multipliedPerToken: Int {
    parameters - (experts.count - routing.chosen) * experts[0].parameters
  }

  var widestInputs: Int {
    max(router.inputs, experts[0].widestInputs, shared?.widestInputs ?? 0)
  }

  private static func elements(_ linear: Linear) -> Int {
    linear.inputs * linear.outputs + (linear.bias?.count ?? 0)
  }
}

/// How a router's scores become the experts of a token and their weights.
public struct ExpertRouting: Hashable, Sendable {
  /// What scores pass through.
  public enum Scoring: String, Hashable, Sendable {
    /// Softmax over all experts, before they are chosen.
    case softmax
    /// A sigmoid of each score (DeepSeek-V3).
    case sigmoid
    /// Softmax over the chosen experts' scores alone (gpt-oss); equal to `softmax` with
    /// normalised weights, as Mixtral has it.
    case softmaxOfChosen
  }

  /// What ranks a group of experts where only some groups may be chosen from.
  public enum GroupRank: String, Hashable, Sendable {
    /// Its greatest score (DeepSeek-V2, "group_limited_greedy").
    case greatest
    /// The sum of its two greatest scores (DeepSeek-V3).
    case twoGreatest
  }

  /// Experts that a token uses, k.
  public var chosen: Int
  public var scoring: Scoring
  /// Added to the scores for the choice, not to the weights: one an expert (DeepSeek-V3's
  /// `e_score_correction_bias`).
  public var correction: [Float]?
  /// Consecutive groups of equal size; 1: none.
  public var groups = 1
  /// Groups that experts are chosen from.
  public var groupsKept = 1
  public var groupRank = GroupRank.twoGreatest
  /// Whether the weights of the chosen experts are made to sum to 1.
  public var normalises = false
  /// Multiplies the weights, after they are normalised.
  public var scale: Float = 1

  public init(chosen: Int, scoring: Scoring) {
    self.chosen = chosen
    self.scoring = scoring
  }

  var parameters: Int { correction?.count ?? 0 }
}
