// Attention of many query rows (MQA, MLA, prefill): both halves are matrix products over a tile of
// tokens that is widened to float32 once.
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
  PANEL_VALUE_VECTORS = VECTOR_REGISTERS == 32 ? 3 : 2,
  // From so many query rows on this is faster than reading rows in place.
  PANEL_LEAST_ROWS = VECTOR_REGISTERS == 32 ? 8 : 7,
};

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
  // One pointer for three rows: with the stride and twice the stride as indices.
  const float *base[(2 * PANEL_TOKENS + 2) / 3];
  UNROLL for (int t = 0; t < TOKENS; t += 3) base[t / 3] = keys + t * key_stride;
  for (int64_t i = 0; i < depth; i++) {
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
  case ROWS * 4 + VECTORS:                                                                      \
    panel_values_of(ROWS, VECTORS, weights, weight_stride, values, value_stride, begin, end, c, \
                    c_stride, rescale);                                                         \
    break;
#if VECTOR_REGISTERS == 32
#define PANEL_VALUE_CASES(ROWS) \
  PANEL_VALUE_CASE(ROWS, 1) PANEL_VALUE_CASE(ROWS, 2) PANEL_VALUE_CASE(ROWS, 3)
#else
#define PANEL_VALUE_CASES(ROWS) PANEL_VALUE_CASE(ROWS, 1) PANEL_VALUE_CASE(ROWS, 2)
#endif

static void panel_value_block(int rows, int vectors, const float *weights, int64_t weight_stride,
                              const float *values, int64_t value_stride, int32_t begin,
                              int32_t end, float *c, int64_t c_stride, const float *rescale) {
  switch (rows * 4 + vectors) {
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

// The value product of `rows` query rows over tokens begin ..< end of a tile; the tile's rows are
// readable up to the next multiple of LANES.
static void panel_values(const float *weights, int64_t weight_stride, const float *values,
                         int64_t value_stride, int32_t begin, int32_t end, int32_t rows,
                         int64_t width, float *accumulator, int64_t stride, const float *rescale,
                         prefetcher *prefetch) {
  const int32_t blocks = (rows + PANEL_VALUE_ROWS - 1) / PANEL_VALUE_ROWS;
  const int64_t whole = width / LANES;
  for (int64_t v = 0; v * LANES < width;) {
    const int64_t left = whole - v;
    const int take = left >= PANEL_VALUE_VECTORS ? PANEL_VALUE_VECTORS : left > 0 ? (int)left : 1;
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

// Scores of a tile, rows side by side, become weights; see softmax_tile. `maximum` and `sum` hold
// whole vectors of rows.
static void softmax_panel(const attn_queries *queries, int32_t rows, const visible_tokens *visible,
                          bool all, int32_t count, float *scores, float *maximum, float *sum,
                          float *rescale) {
  enum { STRIDE = ATTN_ROW_BLOCK };
  const float cap = queries->soft_cap;
  for (int32_t v = 0; v < rows; v += LANES) {
    float *s = scores + v;
    if (cap > 0) {
      for (int32_t t = 0; t < count; t++) {
        store(s + t * STRIDE, soft_cap_vector(load(s + t * STRIDE), cap));
      }
    }
    if (!all) {
      for (int32_t r = v; r < v + LANES && r < rows; r++) {
        for (int32_t t = visible[r].head; t < visible[r].tail; t++) scores[t * STRIDE + r] = -INFINITY;
        for (int32_t t = visible[r].end; t < count; t++) scores[t * STRIDE + r] = -INFINITY;
      }
    }
    vfloat best[4];
    UNROLL for (int j = 0; j < 4; j++) best[j] = splat(-INFINITY);
    int32_t t = 0;
    for (; t + 4 <= count; t += 4) {
      UNROLL for (int j = 0; j < 4; j++) {
        best[j] = max_vector(best[j], load(s + (t + j) * STRIDE));
      }
    }
    for (; t < count; t++) best[0] = max_vector(best[0], load(s + t * STRIDE));
    const vfloat old = load(maximum + v);
    vfloat new = max_vector(max_vector(best[0], best[1]), max_vector(best[2], best[3]));
    new = select_vector(old > new, old, new);
    // Where nothing finite was seen, any finite reference keeps exp(-infinity) = 0 and NaN a NaN.
    const vfloat shift = select_vector(new == splat(-INFINITY), splat(0), new);
    const vfloat change = exp_vector(select_vector(old == new, splat(0), old - shift));
    store(maximum + v, new);
    store(rescale + v, change);
    vfloat total[4];
    UNROLL for (int j = 0; j < 4; j++) total[j] = splat(0);
    for (t = 0; t + 4 <= count; t += 4) {
      UNROLL for (int j = 0; j < 4; j++) {
        float *at = s + (t + j) * STRIDE;
        const vfloat p = exp_vector(load(at) - shift);
        store(at, p);
        total[j] = total[j] + p;
      }
    }
    for (; t < count; t++) {
      const vfloat p = exp_vector(load(s + t * STRIDE) - shift);
      store(s + t * STRIDE, p);
      total[0] = total[0] + p;
    }
    store(sum + v, load(sum + v) * change + ((total[0] + total[1]) + (total[2] + total[3])));
  }
}

// Where a tile's rows lie in float32.
typedef struct panel_tile {
  float *keys, *values;
  int64_t key_stride, value_stride;
} panel_tile;

static void widen_side(const attn_stream *stream, bool values, const tile *tile, float *out,
                       int64_t stride) {
  const int element = values ? stream->value_element : stream->key_element;
  const int64_t width = values ? stream->value_width : stream->key_width;
  if (is_copied(element, width)) {
    copy_rows(stream, values, tile, out, stride);
  } else {
    widen_rows(element, values ? tile->values : tile->keys, tile->count, width, out, stride);
  }
}

static void widen_tile(const attn_stream *stream, const tile *tile, const panel_tile *to) {
  widen_side(stream, false, tile, to->keys, to->key_stride);
  // Blocks of tokens reach past the last one.
  const int32_t end = (tile->count + 2 * PANEL_TOKENS - 1) / (2 * PANEL_TOKENS) * 2 * PANEL_TOKENS;
  for (int32_t t = tile->count; t < end; t++) {
    memcpy(to->keys + t * to->key_stride, to->keys, sizeof(float) * (size_t)stream->key_width);
  }
  if (!stream->value_is_key_prefix) widen_side(stream, true, tile, to->values, to->value_stride);
}

// Whether every value of the tile is finite. Only then may a masked token take part with weight 0.
static bool panel_is_finite(const panel_tile *tile, int32_t count, int64_t width) {
  float probe = 0;
  for (int32_t t = 0; t < count; t++) {
    const float *row = tile->values + t * tile->value_stride;
    vfloat total = splat(0);
    int64_t i = 0;
    for (; i + LANES <= width; i += LANES) total = total + load(row + i) * splat(0);
    if (i < width) {
      total = total + load_element_tail(ATTN_ELEMENT_F32, (const char *)row, i, width - i) * splat(0);
    }
    probe += sum_lanes(total);
  }
  return probe == 0;
}

// Tokens of a tile: as many as leave room in the second-level cache for the queries, the sums and
// the stored rows of the next tile.
INLINE int32_t panel_tile_tokens(const attn_workspace_layout *layout, bool prefix) {
  enum { TILE_BYTES = 160 << 10, STEP = 2 * PANEL_TOKENS };
  const int64_t row = (layout->key_stride + (prefix ? 0 : layout->value_stride)) * 4;
  const int64_t tokens = TILE_BYTES / row / STEP * STEP;
  return tokens < STEP ? STEP : tokens > ATTN_TILE_TOKENS ? ATTN_TILE_TOKENS : (int32_t)tokens;
}

static void attend_panels(const attn_stream *stream, const attn_queries *queries,
                          const attn_range *ranges, int32_t range_count, attn_partial *partial,
                          void *workspace) {
  const int32_t rows = queries->rows;
  const int64_t key_width = stream->key_width, value_width = stream->value_width;
  const bool prefix = stream->value_is_key_prefix;
  const attn_workspace_layout layout = attn_lay_out_workspace(rows, key_width, value_width);
  char *bytes = workspace;
  panel_tile wide = {.keys = (float *)(bytes + layout.key_tile),
                     .values = (float *)(bytes + layout.value_tile),
                     .key_stride = layout.key_stride,
                     .value_stride = layout.value_stride};
  if (stream->key_element == ATTN_ELEMENT_CUSTOM) wide.key_stride = key_width;
  if (stream->value_element == ATTN_ELEMENT_CUSTOM) wide.value_stride = value_width;
  if (prefix) {
    wide.values = wide.keys;
    wide.value_stride = wide.key_stride;
  }
  float *packed = (float *)(bytes + layout.queries);
  float *scores = (float *)(bytes + layout.scores);
  pack_queries(queries, key_width, packed);

  const int64_t depths = (key_width + PANEL_DEPTH - 1) / PANEL_DEPTH;
  const int64_t most_depth = (key_width + depths - 1) / depths;
  tile_cursor cursor = {stream, ranges, range_count, 0, INT64_MIN};
  tile tile;
  first_tile(&cursor, &tile, panel_tile_tokens(&layout, prefix));
  while (next_tile(&cursor, &tile)) {
    const int32_t count = tile.count;
    bool is_widened = false;
    int finite = -1;  // not looked at yet
    prefetcher prefetch = prefetch_tile_after(stream, &tile);
    const int64_t vectors = (rows + LANES - 1) / LANES;
    prefetch_in_steps(
        &prefetch,
        (count * vectors / (2 * PANEL_TOKENS) + 1) * depths +
            (rows + PANEL_VALUE_ROWS - 1) / PANEL_VALUE_ROWS *
                ((value_width / LANES + PANEL_VALUE_VECTORS - 1) / PANEL_VALUE_VECTORS));
    for (int32_t first_row = 0; first_row < rows; first_row += ATTN_ROW_BLOCK) {
      const int32_t n = rows - first_row < ATTN_ROW_BLOCK ? rows - first_row : ATTN_ROW_BLOCK;
      visible_tokens visible[ATTN_ROW_BLOCK];
      bool any = false, all = true;
      for (int32_t r = 0; r < n; r++) {
        visible[r] = visible_in_tile(queries, first_row + r, tile.first, count);
        any |= !sees_nothing(visible[r]);
        all &= sees_all(visible[r], count);
      }
      if (!any) continue;
      if (!is_widened) widen_tile(stream, &tile, &wide);
      is_widened = true;
      for (int64_t i = 0; i < key_width; i += most_depth) {
        const int64_t depth = key_width - i < most_depth ? key_width - i : most_depth;
        for (int32_t r = 0; r < n; r += PANEL_ROWS) {
          const int vectors = panel_vectors(rows, first_row + r);
          panel_scores(vectors, wide.keys + i, wide.key_stride, count,
                       packed + (first_row + r) * key_width + i * vectors * LANES, depth, i == 0,
                       scores + r, ATTN_ROW_BLOCK, &prefetch);
        }
      }
      float maximum[ATTN_ROW_BLOCK], sum[ATTN_ROW_BLOCK], rescale[ATTN_ROW_BLOCK];
      for (int32_t r = 0; r < ATTN_ROW_BLOCK; r++) {
        maximum[r] = r < n ? partial->maximum[first_row + r] : 0;
        sum[r] = r < n ? partial->sum[first_row + r] : 0;
      }
      softmax_panel(queries, n, visible, all, count, scores, maximum, sum, rescale);
      for (int32_t r = 0; r < n; r++) {
        partial->maximum[first_row + r] = maximum[r];
        partial->sum[first_row + r] = sum[r];
      }
      const int64_t stride = partial->accumulator_stride;
      float *accumulator = partial->accumulator + first_row * stride;
      if (!all && finite < 0) finite = panel_is_finite(&wide, count, value_width);
      if (all || finite) {
        panel_values(scores, ATTN_ROW_BLOCK, wide.values, wide.value_stride, 0, count, n,
                     value_width, accumulator, stride, rescale, &prefetch);
        continue;
      }
      // Some row must not touch some token: row by row, run by run.
      const float one = 1;
      for (int32_t r = 0; r < n; r++) {
        panel_values(scores + r, ATTN_ROW_BLOCK, wide.values, wide.value_stride, 0, visible[r].head,
                     1, value_width, accumulator + r * stride, stride, rescale + r, NULL);
        panel_values(scores + r, ATTN_ROW_BLOCK, wide.values, wide.value_stride, visible[r].tail,
                     visible[r].end, 1, value_width, accumulator + r * stride, stride, &one, NULL);
      }
    }
  }
}
