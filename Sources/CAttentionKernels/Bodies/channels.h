// Rows quantised per channel over a group of tokens: the scales of a vector of channels are widened
// once for all tokens of a run.

// Element `i` of a quantised row of `width` without its scale.
INLINE float channel_number(const int element, const char *row, int64_t width, int64_t i) {
  if (element == ATTN_ELEMENT_INT8C) return (float)(int8_t)row[i];
  const int64_t first = i - i % ATTN_GROUP;
  const int64_t count = width - first < ATTN_GROUP ? width - first : ATTN_GROUP;
  return (float)packed_number(row + first / 2, count, i - first);
}

INLINE void widen_channels_of(const int element, const char *group, const char *rows,
                              int64_t row_bytes, int64_t tokens, int64_t width, float *out,
                              int64_t stride) {
  const bool has_zeros = element == ATTN_ELEMENT_INT4C;
  const char *zeros = group + 2 * width;
  const int64_t whole = has_zeros ? width - width % ATTN_GROUP : width;
  enum { VECTORS = 4 };
  int64_t i = 0;
  for (; i + VECTORS * LANES <= whole; i += VECTORS * LANES) {
    vfloat scale[VECTORS], zero[VECTORS];
    UNROLL for (int v = 0; v < VECTORS; v++) {
      scale[v] = widen_f16(*(const vuint16_any *)(group + 2 * (i + v * LANES)));
      zero[v] = has_zeros ? widen_f16(*(const vuint16_any *)(zeros + 2 * (i + v * LANES))) : splat(0);
    }
    for (int64_t t = 0; t < tokens; t++) {
      const char *row = rows + t * row_bytes;
      UNROLL for (int v = 0; v < VECTORS; v++) {
        vfloat number =
            load_element(has_zeros ? ELEMENT_PACKED : ATTN_ELEMENT_S8, row, i + v * LANES);
        store(out + t * stride + i + v * LANES,
              has_zeros ? fma_vector(number, scale[v], zero[v]) : number * scale[v]);
      }
    }
  }
  for (; i + LANES <= whole; i += LANES) {
    const vfloat scale = widen_f16(*(const vuint16_any *)(group + 2 * i));
    const vfloat zero = has_zeros ? widen_f16(*(const vuint16_any *)(zeros + 2 * i)) : splat(0);
    for (int64_t t = 0; t < tokens; t++) {
      const char *row = rows + t * row_bytes;
      vfloat number = load_element(has_zeros ? ELEMENT_PACKED : ATTN_ELEMENT_S8, row, i);
      store(out + t * stride + i, has_zeros ? fma_vector(number, scale, zero) : number * scale);
    }
  }
  for (; i < width; i++) {
    const float scale = splat_half(group + 2 * i)[0];
    const float zero = has_zeros ? splat_half(zeros + 2 * i)[0] : 0;
    for (int64_t t = 0; t < tokens; t++) {
      float number = channel_number(element, rows + t * row_bytes, width, i);
      out[t * stride + i] =
          has_zeros ? fma_vector(splat(number), splat(scale), splat(zero))[0] : number * scale;
    }
  }
  // What pads the row to whole vectors must not be NaN.
  const int64_t padded = (width + LANES - 1) / LANES * LANES;
  if (padded <= stride) {
    for (int64_t t = 0; t < tokens; t++) {
      for (int64_t j = width; j < padded; j++) out[t * stride + j] = 0;
    }
  }
}

// `tokens` rows from `rows` of the quantised group at `group`, to float32 rows `stride` apart.
static void widen_channels(int element, const char *group, const char *rows, int64_t row_bytes,
                           int64_t tokens, int64_t width, float *out, int64_t stride) {
  if (element == ATTN_ELEMENT_INT8C) {
    widen_channels_of(ATTN_ELEMENT_INT8C, group, rows, row_bytes, tokens, width, out, stride);
  } else {
    widen_channels_of(ATTN_ELEMENT_INT4C, group, rows, row_bytes, tokens, width, out, stride);
  }
}

// scaled[r] = in[r] * scales, channel by channel, rows `width` apart, and constants[r] = in[r] . zeros.
static void scale_by_channel(const char *group, bool has_zeros, int64_t width, const float *in,
                             int64_t in_stride, int32_t rows, float *scaled, float *constants) {
  for (int32_t r = 0; r < rows; r++) {
    vfloat constant = splat(0);
    for (int64_t i = 0; i < width; i += LANES) {
      const vfloat x = load(in + r * in_stride + i);
      store(scaled + r * width + i, x * widen_f16(*(const vuint16_any *)(group + 2 * i)));
      if (has_zeros) {
        const char *zeros = group + 2 * width + 2 * i;
        constant = fma_vector(x, widen_f16(*(const vuint16_any *)zeros), constant);
      }
    }
    constants[r] = sum_lanes(constant);
  }
}

static void decode_group_row(int32_t element, const void *group, int64_t token, int64_t width,
                             float *out) {
  const int64_t row_bytes = element == ATTN_ELEMENT_INT8C ? width : width / 2;
  const char *rows = (const char *)group + attn_group_header_bytes(element, width);
  widen_channels(element, group, rows + token * row_bytes, row_bytes, 1, width, out, width);
}
