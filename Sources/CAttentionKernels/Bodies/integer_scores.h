// Scores of few query rows against INT8 and INT4 keys: q . (s n + z) is s (q . n) + z sum(q), group
// by group, with q rounded to 16 bits (a factor a row): at most 1 / 65,534 of the row's largest
// element, where the codec itself is off by up to 1 / 254 of a group's.

typedef struct integer_queries {
  _Alignas(64) int16_t rows[MOST_INTEGER_ROWS * MOST_ROW_GROUPS * ATTN_GROUP];  // key_width apart
  float factors[MOST_INTEGER_ROWS];        // of a row's integers
  float sums[MOST_INTEGER_ROWS * MOST_ROW_GROUPS];  // of a group's integers
} integer_queries;

static void round_queries(const attn_queries *queries, int64_t width, integer_queries *out) {
  for (int32_t r = 0; r < queries->rows; r++) {
    const float *q = queries->queries + r * queries->query_stride;
    vint largest = {0};
    for (int64_t i = 0; i < width; i += LANES) largest = larger_magnitude(largest, load(q + i));
    const float most = largest_of(largest);
    const vfloat factor = splat(to_shorts(most));
    out->factors[r] = from_shorts(most);
    int16_t *row = out->rows + r * width;
    for (int64_t i = 0; i < width; i += LANES) store_shorts(row + i, load(q + i) * factor);
    for (int64_t g = 0; g < width / ATTN_GROUP; g++) {
      int32_t sum = 0;
      for (int64_t i = 0; i < ATTN_GROUP; i++) sum += row[g * ATTN_GROUP + i];
      out->sums[r * MOST_ROW_GROUPS + g] = (float)sum;
    }
  }
}

enum { INTEGER_STEP = 4 };

// out[r * out_stride + t] = sum over groups of scale (q . n), for INTEGER_STEP rows of keys. One row of
// keys at a time, so that all sums stay in registers and queries are operands in memory. `next`: rows whose
// lines are fetched meanwhile, or NULL.
INLINE void integer_dots_of(const int element, const int ROWS, const int16_t *q, int64_t width,
                            const char *const *keys, const float *scales, const char *const *next,
                            float *out, int64_t out_stride) {
  vfloat totals[INTEGER_ROWS * INTEGER_STEP];
#pragma clang loop unroll(disable)
  for (int t = 0; t < INTEGER_STEP; t++) {
    vfloat sums[INTEGER_ROWS];
    UNROLL for (int r = 0; r < ROWS; r++) sums[r] = splat(0);
    const char *block = keys[t];
    const int16_t *x = q;
    const float *scale = scales + t;
    for (int64_t i = 0; i < width; i += ATTN_GROUP) {
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

INLINE void integer_scores_rows(const int element, const int ROWS, const int16_t *q, int64_t width,
                                const char *const *keys, int32_t count, const float *scales,
                                fetched_rows fetch, float *out) {
  for (int32_t t = 0; t < count; t += INTEGER_STEP) {
    const char *const *next = fetch.rows ? fetch.rows + t : NULL;
    if (next && !fetches_by_line(element)) {
      for (int j = 0; j < INTEGER_STEP; j++) prefetch_row(next[j], fetch.row_bytes);
      next = NULL;
    }
    integer_dots_of(element, ROWS, q, width, keys + t, scales + t, next, out + t, ATTN_TILE_TOKENS);
  }
}

#define INTEGER_SCORES_CASE(ROWS)                                                              \
  case ROWS:                                                                                   \
    integer_scores_rows(element, ROWS, q, width, keys, count, scales->scales, fetch, out);      \
    break;

INLINE void integer_scores_element(const int element, int rows, const int16_t *q, int64_t width,
                                   const char *const *keys, int32_t count,
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
                           fetched_rows fetch, float *out) {
  const int block = even_block(rows, INTEGER_ROWS);
  for (int32_t r = 0; r < rows; r += block) {
    const int n = rows - r < block ? rows - r : block;
    const fetched_rows fetched = r ? (fetched_rows){0} : fetch;
    float *to = out + r * ATTN_TILE_TOKENS;
    if (element == ATTN_ELEMENT_INT4) {
      integer_scores_element(ATTN_ELEMENT_INT4, n, q->rows + r * width, width, keys, count, scales, fetched, to);
    } else {
      integer_scores_element(ATTN_ELEMENT_INT8, n, q->rows + r * width, width, keys, count, scales, fetched, to);
    }
  }
  const int64_t groups = element == ATTN_ELEMENT_INT4 ? width / ATTN_GROUP : 0;
  for (int32_t r = 0; r < rows; r++) {
    const vfloat factor = splat(q->factors[r]);
    float *row = out + r * ATTN_TILE_TOKENS;
    for (int32_t t = 0; t < count; t += LANES) {
      vfloat score = load(row + t);
      for (int64_t g = 0; g < groups; g++) {
        score = fma_vector(splat(q->sums[r * MOST_ROW_GROUPS + g]),
                           load(scales->zeros + g * INTEGER_TOKENS + t), score);
      }
      store(row + t, score * factor);
    }
  }
}
