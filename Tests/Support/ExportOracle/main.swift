import AttentionCore
import Foundation
import ZooMemory
import ZooModels

// export-oracle FOLDER KIND SEED DTYPE: a random model, its logits as this package computes them
// before anything is exported, and its export. Another program loads the export and compares.
//
//   FOLDER/export/                  the Hugging Face folder
//   FOLDER/reference.safetensors    tokens [T] and logits [T × V], float32 weights and cache
//
// KIND: latent, bias-free, grouped, window, pattern. DTYPE: F32 or BF16.

let arguments = Array(CommandLine.arguments.dropFirst())
guard arguments.count == 4, let kind = OracleModel.Kind(rawValue: arguments[1]),
  let seed = UInt64(arguments[2]), let dtype = TensorDType(rawValue: arguments[3])
else {
  FileHandle.standardError.write(
    Data("usage: export-oracle FOLDER \(OracleModel.Kind.names) SEED F32|BF16\n".utf8))
  exit(64)
}

do {
  let folder = arguments[0]
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  let pool = WorkerPool(threads: 2)
  let oracle = try OracleModel(kind, seed: seed, pool: pool)
  try oracle.export(to: folder + "/export", dtype: dtype)
  let tokens = oracle.tokens
  let rows = try oracle.logits(tokens)
  let writer = try SafetensorsWriter(
    path: folder + "/reference.safetensors",
    tensors: [
      TensorDeclaration(name: "tokens", dtype: .i64, shape: [tokens.count]),
      TensorDeclaration(
        name: "logits", dtype: .f32,
        shape: [tokens.count, oracle.model.geometry.vocabulary]),
    ])
  try tokens.map { Int64($0) }.withUnsafeBytes { try writer.append(bytes: $0, to: "tokens") }
  try writer.append(rows, to: "logits")
  try writer.finish()
  print(oracle.summary)
} catch {
  FileHandle.standardError.write(Data("export-oracle: \(error)\n".utf8))
  exit(70)
}
