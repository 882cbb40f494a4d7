import CAttentionKernels

/// A row whose leading part is stored in one codec and whose rest in another: a latent and its
/// RoPE slices (`mla:512+64@f16:f32`).
public struct SplitRowCodec: KVCodec {
  private let context: Context

  /// - Parameter leadingWidth: elements of the row that `leading` stores.
  public init(leading: any KVCodec, trailing: any KVCodec, leadingWidth: Int) {
    context = Context(leading: leading, trailing: trailing, leadingWidth: leadingWidth)
  }

  public var notation: String { "\(context.leading.notation):\(context.trailing.notation)" }
  public var summary: String { "\(context.leading.summary); then \(context.trailing.summary)" }
  /// The leading part keeps its multiple; what follows is checked with its own width.
  public var widthMultiple: Int { 1 }
  public var relativeError: Double {
    max(context.leading.relativeError, context.trailing.relativeError)
  }

  public func rowBytes(width: Int) -> Int {
    let leading = min(width, context.leadingWidth)
    let trailing = width - leading
    return context.leading.rowBytes(width: leading)
      + (trailing > 0 ? context.trailing.rowBytes(width: trailing) : 0)
  }

  public func encode(_ row: UnsafePointer<Float>, width: Int, to bytes: UnsafeMutableRawPointer) {
    let leading = min(width, context.leadingWidth)
    context.leading.encode(row, width: leading, to: bytes)
    if width > leading {
      context.trailing.encode(
        row + leading, width: width - leading,
        to: bytes + context.leading.rowBytes(width: leading))
    }
  }

  public var kernel: CodecKernel {
    .custom(
      { context, rows, rowBytes, firstToken, count, width, out in
        guard let context, let rows, let out else { return }
        let parts = Unmanaged<Context>.fromOpaque(context).takeUnretainedValue()
        let leading = min(Int(width), parts.leadingWidth)
        let trailingOffset = parts.leading.rowBytes(width: leading)
        for row in 0..<Int(count) {
          let source = rows + row * Int(rowBytes)
          let target = out + row * Int(width)
          let token = firstToken + Int64(row)
          parts.leading.decodeRow(source, token: token, width: leading, to: target)
          if Int(width) > leading {
            parts.trailing.decodeRow(
              source + trailingOffset, token: token, width: Int(width) - leading,
              to: target + leading)
          }
        }
      }, context: UnsafeRawPointer(Unmanaged.passUnretained(context).toOpaque()))
  }

  private final class Context: Sendable {
    let leading: any KVCodec
    let trailing: any KVCodec
    let leadingWidth: Int
    init(leading: any KVCodec, trailing: any KVCodec, leadingWidth: Int) {
      self.leading = leading
      self.trailing = trailing
      self.leadingWidth = leadingWidth
    }
  }
}

extension KVCodec {
  /// Decodes one row of `width` elements of the token `token` to float32; of a codec per channel,
  /// a row of the tail.
  public func decodeRow(
    _ bytes: UnsafeRawPointer, token: Int64, width: Int, to out: UnsafeMutablePointer<Float>
  ) {
    if case .custom(let decode, let context) = kernel {
      decode(context, bytes, 0, token, 1, Int32(width), out)
    } else {
      attn_decode_row(kernel.rowElement, bytes, Int64(width), out)
    }
  }
}
