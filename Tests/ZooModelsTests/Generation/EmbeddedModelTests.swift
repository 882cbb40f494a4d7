import AttentionCore
import Foundation
import Testing
import ZooLinearAlgebra
import ZooMemory
import ZooModels

@Suite("The model that ships with the package")
struct EmbeddedModelTests {
  /// Bits per byte of `xz -9` on the held-out text, from the table of the model card.
  private func compressorScore() throws -> Double {
    let folder = try #require(EmbeddedModel.folder, "the package's resources are missing")
    let card = try String(contentsOfFile: folder + "/MODEL_CARD.md", encoding: .utf8)
    let row = try #require(card.split(separator: "\n").first { $0.contains("(`heldout.txt`)") })
    let cell = try #require(row.split(separator: "|").last { !$0.allSatisfy(\.isWhitespace) })
    return try #require(Double(cell.trimmingCharacters(in: .whitespaces)))
  }

  @Test("predicts its held-out text better than xz packs it")
  func heldOutText() throws {
    let xz = try compressorScore()
    #expect(xz == 1.9422)
    let pool = WorkerPool(threads: 2)
    let model = try EmbeddedModel.load(pool: pool)
    let text = try EmbeddedModel.evaluationText()
    let runner = try DecoderRunner(model: model, pool: pool)
    let (segment, chunk) = (1_024, 128)
    var nats = 0.0
    var scored = 0
    // Three segments spread over the text, the later half of each scored.
    let last = text.count / segment - 1
    for index in [0, last / 2, last] {
      let tokens = Array(text[index * segment..<(index + 1) * segment])
      let cache = try KVCache(
        layouts: model.layouts,
        plan: CachePlan(sequences: 1, capacity: segment, maxChunk: chunk))
      let sequence = try cache.addSequence()
      for first in stride(from: 0, to: segment, by: chunk) {
        let logits = try runner.forward(
          tokens: Array(tokens[first..<first + chunk]),
          plan: BatchPlan([(sequence, first, chunk)]), cache: cache, logits: .all)
        for row in 0..<chunk where first + row + 1 >= segment / 2 && first + row + 1 < segment {
          let values = (0..<logits.columns).map { Double(logits.row(row)[$0]) }
          let peak = values.max() ?? 0
          let logSum = peak + log(values.reduce(0) { $0 + exp($1 - peak) })
          nats += logSum - values[Int(tokens[first + row + 1])]
          scored += 1
        }
      }
    }
    #expect(scored == 3 * segment / 2)
    let bitsPerByte = nats / Double(scored) / log(2)
    #expect(bitsPerByte < xz, "\(bitsPerByte) bits a byte")
    #expect(bitsPerByte > 0.5, "a text that it was trained on scores like this")
  }
}
