// The value product of many query rows over INT8 and INT4 values: what integer_values.h computes, one
// group of 32 columns after the other, so that a tile's integers and weights of the group lie in the
// first-level cache.

enum {
  GROUP_PAIR_SHORTS = 2 * ATTN_GROUP,  // a pair of tokens' integers of a group
  INTEGER_PANEL_ROWS = 12,             // of a block: 24 vectors of sums
  PAIR_CHUNK = 8,                      // pairs of tokens between two looks at the memory
};

// The integers of a group of columns, `offset` bytes into each row, two tokens side by side.
INLINE void pair_columns_of(const int element, const char *const *rows, int64_t offset, int32_t pairs,
                            int16_t *out) {
  for (int32_t p = 0; p < pairs; p++, out += GROUP_PAIR_SHORTS) {
    const char *one = rows[2 * p] + offset, *two = rows[2 * p + 1] + offset;
    vshort low, high;
    load_token_pairs(element, one, two, 0, &low, &high);
    *(vshort_any *)out = low;
    *(vshort_any *)(out + SHORTS) = high;
  }
}

static void pair_columns(int element, const char *const *rows, int64_t group, int32_t pairs, int16_t *out) {
  if (element == ATTN_ELEMENT_INT4) {
    pair_columns_of(ATTN_ELEMENT_INT4, rows, group * ATTN_INT4_GROUP_BYTES, pairs, out);
  } else {
    pair_columns_of(ATTN_ELEMENT_INT8, rows, group * ATTN_INT8_GROUP_BYTES, pairs, out);
  }
}

// c = rescale * c + weights * values over a group of columns of ROWS rows, from row `first` of the block on.
INLINE void integer_panel_columns_of(int element, const int ROWS, int32_t first, const int16_t *values, int32_t pairs,
                                     const integer_panel_weights *weights, float *c, int64_t c_stride,
                                     const float *rescale, prefetcher *prefetch) {
  // The sums may lie further away than the first-level cache.
  UNROLL for (int r = 0; r < ROWS; r++) {
    UNROLL for (int v = 0; v < 2; v++) __builtin_prefetch(c + r * c_stride + v * LANES, 1, 3);
  }
  vint sums[INTEGER_PANEL_ROWS][2];
  UNROLL for (int r = 0; r < ROWS; r++) sums[r][0] = sums[r][1] = (vint){0};
  const int32_t *w = weights->pairs + first;
  for (int32_t chunk = 0; chunk < pairs; chunk += PAIR_CHUNK) {
    prefetch_some(prefetch);
    const int32_t end = chunk + PAIR_CHUNK < pairs ? chunk + PAIR_CHUNK : pairs;
#pragma clang loop unroll(disable)
    for (int32_t p = chunk; p < end; p++, w += ATTN_ROW_BLOCK, values += GROUP_PAIR_SHORTS) {
      const vshort low = *(const vshort_any *)values, high = *(const vshort_any *)(values + SHORTS);
      UNROLL for (int r = 0; r < ROWS; r++) {
        const vshort x = (vshort)((vint){0} + w[r]);
        sums[r][0] = add_pairs(sums[r][0], low, x);
        sums[r][1] = add_pairs(sums[r][1], high, x);
      }
    }
  }
  UNROLL for (int r = 0; r < ROWS; r++) {
    const vfloat factor = splat(weights->factors[first + r]), constant = splat(weights->constants[first + r]);
    const vfloat before = splat(rescale[r]);
    vint sum[2];
    order_sums(element, sums[r][0], sums[r][1], sum, sum + 1);
    UNROLL for (int v = 0; v < 2; v++) {
      float *to = c + r * c_stride + v * LANES;
      const vfloat added = fma_vector(__builtin_convertvector(sum[v], vfloat), factor, constant);
      store(to, fma_vector(load(to), before, added));
    }
  }
}

#define INTEGER_PANEL_CASE(ROWS)                                                                            \
  case ROWS:                                                                                                \
    integer_panel_columns_of(element, ROWS, first, values, pairs, weights, to, c_stride, rescale + first, prefetch); \
    break;

// The same for all `rows` of a block of rows.
static void integer_panel_columns(int element, int32_t rows, const int16_t *values, int32_t pairs,
                                  const integer_panel_weights *weights, float *c, int64_t c_stride,
                                  const float *rescale, prefetcher *prefetch) {
  const int block = even_block(rows, INTEGER_PANEL_ROWS);
  for (int32_t first = 0; first < rows; first += block) {
    float *to = c + first * c_stride;
    switch (rows - first < block ? rows - first : block) {
      INTEGER_PANEL_CASE(1)
      INTEGER_PANEL_CASE(2)
      INTEGER_PANEL_CASE(3)
      INTEGER_PANEL_CASE(4)
      INTEGER_PANEL_CASE(5)
      INTEGER_PANEL_CASE(6)
      INTEGER_PANEL_CASE(7)
      INTEGER_PANEL_CASE(8)
      INTEGER_PANEL_CASE(9)
      INTEGER_PANEL_CASE(10)
      INTEGER_PANEL_CASE(11)
      INTEGER_PANEL_CASE(12)
      default: break;
    }
  }
}

// Times that a group of columns looks at the memory.
INLINE int64_t integer_panel_looks(int32_t rows, int32_t pairs) {
  const int block = even_block(rows, INTEGER_PANEL_ROWS);
  return (int64_t)((rows + block - 1) / block) * ((pairs + PAIR_CHUNK - 1) / PAIR_CHUNK);
}
