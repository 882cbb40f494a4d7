import Testing
import ZooLinearAlgebra
import ZooMemory
import Glibc
func now() -> Double { var t = timespec(); clock_gettime(CLOCK_MONOTONIC, &t); return Double(t.tv_sec) + Double(t.tv_nsec)*1e-9 }
func time(_ n: Int = 7, _ body: () -> Void) -> Double { body(); var b = [Double](); for _ in 0..<n { let s = now(); body(); b.append(now()-s) }; b.sort(); return b[n/2] }
@Suite(.serialized) struct ZZBench {
 @Test func bench() throws {
  let pool = WorkerPool(threads: 2), one = WorkerPool(threads: 1)
  print(OpenBLAS.configuration, OpenBLAS.core, OpenBLAS.threads)
  for (O, I) in [(2048, 2048), (8192, 2048), (2048, 8192), (256,256), (576,256)] {
   for f in WeightFormat.allCases {
    let w = try WeightMatrix(outputs: O, inputs: I, format: f, seed: 1, deviation: 0.02, pool: pool)
    let lin = Linear(weight: w); let sc = try LinearScratch(maximumInputs: 8192, threads: 2)
    var line = "\(O)x\(I) \(f):"
    for r in [1, 4, 16, 32, 33, 64, 256, 1024] {
     let x = try Matrix(rows: r, columns: I), y = try Matrix(rows: r, columns: O)
     for i in 0..<(r*I) { x.pointer[i] = Float(i % 17) * 0.1 }
     let t2 = time { lin.apply(input: x.view, output: y.mutableView, pool: pool, scratch: sc) }
     let fl = 2*Double(r)*Double(O)*Double(I)
     line += " r\(r) \(Int(t2*1e6))us"
     if r <= 32 { line += "(\(Int(Double(w.byteCount)/t2/1e9))GB/s)" } else { line += "(\(Int(fl/t2/1e9))GF" 
      if f == .float32 { OpenBLAS.setThreads(2)
       let tb = time { BLAS.gemm(rows: r, columns: O, inner: I, a: x.pointer, aStride: I, b: w.base.assumingMemoryBound(to: Float.self), bStride: I, transposeB: true, c: y.pointer, cStride: O) }
       OpenBLAS.setThreads(1); usleep(40000); line += " blas2 \(Int(fl/tb/1e9))GF" }
      line += ")" }
     if r == 1 { let t1 = time { lin.apply(input: x.view, output: y.mutableView, pool: one, scratch: sc) }; line += "[1t \(Int(t1*1e6))us]" }
    }
    print(line)
   }
  }
  for (h,m,n) in [(32,512,64),(32,64,512),(16,512,128)] { for f in [WeightFormat.float32,.bfloat16] {
   let w = try WeightMatrix(outputs: h*m, inputs: n, format: f, seed: 1, deviation: 0.02)
   let lin = HeadwiseLinear(weight: w, heads: h); let sc = try LinearScratch(maximumInputs: 8192, threads: 2)
   var line = "heads \(h) \(m)x\(n) \(f):"
   for t in [1,4,8,32,33,64,256] { let x = try Matrix(rows: t, columns: h*n), y = try Matrix(rows: t, columns: h*m)
    let t2 = time { lin.apply(input: HeadwiseView(x.pointer, tokenStride: h*n, headStride: n), output: MutableHeadwiseView(y.pointer, tokenStride: h*m, headStride: m), tokens: t, pool: pool, scratch: sc) }
    line += " t\(t) \(Int(t2*1e6))us(\(Int(2*Double(h*m*n*t)/t2/1e9))GF)" }
   print(line) } }
  for f in WeightFormat.allCases { let s = now(); let w = try WeightMatrix(outputs: 128256, inputs: 2048, format: f, seed: 1, deviation: 0.02, pool: pool); let e = now()-s; print("fill \(f) \(Double(w.outputs*w.inputs)/e/1e6) M/s  -> 1.2e9 in \(1.2e9*e/Double(w.outputs*w.inputs)) s") }
  let g = try Matrix(rows: 64, columns: 8192), u = try Matrix(rows: 64, columns: 8192)
  for i in 0..<(64*8192) { g.pointer[i] = Float(i % 23) - 11; u.pointer[i] = 1 }
  let ne = Double(64*8192)
  print("swiglu ns/el", time { Elementwise.swiGLU(gate: g.view, up: u.view, output: u.mutableView) }/ne*1e9)
  print("rms ns/el", time { Elementwise.rmsNorm(input: g.view, weight: u.pointer, epsilon: 1e-5, output: u.mutableView) }/ne*1e9)
  print("logsoftmax ns/el", time { Elementwise.logSoftmax(g.mutableView) }/ne*1e9)
  print("softmax ns/el", time { Elementwise.softmax(g.mutableView) }/ne*1e9)
  print("add ns/el", time { Elementwise.add(g.view, to: u.mutableView) }/ne*1e9)
  let a = DMatrix(rows: 2048, columns: 512, values: randomValues(2048*512, seed: 1).map(Double.init))
  for t in [1,2] { OpenBLAS.setThreads(t); let s = now(); _ = try LAPACK.svd(a); print("svd 2048x512 threads \(t)", now()-s) }
  OpenBLAS.setThreads(1)
  print("pool empty run us", time(101) { pool.forEach(8) { _, _ in } } * 1e6)
 }
}
