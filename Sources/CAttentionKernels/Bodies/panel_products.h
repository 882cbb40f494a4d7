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

// Tokens of a block of scores.
INLINE int panel_tokens(int vectors) { return vectors == 1 && LANES != 16 ? 2 * PANEL_TOKENS : PANEL_TOKENS; }

// Whether a panel of one vector of rows holds two neighbouring elements of eight rows a vector instead, which
// are multiplied by both elements of a key at once: one broadcast serves two multiply-adds then, which
// otherwise take all loads that a cycle has.
enum { PAIRS_ELEMENTS = LANES == 16 };

// Panels of the scaled query rows: row first + v * LANES + j of a panel of n vectors has element i at
// out[first * width + (i * n + v) * LANES + j]; rows past the last one are zeros. In a panel of pairs row
// first + v * LANES / 2 + j has elements i and i + 1, i even, at out[first * width + (i + v) * LANES + 2 * j].
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
        if (vectors == 1 && PAIRS_ELEMENTS) {
          for (int j = 0; j < LANES; j++) {
            const vfloat row = block[j] * splat(queries->scale);
            float *to = panel + (i + j / (LANES / 2)) * LANES + j % (LANES / 2) * 2;
            UNROLL for (int k = 0; k < LANES; k += 2) {
              const float pair[2] = {row[k], row[k + 1]};
              if (k < left) memcpy(to + k * LANES, pair, sizeof pair);
            }
          }
          continue;
        }
        transpose(block);
        for (int j = 0; j < LANES && j < left; j++) {
          store(panel + ((i + j) * vectors + v) * LANES, block[j] * splat(queries->scale));
        }
      }
    }
  }
}

enum { SCORE_FEED_STEP = 4 };  // elements of a row between two calls of feed_panel

// Elements of a row that are multiplied at a time where registers are left: the more, the fewer addresses are
// computed.
#define PANEL_STEP(vectors) (VECTOR_REGISTERS == 32 ? 4 / (vectors) : 1)

// scores[t * stride + v * LANES ...] = (first ? 0 : scores) + sum_i keys[t][i] * queries[i][v] for
// TOKENS rows of keys, `key_stride` floats apart.
INLINE void panel_scores_of(const int element, const int VECTORS, const int TOKENS, const float *keys,
                            int64_t key_stride, const float *queries, int64_t depth, bool first,
                            float *scores, int64_t stride, panel_feed *feed) {
  vfloat sums[2 * PANEL_TOKENS];
  UNROLL for (int t = 0; t < TOKENS; t++) {
    UNROLL for (int v = 0; v < VECTORS; v++) {
      sums[t * VECTORS + v] = splat(0);
    }
  }
  // One pointer for three rows: with the stride and twice the stride as indices.
  const float *rows[(2 * PANEL_TOKENS + 2) / 3];
  UNROLL for (int t = 0; t < TOKENS; t += 3) rows[t / 3] = keys + t * key_stride;
  const int STEP = PANEL_STEP(VECTORS);
  int64_t i = 0;
  for (; STEP > 1 && i + SCORE_FEED_STEP <= depth; i += SCORE_FEED_STEP) {
    if (FETCHES_BY_LINE) feed_panel(element, feed);
    UNROLL for (int s = 0; s < SCORE_FEED_STEP; s += STEP) {
      vfloat q[4];
      UNROLL for (int j = 0; j < STEP * VECTORS; j++) q[j] = load(queries + ((i + s) * VECTORS + j) * LANES);
      UNROLL for (int t = 0; t < TOKENS; t++) {
        UNROLL for (int j = 0; j < STEP; j++) {
          const vfloat k = splat(rows[t / 3][t % 3 * key_stride + s + j]);
          UNROLL for (int v = 0; v < VECTORS; v++) {
            sums[t * VECTORS + v] = fma_vector(k, q[j * VECTORS + v], sums[t * VECTORS + v]);
          }
        }
      }
    }
    UNROLL for (int t = 0; t < TOKENS; t += 3) rows[t / 3] += SCORE_FEED_STEP;
  }
  for (; i < depth; i++) {
    vfloat q[PANEL_VECTORS];
    UNROLL for (int v = 0; v < VECTORS; v++) q[v] = load(queries + (i * VECTORS + v) * LANES);
    UNROLL for (int t = 0; t < TOKENS; t++) {
      const vfloat k = splat(rows[t / 3][t % 3 * key_stride]);
      UNROLL for (int v = 0; v < VECTORS; v++) {
        sums[t * VECTORS + v] = fma_vector(k, q[v], sums[t * VECTORS + v]);
      }
    }
    UNROLL for (int t = 0; t < TOKENS; t += 3) rows[t / 3]++;
  }
  UNROLL for (int t = 0; t < TOKENS; t++) {
    UNROLL for (int v = 0; v < VECTORS; v++) {
      float *to = scores + t * stride + v * LANES;
      store(to, first ? sums[t * VECTORS + v] : load(to) + sums[t * VECTORS + v]);
    }
  }
}

// The two floats at `p` in turn.
INLINE vfloat splat_pair(const float *p) {
  typedef uint64_t vpairs __attribute__((vector_size(LANES * 4)));
  uint64_t pair;
  memcpy(&pair, p, sizeof pair);
  return (vfloat)((vpairs){0} + pair);
}

// a[0] + a[1], a[2] + a[3], ..., then those of b.
INLINE vfloat add_neighbours(vfloat a, vfloat b) {
#if LANES == 16
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30) +
         __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#else
  vfloat sums;
  for (int j = 0; j < LANES / 2; j++) {
    sums[j] = a[2 * j] + a[2 * j + 1];
    sums[LANES / 2 + j] = b[2 * j] + b[2 * j + 1];
  }
  return sums;
#endif
}

// PAIRS pairs of elements of PANEL_TOKENS rows of keys.
INLINE void add_element_pairs(const int PAIRS, const float *keys, int64_t key_stride, const float *queries,
                      vfloat sums[PANEL_TOKENS][2]) {
  vfloat q[4];
  UNROLL for (int j = 0; j < 2 * PAIRS; j++) q[j] = load(queries + j * LANES);
  UNROLL for (int t = 0; t < PANEL_TOKENS; t++) {
    UNROLL for (int j = 0; j < PAIRS; j++) {
      const vfloat k = splat_pair(keys + t * key_stride + 2 * j);
      UNROLL for (int v = 0; v < 2; v++) sums[t][v] = fma_vector(k, q[2 * j + v], sums[t][v]);
    }
  }
}

// panel_scores_of for PANEL_TOKENS rows of keys and a panel of pairs.
INLINE void paired_scores_of(const int element, const float *keys, int64_t key_stride, const float *queries,
                             int64_t depth, bool first, float *scores, int64_t stride, panel_feed *feed) {
  vfloat sums[PANEL_TOKENS][2];
  UNROLL for (int t = 0; t < PANEL_TOKENS; t++) sums[t][0] = sums[t][1] = splat(0);
  int64_t i = 0;
  for (; i + SCORE_FEED_STEP <= depth; i += SCORE_FEED_STEP) {
    if (FETCHES_BY_LINE) feed_panel(element, feed);
    add_element_pairs(SCORE_FEED_STEP / 2, keys + i, key_stride, queries + i * LANES, sums);
  }
  for (; i + 2 <= depth; i += 2) add_element_pairs(1, keys + i, key_stride, queries + i * LANES, sums);
  if (i < depth) {
    // Rows of an odd width: nothing past their end.
    float last[PANEL_TOKENS][2];
    UNROLL for (int t = 0; t < PANEL_TOKENS; t++) {
      last[t][0] = keys[t * key_stride + i];
      last[t][1] = 0;
    }
    add_element_pairs(1, last[0], 2, queries + i * LANES, sums);
  }
  UNROLL for (int t = 0; t < PANEL_TOKENS; t++) {
    const vfloat sum = add_neighbours(sums[t][0], sums[t][1]);
    store(scores + t * stride, first ? sum : load(scores + t * stride) + sum);
  }
}

// All tokens of a tile (its rows readable up to the next multiple of 2 * PANEL_TOKENS) against one
// panel of queries, with the rows of `feed` as stored elements.
INLINE void panel_scores(const int element, int vectors, const float *keys, int64_t key_stride, int32_t count,
                         const float *queries, int64_t depth, bool first, float *scores,
                         int64_t stride, panel_feed *feed) {
  const int tokens = panel_tokens(vectors);
  for (int32_t t = 0; t < count; t += tokens) {
    if (!FETCHES_BY_LINE) prefetch_some(feed->prefetch);
    const float *rows = keys + t * key_stride;
    float *out = scores + t * stride;
    if (vectors == 1 && PAIRS_ELEMENTS) {
      paired_scores_of(element, rows, key_stride, queries, depth, first, out, stride, feed);
    } else if (vectors == 1) {
      panel_scores_of(element, 1, 2 * PANEL_TOKENS, rows, key_stride, queries, depth, first, out, stride, feed);
    } else {
      panel_scores_of(element, 2, PANEL_TOKENS, rows, key_stride, queries, depth, first, out, stride, feed);
    }
  }
}

// Steps of that, in which something can be fed.
INLINE int64_t panel_score_steps(int vectors, int32_t count, int64_t depth) {
  const int tokens = panel_tokens(vectors);
  const int64_t blocks = (count + tokens - 1) / tokens;
  return FETCHES_BY_LINE ? blocks * (depth / SCORE_FEED_STEP) : blocks;
}

// Tokens of a step of values.
enum { PANEL_VALUE_STEP = 4 };

// sums += weights[row] * values for one token.
INLINE void add_panel_token(const int ROWS, const int VECTORS, const float *weights, const float *values,
                            vfloat *sums) {
  vfloat y[PANEL_VALUE_VECTORS];
  UNROLL for (int v = 0; v < VECTORS; v++) y[v] = load(values + v * LANES);
  UNROLL for (int r = 0; r < ROWS; r++) {
    const vfloat x = splat(weights[r]);
    UNROLL for (int v = 0; v < VECTORS; v++) {
      sums[r * VECTORS + v] = fma_vector(x, y[v], sums[r * VECTORS + v]);
    }
  }
}

// c = rescale * c + sum over tokens begin ..< end of weights[t][row] * values[t].
INLINE void panel_values_of(const int element, const int ROWS, const int VECTORS, const float *weights,
                            int64_t weight_stride, const float *values, int64_t value_stride,
                            int32_t begin, int32_t end, float *c, int64_t c_stride,
                            const float *rescale, panel_feed *feed) {
  vfloat sums[PANEL_VALUE_ROWS * PANEL_VALUE_VECTORS];
  UNROLL for (int i = 0; i < ROWS * VECTORS; i++) sums[i] = splat(0);
  const float *w = weights + begin * weight_stride;
  const float *row = values + begin * value_stride;
  int32_t t = begin;
  if (FETCHES_BY_LINE && feed) {
#pragma clang loop unroll(disable)
    for (; t + PANEL_VALUE_STEP <= end; t += PANEL_VALUE_STEP) {
      feed_panel(element, feed);
      UNROLL for (int j = 0; j < PANEL_VALUE_STEP; j++, w += weight_stride, row += value_stride) {
        add_panel_token(ROWS, VECTORS, w, row, sums);
      }
    }
  }
  for (; t < end; t++, w += weight_stride, row += value_stride) add_panel_token(ROWS, VECTORS, w, row, sums);
  // Only now: nothing waits for what lies further away than the first-level cache.
  UNROLL for (int r = 0; r < ROWS; r++) {
    const vfloat factor = splat(rescale[r]);
    UNROLL for (int v = 0; v < VECTORS; v++) {
      float *to = c + r * c_stride + v * LANES;
      store(to, fma_vector(load(to), factor, sums[r * VECTORS + v]));
    }
  }
}

#define PANEL_VALUE_CASE(ROWS, VECTORS)                                                         \
  case ROWS * 8 + VECTORS:                                                                      \
    if (VECTORS > PANEL_VALUE_VECTORS || ROWS > PANEL_ROWS_OF_VALUES(VECTORS)) break;           \
    if (element != ATTN_ELEMENT_F32 && (VECTORS != 4 || ROWS < 4)) break;                       \
    panel_values_of(element, ROWS, VECTORS, weights, weight_stride, values, value_stride, begin, \
                    end, c, c_stride, rescale, feed);                                           \
    break;
#define PANEL_VALUE_CASES(ROWS)                           \
  PANEL_VALUE_CASE(ROWS, 1) PANEL_VALUE_CASE(ROWS, 2)     \
  PANEL_VALUE_CASE(ROWS, 3) PANEL_VALUE_CASE(ROWS, 4)

INLINE void panel_value_block(const int element, int rows, int vectors, const float *weights,
                              int64_t weight_stride, const float *values, int64_t value_stride,
                              int32_t begin, int32_t end, float *c, int64_t c_stride,
                              const float *rescale, panel_feed *feed) {
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

INLINE bool is_fed_in_values(int32_t rows, int64_t width) {
  return PANEL_VALUE_VECTORS == 4 && width % (4 * LANES) == 0 && rows / panel_value_row_blocks(rows, 4) >= 4;
}

// Steps of the value product, in which something can be fed.
INLINE int64_t panel_value_steps(int32_t rows, int64_t width, int32_t count) {
  return panel_value_blocks(rows, width) * (FETCHES_BY_LINE ? count / PANEL_VALUE_STEP : 1);
}

// The value product of `rows` query rows over tokens begin ..< end of a tile; the tile's rows are
// readable up to the next multiple of LANES. `feed` may be NULL. So that fewer products need compiling, its rows
// are of float32 but where all blocks are four to six rows by four vectors: see is_fed_in_values.
INLINE void panel_values(const int element, const float *weights, int64_t weight_stride, const float *values,
                         int64_t value_stride, int32_t begin, int32_t end, int32_t rows,
                         int64_t width, float *accumulator, int64_t stride, const float *rescale,
                         panel_feed *feed) {
  const int64_t whole = width / LANES;
  for (int64_t v = 0; v * LANES < width;) {
    const int64_t left = whole - v;
    const int take = left >= PANEL_VALUE_VECTORS ? PANEL_VALUE_VECTORS : left > 0 ? (int)left : 1;
    const int32_t blocks = panel_value_row_blocks(rows, take);
    for (int32_t b = 0; b < blocks; b++) {
      const int32_t first = rows * b / blocks, n = rows * (b + 1) / blocks - first;
      float *c = accumulator + first * stride + v * LANES;
      if (!FETCHES_BY_LINE && feed) prefetch_some(feed->prefetch);
      if (left > 0) {
        panel_value_block(element, n, take, weights + first, weight_stride, values + v * LANES,
                          value_stride, begin, end, c, stride, rescale + first, feed);
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
      panel_value_block(ATTN_ELEMENT_F32, n, 1, weights + first, weight_stride, values + v * LANES,
                        value_stride, begin, end, sums, LANES, rescale + first, feed);
      for (int32_t r = 0; r < n; r++) {
        memcpy(c + r * stride, sums + r * LANES, sizeof(float) * (size_t)tail);
      }
    }
    v += take;
  }
}
