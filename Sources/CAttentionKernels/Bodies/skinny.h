// Products of a large stored matrix with few rows: the dot blocks of the scores over weight rows.

static void skinny_product(const void *weights, int32_t element, int64_t weight_stride_elements,
                           const float *in, int64_t in_stride, int32_t rows, int64_t width,
                           const float *bias, float *out, int64_t out_stride, int64_t first,
                           int64_t last) {
  enum { OUTPUTS = 8 };  // a multiple of every block's tokens
  const int64_t row_bytes = weight_stride_elements * (int64_t)element_bytes(element);
  if (rows <= 0) return;
  const int block = even_block(rows, DOT_WIDENED_ROWS);
  for (int64_t o = first; o < last; o += OUTPUTS) {
    const int32_t count = last - o < OUTPUTS ? (int32_t)(last - o) : OUTPUTS;
    const char *stored[OUTPUTS];
    for (int32_t j = 0; j < OUTPUTS; j++) {
      stored[j] = (const char *)weights + (o + (j < count ? j : count - 1)) * row_bytes;
    }
    for (int32_t r = 0; r < rows; r += block) {
      const int n = rows - r < block ? rows - r : block;
      float sums[DOT_ROWS * OUTPUTS];
      dot_rows(element, n, in + r * in_stride, in_stride, stored, count, width, 0, sums, OUTPUTS);
      for (int i = 0; i < n; i++) {
        float *target = out + (r + i) * out_stride + o;
        for (int32_t j = 0; j < count; j++) {
          target[j] = sums[i * OUTPUTS + j] + (bias ? bias[o + j] : 0);
        }
      }
    }
  }
}
