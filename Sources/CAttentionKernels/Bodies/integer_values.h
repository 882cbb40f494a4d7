// The value product of few query rows over INT8 and INT4 values: sum w (s n + z) is (sum (w s) n) +
// (sum w z) in every group of 32 channels, with w s rounded to 16 bits (integer_weights.h).

// One group's columns from vector `first` of its integers on, VECTORS of them: c = rescale c + ...
INLINE void integer_columns_of(const int element, const int ROWS, const int VECTORS, const int FIRST,
                               const char *const *rows, int64_t offset, int32_t count,
                               const int16_t *weights, int64_t weight_stride, const float *factors,
                               const float *constants, int64_t factor_stride, float *c,
                               int64_t c_stride, const float *rescale, fetched_meanwhile fetch) {
  vint sums[INTEGER_ROWS][2 * BLOCK_SHORTS];
  UNROLL for (int r = 0; r < ROWS; r++) {
    UNROLL for (int v = 0; v < 2 * VECTORS; v++) sums[r][v] = (vint){0};
  }
  for (int32_t chunk = 0; chunk < count; chunk += PRODUCT_CHUNK) {
    if (fetch.by_row) prefetch_rows(fetch.by_row);
    const int32_t end = chunk + PRODUCT_CHUNK < count ? chunk + PRODUCT_CHUNK : count;
    for (int32_t t = chunk; t < end; t += 2) {
      if (FETCHES_BY_LINE && FIRST == 0 && fetch.by_line) prefetch_lines(fetch.by_line + t, 2, offset, 1);
      const char *one = rows[t] + offset, *two = rows[t + 1] + offset;
      vshort low[BLOCK_SHORTS], high[BLOCK_SHORTS];
      UNROLL for (int v = 0; v < VECTORS; v++) {
        load_token_pairs(element, one, two, FIRST + v, low + v, high + v);
      }
      UNROLL for (int r = 0; r < ROWS; r++) {
        int32_t pair;
        memcpy(&pair, weights + r * weight_stride + t, 4);
        const vshort w = (vshort)((vint){0} + pair);
        UNROLL for (int v = 0; v < VECTORS; v++) {
          sums[r][2 * v] += multiply_pairs(low[v], w);
          sums[r][2 * v + 1] += multiply_pairs(high[v], w);
        }
      }
    }
  }
  UNROLL for (int r = 0; r < ROWS; r++) {
    const vfloat factor = splat(factors[r * factor_stride]), before = splat(rescale[r]);
    const vfloat constant =
        splat(element == ATTN_ELEMENT_INT4 ? constants[r * factor_stride] : 0);
    UNROLL for (int v = 0; v < VECTORS; v++) {
      vint sum[2];
      order_sums(element, sums[r][2 * v], sums[r][2 * v + 1], sum, sum + 1);
      UNROLL for (int h = 0; h < 2; h++) {
        float *to = c + r * c_stride + (2 * v + h) * LANES;
        const vfloat added = fma_vector(__builtin_convertvector(sum[h], vfloat), factor, constant);
        store(to, fma_vector(load(to), before, added));
      }
    }
  }
}

// Whether the sums of a whole group of columns stay in registers.
#define WHOLE_GROUP(ROWS) ((ROWS) * 2 * BLOCK_SHORTS <= VECTOR_REGISTERS - 4)

// A block of rows from `first` on.
INLINE void integer_values_rows(const int element, const int ROWS, int32_t first, const char *const *rows,
                                int32_t count, int64_t width, const integer_weights *w, float *c,
                                int64_t c_stride, const float *rescale, fetched_meanwhile fetch) {
  const int64_t groups = width / ATTN_GROUP, stride = groups * INTEGER_TOKENS;
  c += first * c_stride;
  rescale += first;
  for (int64_t g = 0; g < groups; g++) {
    const int64_t at = first * groups + g;
    const int16_t *weights = w->weights + at * INTEGER_TOKENS;
    const float *factors = w->factors + at, *constants = w->constants + at;
    const int64_t offset = g * block_bytes(element);
    if (WHOLE_GROUP(ROWS)) {
      integer_columns_of(element, ROWS, BLOCK_SHORTS, 0, rows, offset, count, weights, stride, factors,
                         constants, groups, c + g * ATTN_GROUP, c_stride, rescale, fetch);
      continue;
    }
    UNROLL for (int v = 0; v < BLOCK_SHORTS; v++) {
      integer_columns_of(element, ROWS, 1, v, rows, offset, count, weights, stride, factors, constants,
                         groups, c + g * ATTN_GROUP + v * SHORTS, c_stride, rescale, fetch);
    }
  }
}

#define INTEGER_VALUES_CASE(ROWS)                                                                        \
  case ROWS:                                                                                             \
    integer_values_rows(element, ROWS, first, tokens, count, width, w, c, c_stride, rescale, fetch);  \
    break;

INLINE void integer_values_element(const int element, int32_t rows, const char *const *tokens,
                                   int32_t count, int64_t width, const integer_weights *w, float *c,
                                   int64_t c_stride, const float *rescale, fetched_meanwhile fetch) {
  const int block = even_block(rows, INTEGER_ROWS);
  for (int32_t first = 0; first < rows; first += block) {
    switch (rows - first < block ? rows - first : block) {
      INTEGER_VALUES_CASE(1)
      INTEGER_VALUES_CASE(2)
      INTEGER_VALUES_CASE(3)
      INTEGER_VALUES_CASE(4)
      INTEGER_VALUES_CASE(5)
      INTEGER_VALUES_CASE(6)
      default: break;
    }
  }
}

// Looks at the memory this often by rows: see row_prefetcher.
INLINE int64_t integer_value_passes(int rows, int64_t width) {
  const int block = even_block(rows, INTEGER_ROWS), blocks = (rows + block - 1) / block;
  return width / ATTN_GROUP * (WHOLE_GROUP(block) ? 1 : BLOCK_SHORTS) * blocks;
}

// c = rescale * c + weights * values over tokens begin ..< end of a tile, whose row addresses are
// readable two further; `scales` are the tile's.
static void integer_values(int element, int32_t rows, const char *const *tokens, int32_t begin,
                           int32_t end, int64_t width, const float *weights,
                           const tile_scales *scales, integer_weights *w, float *c,
                           int64_t c_stride, const float *rescale, fetched_meanwhile fetch) {
  const int64_t groups = width / ATTN_GROUP;
  const int32_t count = end - begin;
  if (count <= 0) {
    for (int32_t r = 0; r < rows; r++) {
      for (int64_t i = 0; i < width; i++) c[r * c_stride + i] *= rescale[r];
    }
    return;
  }
  tokens += begin;
  weights += begin;
  if (fetch.by_line) fetch.by_line += begin;
  if (element == ATTN_ELEMENT_INT4) {
    round_weights_of(ATTN_ELEMENT_INT4, weights, rows, begin, count, groups, scales, w);
    integer_values_element(ATTN_ELEMENT_INT4, rows, tokens, count, width, w, c, c_stride, rescale,
                           fetch);
  } else {
    round_weights_of(ATTN_ELEMENT_INT8, weights, rows, begin, count, groups, scales, w);
    integer_values_element(ATTN_ELEMENT_INT8, rows, tokens, count, width, w, c, c_stride, rescale,
                           fetch);
  }
}
