// Scores of few query rows against INT8 and INT4 keys: q . (s n + z) is s (q . n) + z sum(q), group
// by group, with q rounded to 16 bits (a factor a row): at most 1 / 65,534 of the row's largest
// element, or 1 / 65,278 in builds that multiply bytes (integer_quads.h), where the codec itself is off by up to 1 / 254
// of a group's.

typedef struct integer_queries {
  _Alignas(64) int16_t rows[MOST_INTEGER_ROWS * MOST_ROW_GROUPS * ATTN_GROUP];  // key_width apart
  float factors[MOST_INTEGER_ROWS];        // of a row's integers
  float sums[MOST_INTEGER_ROWS * MOST_ROW_GROUPS];  // of a group's integers
} integer_queries;

static void round_queries(const attn_queries *queries, int element, int64_t width, integer_queries *out,
                          quad_scratch *quads) {
  for (int32_t r = 0; r < queries->rows; r++) {
    const float *q = queries->queries + r * queries->query_stride;
    vint largest = {0};
    for (int64_t i = 0; i < width; i += LANES) largest = larger_magnitude(largest, load(q + i));
    const float most = largest_of(largest);
    const vfloat factor = splat(to_shorts(most) * (MOST_QUERY / 32767.0f));
    out->factors[r] = from_shorts(most) * (32767.0f / MOST_QUERY);
    int16_t *row = out->rows + r * width;
    for (int64_t i = 0; i < width; i += LANES) store_shorts(row + i, load(q + i) * factor);
    for (int64_t g = 0; g < width / ATTN_GROUP; g++) {
      int32_t sum = 0;
      for (int64_t i = 0; i < ATTN_GROUP; i++) sum += row[g * ATTN_GROUP + i];
      out->sums[r * MOST_ROW_GROUPS + g] = (float)sum;
    }
  }
  quads->quads = quads_of(element, queries->rows, width);
#if BYTE_PRODUCTS
  split_query_bytes(out->rows, queries->rows, width, quads->quads, quads->queries);
#endif
}

enum { INTEGER_STEP = 4 };

// out[r * out_stride + t] = sum over groups of scale (q . n), for INTEGER_STEP rows of keys. One row of
// keys at a time, so that all sums stay in registers and queries are operands in memory. `next`: rows whose
// lines are fetched meanwhile, or NULL.
INLINE void integer_dots_of(const int element, const int ROWS, const int16_t *q, int64_t first,
                            int64_t width, const char *const *keys, const float *scales, const char *const *next,
                            float *out, int64_t out_stride) {
  vfloat totals[INTEGER_ROWS * INTEGER_STEP];
#pragma clang loop unroll(disable)
  for (int t = 0; t < INTEGER_STEP; t++) {
    vfloat sums[INTEGER_ROWS];
    UNROLL for (int r = 0; r < ROWS; r++) sums[r] = splat(0);
    const char *block = keys[t] + first / ATTN_GROUP * block_bytes(element);
    const int16_t *x = q + first;
    const float *scale = scales + first / ATTN_GROUP * INTEGER_TOKENS + t;
    for (int64_t i = first; i < width; i += ATTN_GROUP) {
      if (next) prefetch_lines(next + t, 1, block - keys[t], 1);
      vshort n[BLOCK_SHORTS];
      UNROLL for (int v = 0; v < BLOCK_SHORTS; v++) n[v] = load_shorts(element, block, v);
      const vfloat s = splat(*scale);
      UNROLL for (int r = 0; r < ROWS; r++) {
        vint dot = multiply_pairs(n[0], *(const vshort_any *)(x + r * width));
        UNROLL for (int v = 1; v < BLOCK_SHORTS; v++) {
          dot += multiply_pairs(n[v], *(const vshort_any *)(x + r * width + v * SHORTS));
        }
        sums[r] = fma_vector(__builtin_convertvector(dot, vfloat), s, sums[r]);
      }
      block += block_bytes(element);
      x += ATTN_GROUP;
      scale += INTEGER_TOKENS;
    }
    UNROLL for (int r = 0; r < ROWS; r++) totals[r * INTEGER_STEP + t] = sums[r];
  }
  store_dots(ROWS, INTEGER_STEP, totals, out, out_stride);
}

// Elements of a row from `first` on.
INLINE void integer_scores_rows(const int element, const int ROWS, const int16_t *q, int64_t first,
                                int64_t width, const char *const *keys, int32_t count, const float *scales,
                                fetched_rows fetch, float *out) {
  for (int32_t t = 0; t < count; t += INTEGER_STEP) {
    const char *const *next = fetch.rows ? fetch.rows + t : NULL;
    if (next && !FETCHES_BY_LINE) {
      const int64_t skipped = first / ATTN_GROUP * block_bytes(element);
      for (int j = 0; j < INTEGER_STEP; j++) prefetch_row(next[j] + skipped, fetch.row_bytes - skipped);
      next = NULL;
    }
    integer_dots_of(element, ROWS, q, first, width, keys + t, scales + t, next, out + t, ATTN_TILE_TOKENS);
  }
}

#define INTEGER_SCORES_CASE(ROWS)                                                              \
  case ROWS:                                                                                   \
    integer_scores_rows(element, ROWS, q, first, width, keys, count, scales->scales, fetch, out);      \
    break;

INLINE void integer_scores_element(const int element, int rows, const int16_t *q, int64_t first,
                                   int64_t width, const char *const *keys, int32_t count,
                                   const tile_scales *scales, fetched_rows fetch, float *out) {
  switch (rows) {
    INTEGER_SCORES_CASE(1)
    INTEGER_SCORES_CASE(2)
    INTEGER_SCORES_CASE(3)
    INTEGER_SCORES_CASE(4)
    INTEGER_SCORES_CASE(5)
    INTEGER_SCORES_CASE(6)
    default: break;
  }
}

// Scores of a tile, rows ATTN_TILE_TOKENS apart; those past the tile's tokens are arbitrary.
static void integer_scores(int element, int32_t rows, const integer_queries *q, int64_t width,
                           const char *const *keys, int32_t count, const tile_scales *scales,
                           quad_scratch *quads, fetched_rows fetch, float *out) {
  const bool has_zeros = element == ATTN_ELEMENT_INT4;
  const int64_t first = quads->quads * QUAD;
  const int block = even_block(rows, INTEGER_ROWS);
  for (int32_t r = 0; r < rows && first < width; r += block) {
    const int n = rows - r < block ? rows - r : block;
    const fetched_rows fetched = r ? (fetched_rows){0} : fetch;
    const int16_t *integers = q->rows + r * width;
    float *to = out + r * ATTN_TILE_TOKENS;
    if (has_zeros) {
      integer_scores_element(ATTN_ELEMENT_INT4, n, integers, first, width, keys, count, scales, fetched, to);
    } else {
      integer_scores_element(ATTN_ELEMENT_INT8, n, integers, first, width, keys, count, scales, fetched, to);
    }
  }
#if BYTE_PRODUCTS
  if (first > 0) {
    interleave_scales(scales, count, quads->quads, quads->scales);
    if (has_zeros) {
      quad_scores_element(ATTN_ELEMENT_INT4, rows, quads, first < width, keys, count, fetch.rows, out);
    } else {
      quad_scores_element(ATTN_ELEMENT_INT8, rows, quads, first < width, keys, count, fetch.rows, out);
    }
  }
#endif
  // Sums of queries times INT4's zeros, or times what INT8's numbers got added in quads.
  const int64_t groups = has_zeros ? width / ATTN_GROUP : first / ATTN_GROUP;
  const float *constants = has_zeros ? scales->zeros : scales->scales;
  for (int32_t r = 0; r < rows; r++) {
    const vfloat factor = splat(q->factors[r]);
    float *row = out + r * ATTN_TILE_TOKENS;
    for (int32_t t = 0; t < count; t += LANES) {
      vfloat score = load(row + t);
      for (int64_t g = 0; g < groups; g++) {
        const float sum = q->sums[r * MOST_ROW_GROUPS + g] * (has_zeros ? 1 : -BYTE_OFFSET);
        score = fma_vector(splat(sum), load(constants + g * INTEGER_TOKENS + t), score);
      }
      store(row + t, score * factor);
    }
  }
}
