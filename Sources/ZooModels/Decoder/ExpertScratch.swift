import ZooLinearAlgebra
import ZooMemory

/// Which tokens of a call each expert works on, and the memory that their rows are gathered in.
struct ExpertScratch {
  private var scores = ScratchBuffer()
  private var choice = ScratchBuffer()
  private var assigned = ScratchBuffer()
  private var gathered = ScratchBuffer()
  private var results = ScratchBuffer()
  /// Entries of `assigned` before those of expert e; one more than experts.
  private var starts: [Int] = []

  /// A token that an expert works on.
  private struct Assignment {
    var row: Int
    var weight: Float
  }

  var mappedBytes: Int {
    scores.mappedBytes + choice.mappedBytes + assigned.mappedBytes + gathered.mappedBytes
      + results.mappedBytes
  }

  /// Multiplies each row of `rows` by the sigmoid of its gate.
  mutating func gate(
    _ rows: MutableMatrixView, by gate: Linear, input: MatrixView, pool: WorkerPool,
    linear: LinearScratch
  ) throws(OutOfMemory) {
    let values = MutableMatrixView(
      try scores.reserve(input.rows, of: Float.self), rows: input.rows, columns: 1)
    gate.apply(input: input, output: values, pool: pool, scratch: linear)
    for row in 0..<rows.rows {
      let factor = Elementwise.sigmoid(values.row(row)[0])
      let target = rows.row(row)
      for column in 0..<rows.columns { target[column] *= factor }
    }
  }

  /// Chooses the experts of every row of `input`.
  mutating func route(
    _ mixture: ExpertMixture, input: MatrixView, pool: WorkerPool, linear: LinearScratch
  ) throws(OutOfMemory) {
    let experts = mixture.experts.count
    let chosen = mixture.routing.chosen
    let table = MutableMatrixView(
      try scores.reserve(input.rows * experts, of: Float.self), rows: input.rows,
      columns: experts)
    mixture.router.apply(input: input, output: table, pool: pool, scratch: linear)
    let picks = try choice.reserve(input.rows * chosen, of: ExpertRouting.Pick.self)
    // Ranks of experts and of groups while a token chooses.
    let ranks = try gathered.reserve(experts + mixture.routing.groups, of: Float.self)
    starts.removeAll(keepingCapacity: true)
    for _ in 0...experts { starts.append(0) }
    for row in 0..<input.rows {
      let mine = picks + row * chosen
      mixture.routing.choose(table.row(row), experts: experts, ranks: ranks, to: mine)
      for index in 0..<chosen { starts[mine[index].expert + 1] += 1 }
    }
    for expert in 0..<experts { starts[expert + 1] += starts[expert] }
    let list = try assigned.reserve(input.rows * chosen, of: Assignment.self)
    for row in 0..<input.rows {
      for index in 0..<chosen {
        let pick = picks[row * chosen + index]
        list[starts[pick.expert]] = Assignment(row: row, weight: pick.weight)
        starts[pick.expert] += 1
      }
    }
    // Filling moved each start to the next one.
    for expert in stride(from: experts, to: 0, by: -1) { starts[expert] = starts[expert - 1] }
    starts[0] = 0
  }

  /// The rows of an expert's tokens one after the other, and room for its results; nil where no token
  /// chose it.
  mutating func gather(
    expert: Int, from input: MatrixView
  ) throws(OutOfMemory) -> (input: MatrixView, output: MutableMatrixView)? {
    let range = starts[expert]..<starts[expert + 1]
    if range.isEmpty { return nil }
    let width = input.columns
    // Room for all tokens at once, so that no later step needs more.
    let rows = try gathered.reserve(input.rows * width, of: Float.self)
    let output = try results.reserve(input.rows * width, of: Float.self)
    let list = assigned.pointer(to: Assignment.self)
    for (index, entry) in range.enumerated() {
      (rows + index * width).update(from: input.row(list[entry].row), count: width)
    }
    return (
      MatrixView(rows, rows: range.count, columns: width),
      MutableMatrixView(output, rows: range.count, columns: width)
    )
  }

  /// Adds an expert's results to the rows of its tokens, by weight.
  func scatter(expert: Int, _ results: MatrixView, to output: MutableMatrixView) {
    let list = assigned.pointer(to: Assignment.self) + starts[expert]
    for index in 0..<results.rows {
      let (from, to) = (results.row(index), output.row(list[index].row))
      let weight = list[index].weight
      for column in 0..<results.columns { to[column] += weight * from[column] }
    }
  }
}
