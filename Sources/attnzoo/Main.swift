import AttentionCore
import AttentionZoo
import ZooMemory
import ZooModels
import ZooLinearAlgebra
@main struct Main {
  static func main() throws {
    let g = ModelGeometry(name: "tiny", layers: 6, hidden: 64, queryHeads: 4, keyValueHeads: 4, headWidth: 16, mlpWidth: 96, vocabulary: 64, tiedEmbeddings: true, maxPositions: 256)
    let pool = WorkerPool(threads: 2)
    func logits(_ m: DecoderModel, chunk: Int, storage: CacheStorage) throws -> [Float] {
      let r = try DecoderRunner(model: m, pool: pool)
      let c = try KVCache(layouts: m.layouts, plan: CachePlan(storage: storage, sequences: 2, capacity: 200, maxChunk: 64))
      let s = try c.addSequence()
      let tokens: [Int32] = (0..<150).map { (i: Int) -> Int32 in let x = i * 7 + i / 3; return Int32(x % 64) }
      var out: [Float] = []
      var i = 0
      while i < 150 { let n = min(chunk, 150 - i)
        let l = try r.forward(tokens: Array(tokens[i..<i+n]), plan: BatchPlan([(s, i, n)]), cache: c, logits: .all)
        for row in 0..<n { out += (0..<64).map { l.row(row)[$0] } }
        i += n }
      return out
    }
    func diff(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).map { abs($0 - $1) }.max()! }
    for n in ["mha", "gqa:2", "mqa", "mla:16+8", "mla:24+8x2", "mha/cla:2", "gqa:2/swa:7", "mha/swa:16/sink:4", "gqa:2/hybrid:2:1:8", "mla:16+8/cla:2/hybrid:2:1:8/sink:2", "mla:16+8@f32", "[mha*3,mla:16+8*2,mqa/swa:5]", "mla:16+8@f16:f32"] {
      let v = try AxisRegistry.standard.variant(n)
      let m = try DecoderModel(randomWeights: g, variant: v, format: .float32, seed: 1, pool: pool)
      let a = try logits(m, chunk: 1, storage: .contiguous)
      let b = try logits(m, chunk: 64, storage: .ring)
      let c = try logits(m, chunk: 13, storage: .paged(pageTokens: 16))
      print(n, diff(a, b), diff(a, c), a[149*64], m.parameters)
    }
    let mha = try DecoderModel(randomWeights: g, variant: try AxisRegistry.standard.variant("mha@f32"), format: .float32, seed: 1, pool: pool)
    let base = try logits(mha, chunk: 64, storage: .ring)
    for n in ["mla:64+64@f32", "mla:32+32@f32", "mla:64+32@f32","mla:64+14x4@f32", "mla:64+8x4@f32", "gqa:2@f32"] {
      let m = try mha.converted(to: AxisRegistry.standard.variant(n), pool: pool)
      print("convert", n, diff(base, try logits(m, chunk: 64, storage: .ring)), base[149*64])
    }
  }
}
