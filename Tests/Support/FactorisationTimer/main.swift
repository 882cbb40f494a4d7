import AttentionCore
import AttentionZoo
import Foundation
import ZooLinearAlgebra
import ZooMemory
import ZooModels

// factorisation-timer WEIGHTS ACTIVATIONS RANK THREADS: this package's side of the comparison with
// numpy.linalg (Benchmarks/Oracles/compare_factorisation.py).
//
//   WEIGHTS      [2·K·128 × D] float32, little-endian: key rows, then value rows
//   ACTIVATIONS  [tokens × D] float32
//
// For every line on standard input, `calibrated` or `weights-only`, it factorises the layer once to
// `mla:RANK+64` and prints seconds as one JSON object.

struct Usage: Error {}

func floats(_ path: String) throws -> [Float] {
  let data = try Data(contentsOf: URL(fileURLWithPath: path))
  return [Float](unsafeUninitializedCapacity: data.count / 4) { buffer, count in
    count = data.copyBytes(to: buffer) / 4
  }
}

/// A line on standard output, at once.
func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

func seconds(_ body: () throws -> Void) rethrows -> Double {
  let start = MonotonicClock.nanoseconds()
  try body()
  return Double(MonotonicClock.nanoseconds() - start) / 1e9
}

do {
  let arguments = Array(CommandLine.arguments.dropFirst())
  guard arguments.count == 4, let rank = Int(arguments[2]), let threads = Int(arguments[3]) else {
    throw Usage()
  }
  let (width, queryHeads, keyHeads, hidden) = (128, 32, 8, 4_096)
  let (weights, activations) = (try floats(arguments[0]), try floats(arguments[1]))
  guard weights.count == 2 * keyHeads * width * hidden, activations.count.isMultiple(of: hidden)
  else { throw Usage() }
  let pool = WorkerPool(threads: threads)
  let geometry = ModelGeometry(
    name: "llama-3.1-8b", layers: 1, hidden: hidden, queryHeads: queryHeads,
    keyValueHeads: keyHeads, headWidth: width, mlpWidth: 1, vocabulary: 1, tiedEmbeddings: true,
    maxPositions: 131_072)
  func linear(_ rows: Int, _ values: UnsafePointer<Float>) throws -> Linear {
    Linear(
      weight: try WeightMatrix(
        outputs: rows, inputs: hidden, format: .float32, values: values, pool: pool))
  }
  func random(_ rows: Int, _ stream: UInt64) throws -> Linear {
    Linear(
      weight: try WeightMatrix(
        outputs: rows, inputs: hidden, format: .float32, seed: 1, stream: stream,
        deviation: 1 / Float(hidden).squareRoot(), pool: pool))
  }
  let registry = AxisRegistry.standard
  let module = try weights.withUnsafeBufferPointer { rows in
    guard let base = rows.baseAddress else { throw Usage() }
    let half = keyHeads * width
    return MultiHeadAttention(
      layout: try registry.variant("gqa:8").layouts(for: geometry)[0],
      query: try random(queryHeads * width, 1), key: try linear(half, base),
      value: try linear(half, base + half * hidden), output: try random(hidden, 2),
      options: AttentionOptions(rotary: RotaryEmbedding(width: width, theta: 500_000)))
  }
  let target = try registry.variant("mla:\(rank)+64")
  let layouts = try target.layouts(for: geometry)
  say("{\"ready\": \"\(OpenBLAS.configuration)\"}")
  while let line = readLine() {
    guard let method = ConversionOptions.Method(rawValue: line) else { throw Usage() }
    var converter = LayerConverter(
      target: target, layouts: layouts, options: ConversionOptions(method: method, fold: 2),
      pool: pool)
    var moments: ProjectionMoments?
    let seen = try seconds {
      guard method == .calibrated else { return }
      let accumulator = try MomentAccumulator(module, scoresPairs: false, pool: pool)
      try activations.withUnsafeBufferPointer { rows in
        guard let base = rows.baseAddress else { throw Usage() }
        let count = activations.count / hidden
        for first in stride(from: 0, to: count, by: 1_024) {
          try accumulator.add(
            MatrixView(
              base + first * hidden, rows: min(1_024, count - first), columns: hidden))
        }
      }
      moments = accumulator.moments()
    }
    var error = 0.0
    let factorised = try seconds {
      try OpenBLAS.withThreads(threads) {
        error =
          try converter.convert(module, layer: 0, moments: moments).factors?.projectionError ?? 0
      }
    }
    say(
      "{\"moments\": \(seen), \"factorisation\": \(factorised), \"projection_error\": \(error)}")
  }
} catch is Usage {
  FileHandle.standardError.write(
    Data("usage: factorisation-timer WEIGHTS ACTIVATIONS RANK THREADS\n".utf8))
  exit(64)
} catch {
  FileHandle.standardError.write(Data("factorisation-timer: \(error)\n".utf8))
  exit(65)
}
