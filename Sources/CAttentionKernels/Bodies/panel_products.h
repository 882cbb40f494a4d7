// The products of attention of many query rows (MQA, MLA, prefill), over rows in float32.
//
// Query rows are packed once a call into panels of two vectors of rows, element after element, so
// that scores are sums of (key element broadcast) x (vector of rows): neither a transposed tile nor
// lane sums are needed, and scores come out token by token with rows side by side. The softmax is
// then vertical, and its weights are what the value product broadcasts.

enum {
  PANEL_VECTORS = 2,
  PANEL_ROWS = PANEL_VECTORS * LANES,
  // Tokens of a block of scores with two vectors of rows; with one it takes twice as many.
  PANEL_TOKENS = VECTOR_REGISTERS == 32 ? 12 : 6,
  // Elements of a row that a block of scores takes at a time: their panel of queries stays in the
  // first-level cache.
  PANEL_DEPTH = 4096 / PANEL_ROWS,
  PANEL_VALUE_ROWS = VECTOR_REGISTERS == 32 ? 8 : 6,
  PANEL_VALUE_VECTORS = VECTOR_REGISTERS == 32 ? 4 : 2,
};

// Rows of a block of values with so many vectors of columns.
#define PANEL_ROWS_OF_VALUES(vectors) ((vectors) == 4 ? 6 : PANEL_VALUE_ROWS)

// Vectors that the panel from row `first` of `rows` has.
INLINE int panel_vectors(int32_t rows, int32_t first) { return rows - first > LANES ? 2 : 1; }

// Panels of the scaled query rows: row first + v * LANES + j of a panel of n vectors has element i at
// out[first * width + (i * n + v) * LANES + j]; rows past the last one are zeros.
static void pack_queries(const attn_queries *queries, int64_t width, float *out) {
  for (int32_t first = 0; first < queries->rows; first += PANEL_ROWS) {
    const int vectors = panel_vectors(queries->rows, first);
    float *panel = out + first * width;
    for (int v = 0; v < vectors; v++) {
      for (int64_t i = 0; i < width; i += LANES) {
        const int64_t left = width - i;
        vfloat block[LANES];
        for (int j = 0; j < LANES; j++) {
          const int32_t row = first + v * LANES + j;
          const float *q = queries->queries + (row < queries->rows ? row : 0) * queries->query_stride;
          block[j] = row >= queries->rows ? splat(0)
                     : left >= LANES      ? load(q + i)
                                          : load_element_tail(ATTN_ELEMENT_F32, (const char *)q, i,
                                                              left);
        }
        transpose(block);
        for (int j = 0; j < LANES && j < left; j++) {
          store(panel + ((i + j) * vectors + v) * LANES, block[j] * splat(queries->scale));
        }
      }
    }
  }
}

// scores[t * stride + v * LANES ...] = (first ? 0 : scores) + sum_i keys[t][i] * queries[i][v] for
// TOKENS rows of keys, `key_stride` floats apart.
INLINE void panel_scores_of(const int VECTORS, const int TOKENS, const float *keys,
                            int64_t key_stride, const float *queries, int64_t depth, bool first,
                            float *scores, int64_t stride) {
  vfloat sums[2 * PANEL_TOKENS];
  UNROLL for (int t = 0; t < TOKENS; t++) {
    UNROLL for (int v = 0; v < VECTORS; v++) {
      sums[t * VECTORS + v] = first ? splat(0) : load(scores + t * stride + v * LANES);
    }
  }
  // Elements at a time where registers are left: the more, the fewer addresses are computed.
  const int STEP = VECTOR_REGISTERS == 32 ? 4 / VECTORS : 1;
  int64_t i = 0;
  for (; STEP > 1 && i + STEP <= depth; i += STEP) {
    vfloat q[4];
    UNROLL for (int j = 0; j < STEP * VECTORS; j++) q[j] = load(queries + (i * VECTORS + j) * LANES);
    const float *key = keys + i;
    UNROLL for (int t = 0; t < TOKENS; t++, key += key_stride) {
      UNROLL for (int j = 0; j < STEP; j++) {
        const vfloat k = splat(key[j]);
        UNROLL for (int v = 0; v < VECTORS; v++) {
          sums[t * VECTORS + v] = fma_vector(k, q[j * VECTORS + v], sums[t * VECTORS + v]);
        }
      }
    }
  }
  // One pointer for three rows: with the stride and twice the stride as indices.
  const float *base[(2 * PANEL_TOKENS + 2) / 3];
  UNROLL for (int t = 0; t < TOKENS; t += 3) base[t / 3] = keys + t * key_stride;
  for (; i < depth; i++) {
    vfloat q[PANEL_VECTORS];
    UNROLL for (int v = 0; v < VECTORS; v++) q[v] = load(queries + (i * VECTORS + v) * LANES);
    UNROLL for (int t = 0; t < TOKENS; t++) {
      const vfloat k = splat(base[t / 3][t % 3 * key_stride + i]);
      UNROLL for (int v = 0; v < VECTORS; v++) {
        sums[t * VECTORS + v] = fma_vector(k, q[v], sums[t * VECTORS + v]);
      }
    }
  }
  UNROLL for (int t = 0; t < TOKENS; t++) {
    UNROLL for (int v = 0; v < VECTORS; v++) {
      store(scores + t * stride + v * LANES, sums[t * VECTORS + v]);
    }
  }
}

// All tokens of a tile (its rows readable up to the next multiple of 2 * PANEL_TOKENS) against one
// panel of queries.
static void panel_scores(int vectors, const float *keys, int64_t key_stride, int32_t count,
                         const float *queries, int64_t depth, bool first, float *scores,
                         int64_t stride, prefetcher *prefetch) {
  const int tokens = vectors == 1 ? 2 * PANEL_TOKENS : PANEL_TOKENS;
  for (int32_t t = 0; t < count; t += tokens) {
    prefetch_some(prefetch);
    const float *rows = keys + t * key_stride;
    float *out = scores + t * stride;
    if (vectors == 1) {
      panel_scores_of(1, 2 * PANEL_TOKENS, rows, key_stride, queries, depth, first, out, stride);
    } else {
      panel_scores_of(2, PANEL_TOKENS, rows, key_stride, queries, depth, first, out, stride);
    }
  }
}

// c = rescale * c + sum over tokens begin ..< end of weights[t][row] * values[t].
INLINE void panel_values_of(const int ROWS, const int VECTORS, const float *weights,
                            int64_t weight_stride, const float *values, int64_t value_stride,
                            int32_t begin, int32_t end, float *c, int64_t c_stride,
                            const float *rescale) {
  vfloat sums[PANEL_VALUE_ROWS * PANEL_VALUE_VECTORS];
  UNROLL for (int r = 0; r < ROWS; r++) {
    const vfloat factor = splat(rescale[r]);
    UNROLL for (int v = 0; v < VECTORS; v++) {
      sums[r * VECTORS + v] = load(c + r * c_stride + v * LANES) * factor;
    }
  }
  const float *w = weights + begin * weight_stride;
  const float *row = values + begin * value_stride;
  for (int32_t t = begin; t < end; t++, w += weight_stride, row += value_stride) {
    vfloat y[PANEL_VALUE_VECTORS];
    UNROLL for (int v = 0; v < VECTORS; v++) y[v] = load(row + v * LANES);
    UNROLL for (int r = 0; r < ROWS; r++) {
      const vfloat x = splat(w[r]);
      UNROLL for (int v = 0; v < VECTORS; v++) {
        sums[r * VECTORS + v] = fma_vector(x, y[v], sums[r * VECTORS + v]);
      }
    }
  }
  UNROLL for (int r = 0; r < ROWS; r++) {
    UNROLL for (int v = 0; v < VECTORS; v++) {
      store(c + r * c_stride + v * LANES, sums[r * VECTORS + v]);
    }
  }
}

#define PANEL_VALUE_CASE(ROWS, VECTORS)                                                         \
  case ROWS * 8 + VECTORS:                                                                      \
    if (VECTORS > PANEL_VALUE_VECTORS || ROWS > PANEL_ROWS_OF_VALUES(VECTORS)) break;           \
    panel_values_of(ROWS, VECTORS, weights, weight_stride, values, value_stride, begin, end, c, \
                    c_stride, rescale);                                                         \
    break;
#define PANEL_VALUE_CASES(ROWS)                           \
  PANEL_VALUE_CASE(ROWS, 1) PANEL_VALUE_CASE(ROWS, 2)     \
  PANEL_VALUE_CASE(ROWS, 3) PANEL_VALUE_CASE(ROWS, 4)

static void panel_value_block(int rows, int vectors, const float *weights, int64_t weight_stride,
                              const float *values, int64_t value_stride, int32_t begin,
                              int32_t end, float *c, int64_t c_stride, const float *rescale) {
  switch (rows * 8 + vectors) {
    PANEL_VALUE_CASES(1)
    PANEL_VALUE_CASES(2)
    PANEL_VALUE_CASES(3)
    PANEL_VALUE_CASES(4)
    PANEL_VALUE_CASES(5)
    PANEL_VALUE_CASES(6)
#if VECTOR_REGISTERS == 32
    PANEL_VALUE_CASES(7)
    PANEL_VALUE_CASES(8)
#endif
    default: break;
  }
}

INLINE int32_t panel_value_row_blocks(int32_t rows, int vectors) {
  return (rows + PANEL_ROWS_OF_VALUES(vectors) - 1) / PANEL_ROWS_OF_VALUES(vectors);
}

// Blocks that panel_values takes.
INLINE int64_t panel_value_blocks(int32_t rows, int64_t width) {
  const int64_t whole = width / LANES, full = whole / PANEL_VALUE_VECTORS;
  const int left = (int)(whole - full * PANEL_VALUE_VECTORS);
  return full * panel_value_row_blocks(rows, PANEL_VALUE_VECTORS) +
         (left ? panel_value_row_blocks(rows, left) : 0) +
         (width % LANES ? panel_value_row_blocks(rows, 1) : 0);
}

// The value product of `rows` query rows over tokens begin ..< end of a tile; the tile's rows are
// readable up to the next multiple of LANES.
static void panel_values(const float *weights, int64_t weight_stride, const float *values,
                         int64_t value_stride, int32_t begin, int32_t end, int32_t rows,
                         int64_t width, float *accumulator, int64_t stride, const float *rescale,
                         prefetcher *prefetch) {
  const int64_t whole = width / LANES;
  for (int64_t v = 0; v * LANES < width;) {
    const int64_t left = whole - v;
    const int take = left >= PANEL_VALUE_VECTORS ? PANEL_VALUE_VECTORS : left > 0 ? (int)left : 1;
    const int32_t blocks = panel_value_row_blocks(rows, take);
    for (int32_t b = 0; b < blocks; b++) {
      const int32_t first = rows * b / blocks, n = rows * (b + 1) / blocks - first;
      float *c = accumulator + first * stride + v * LANES;
      if (prefetch) prefetch_some(prefetch);
      if (left > 0) {
        // The block after this one, whose sums may lie further away than the first-level cache.
        const float *next = b + 1 < blocks ? c + n * stride : accumulator + (v + take) * LANES;
        UNROLL for (int r = 0; r < PANEL_VALUE_ROWS; r++) {
          __builtin_prefetch(next + (r < n ? r : 0) * stride, 1, 3);
        }
        panel_value_block(n, take, weights + first, weight_stride, values + v * LANES,
                          value_stride, begin, end, c, stride, rescale + first);
        continue;
      }
      // The columns that fill no vector go through sums of their own, so that nothing past the
      // accumulator's width is written.
      float sums[PANEL_VALUE_ROWS * LANES];
      const int64_t tail = width - v * LANES;
      for (int32_t r = 0; r < n; r++) {
        memcpy(sums + r * LANES, c + r * stride, sizeof(float) * (size_t)tail);
        for (int64_t j = tail; j < LANES; j++) sums[r * LANES + j] = 0;
      }
      panel_value_block(n, 1, weights + first, weight_stride, values + v * LANES, value_stride,
                        begin, end, sums, LANES, rescale + first);
      for (int32_t r = 0; r < n; r++) {
        memcpy(c + r * stride, sums + r * LANES, sizeof(float) * (size_t)tail);
      }
    }
    v += take;
  }
}
