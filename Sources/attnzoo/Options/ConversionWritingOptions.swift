import ArgumentParser
import ZooHarness
import ZooModels

/// How a converted checkpoint is written.
struct ConversionWritingOptions: ParsableArguments {
  @Option(help: "Type of the written weights: f32, f16 or bf16; as stored by default.")
  var dtype: String?
  @Option(
    help: """
      auto: a published architecture where one can say the variant, else the package's own; \
      published; native.
      """)
  var form: String = "auto"
  @Flag(
    help: """
      For engines without a place for the bias of the constant channel (vLLM, SGLang, llama.cpp): a \
      norm fitted to the calibration tokens, at a loss that is measured.
      """)
  var biasFree = false
  @Option(help: "Most bytes of a weight file.")
  var shardSize: String = "5GB"

  func element(of source: ModelSource) throws -> TensorDType {
    let name = dtype ?? source.folder.config.dtypeName ?? "bfloat16"
    switch name {
    case "f32", "float32": return .f32
    case "f16", "float16": return .f16
    case "bf16", "bfloat16": return .bf16
    default:
      guard dtype == nil else {
        throw UsageError("--dtype \(name): expected f32, f16 or bf16")
      }
      return .bf16
    }
  }

  func choice() throws -> ConvertedFolder.Choice {
    guard let choice = ConvertedFolder.Choice(rawValue: form) else {
      throw UsageError("--form \(form): expected auto, published or native")
    }
    return choice
  }

  func shardBytes() throws -> Int {
    guard let bytes = Quantity.bytes(shardSize) else {
      throw UsageError("--shard-size \(shardSize): expected bytes such as 5GB")
    }
    return bytes
  }
}
