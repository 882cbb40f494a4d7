import AttentionCore
import ZooModels

/// What models that a run holds were seen to take when they were made, so that a case that finds
/// its model made already can state it.
final class ModelResidence {
  private struct Entry {
    weak var model: DecoderModel?
    var bytes: Int
  }

  private var entries: [Variant: Entry] = [:]

  /// Bytes that `model` took when it was made; nil for one that is new here.
  func bytes(of model: DecoderModel, _ variant: Variant) -> Int? {
    guard let entry = entries[variant], entry.model === model else { return nil }
    return entry.bytes
  }

  /// Remembers what a model took.
  func record(_ model: DecoderModel, _ variant: Variant, bytes: Int) {
    entries[variant] = Entry(model: model, bytes: bytes)
  }
}
