/// How a model is written as a Hugging Face folder.
public struct ExportOptions: Sendable, Hashable {
  /// The element type of the weights: F32, F16 or BF16; nil: that of the model's matrices.
  public var dtype: TensorDType?
  /// Most bytes of data in one weight file.
  public var shardBytes: Int

  public init(
    dtype: TensorDType? = nil, shardBytes: Int = CheckpointFolderWriter.defaultShardBytes
  ) {
    self.dtype = dtype
    self.shardBytes = shardBytes
  }
}
