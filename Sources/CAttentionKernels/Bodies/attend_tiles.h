// Attention of several query rows by matrix tiles. As in attend_panels.h both halves are matrix
// products, here of bfloat16 pieces (tile_split.h): of a tile of tokens keys are stored token by token
// and values two tokens in turn, in pieces; queries are packed once a call as columns. Scores come out
// token by token with rows side by side, so that the softmax is the one of the panels; its weights
// are split and transposed for the value product, whose sums stay in the workspace for the whole call.

enum {
  // The least number of query rows; fewer are faster in place, and with eight still twice as fast.
  TILE_LEAST_QUERIES = 9,
  PIECES = 2,
  // Elements of a row of keys that a block of scores takes at a time: two blocks of queries of that
  // length, in both pieces, stay in the first-level cache.
  SCORE_DEPTH = 192,
};

// Whether tiles serve the stream's rows.
static bool is_in_tiles(const attn_stream *stream, int32_t rows) {
  const bool prefix = stream->value_is_key_prefix;
  const int key = stream->key_element, value = prefix ? key : stream->value_element;
  return rows >= TILE_LEAST_QUERIES && pieces_of(key) > 0 && pieces_of(value) > 0 &&
         !is_copied(key, stream->key_width) &&
         !is_copied(value, prefix ? stream->key_width : stream->value_width);
}

// What all tiles of tokens of a call have in common. Strides in bytes, but that of sums.
typedef struct tile_plan {
  const attn_stream *stream;
  const attn_queries *queries;
  int32_t tokens;  // of a tile, at most
  int key_pieces, value_pieces, value_element;
  char *keys, *values, *packed, *weights;
  float *scores, *sums;
  int64_t key_stride, key_piece;        // token to token, piece to piece
  int64_t value_stride, value_piece;    // pair of tokens to pair of tokens
  int64_t packed_block, packed_piece;   // 16 query rows to the next
  int64_t weight_stride, weight_piece;  // query row to query row
  int64_t sum_stride;                   // floats
} tile_plan;

static tile_plan plan_tiles(const attn_stream *stream, const attn_queries *queries, char *workspace) {
  const attn_tile_layout l =
      attn_lay_out_tiles(queries->rows, stream->key_width, stream->value_width);
  const int value_element = stream->value_is_key_prefix ? stream->key_element : stream->value_element;
  return (tile_plan){
      .stream = stream,
      .queries = queries,
      .tokens = l.tokens,
      .key_pieces = pieces_of(stream->key_element),
      .value_pieces = pieces_of(value_element),
      .value_element = value_element,
      .keys = workspace + l.keys,
      .values = workspace + l.values,
      .packed = workspace + l.queries,
      .weights = workspace + l.weights,
      .scores = (float *)(workspace + l.scores),
      .sums = (float *)(workspace + l.sums),
      .key_stride = l.key_stride,
      .key_piece = l.key_stride * l.tokens,
      .value_stride = l.value_stride,
      .value_piece = l.value_stride * l.tokens / 2,
      .packed_block = l.key_depth * TILE_BYTES / 2,
      .packed_piece = l.key_depth * TILE_BYTES / 2 * l.row_blocks,
      .weight_stride = l.weight_stride,
      .weight_piece = l.weight_stride * ATTN_ROW_BLOCK,
      .sum_stride = l.sum_stride,
  };
}

// Scaled queries in pieces: of each block of 16 rows, pairs of elements of all its rows side by side;
// zeros for rows and elements past the last.
static void split_queries(const tile_plan *plan) {
  const attn_queries *queries = plan->queries;
  const int64_t width = plan->stream->key_width;
  for (int32_t first = 0; first < queries->rows; first += TILE_ROWS) {
    char *block = plan->packed + first / TILE_ROWS * plan->packed_block;
    for (int64_t i = 0; i < width; i += TILE_DEPTH) {
      vfloat pieces[PIECES][TILE_ROWS];  // pairs of elements of a row
      for (int r = 0; r < TILE_ROWS; r++) {
        vfloat x[2] = {splat(0), splat(0)};
        if (first + r < queries->rows) {
          const float *row = queries->queries + (first + r) * queries->query_stride;
          load_depth(ATTN_ELEMENT_F32, (const char *)row, i, width, x);
        }
        vfloat low[2], high[2];
        UNROLL for (int v = 0; v < 2; v++) {
          const vfloat q = x[v] * splat(queries->scale);
          // What is not finite must keep its pattern. (The few numbers that round to infinity give NaN.)
          const vint finite = q - q == splat(0);
          high[v] = select_vector(finite, nearest_piece(q), q);
          low[v] = select_vector(finite, nearest_piece(q - upper_half(high[v])), splat(0));
        }
        pieces[0][r] = (vfloat)pieces_in_order(high[0], high[1]);
        pieces[1][r] = (vfloat)pieces_in_order(low[0], low[1]);
      }
      for (int p = 0; p < PIECES; p++) {
        transpose(pieces[p]);
        char *to = block + p * plan->packed_piece + i / 2 * TILE_BYTES;
        for (int k = 0; k < TILE_ROWS; k++) {
          store((float *)(to + k * TILE_BYTES), pieces[p][k]);
        }
      }
    }
  }
}

// 32 elements of a row in pieces, one after another.
INLINE void split_row(const int element, const vfloat x[2], char *to, int64_t piece_bytes) {
  store_words(to, pieces_in_order(x[0], x[1]));
  if (pieces_of(element) == 1) return;
  vfloat rest[2];
  UNROLL for (int v = 0; v < 2; v++) {
    rest[v] = rest_of(x[v]);
  }
  store_words(to + piece_bytes, pieces_in_order(rest[0], rest[1]));
}

// 32 columns of two rows in pieces, in turn.
INLINE void split_pair(const int element, const vfloat x[2], const vfloat y[2], char *to,
                       int64_t piece_bytes) {
  UNROLL for (int v = 0; v < 2; v++) {
    store_words(to + v * TILE_BYTES, pieces_in_turn(x[v], y[v]));
    if (pieces_of(element) == 1) continue;
    store_words(to + piece_bytes + v * TILE_BYTES, pieces_in_turn(rest_of(x[v]), rest_of(y[v])));
  }
}

// Columns `begin` ..< `end` of two rows: as keys where `keys` is set, as values where `values` is.
INLINE void split_two_rows(const int element, const char *const rows[2], int64_t begin, int64_t end,
                           int64_t width, char *const keys[2], int64_t key_piece, char *values,
                           int64_t value_piece) {
  for (int64_t i = begin; i < end; i += TILE_DEPTH) {
    vfloat x[2], y[2];
    if (i + TILE_DEPTH <= width) {
      load_depth(element, rows[0], i, INT64_MAX, x);
      load_depth(element, rows[1], i, INT64_MAX, y);
    } else {
      load_depth(element, rows[0], i, width, x);
      load_depth(element, rows[1], i, width, y);
    }
    if (keys) {
      split_row(element, x, keys[0] + i * 2, key_piece);
      split_row(element, y, keys[1] + i * 2, key_piece);
    }
    if (values) split_pair(element, x, y, values + i * 4, value_piece);
  }
}

// One side of a tile of tokens, or, where values are the keys' prefix, both; tokens past the last are
// zeros, up to a whole step of the value product.
INLINE void split_tile_of(const int element, const tile_plan *plan, const tile *tile, bool as_keys,
                          bool as_values, prefetcher *prefetch) {
  const attn_stream *stream = plan->stream;
  const int64_t key_width = stream->key_width, value_width = stream->value_width;
  const char *const *rows = as_keys ? tile->keys : tile->values;
  const int32_t end = (tile->count + TILE_DEPTH - 1) / TILE_DEPTH * TILE_DEPTH;
  for (int32_t t = 0; t < end; t += 2) {
    prefetch_some(prefetch);
    char *const keys[2] = {plan->keys + t * plan->key_stride, plan->keys + (t + 1) * plan->key_stride};
    char *values = plan->values + t / 2 * plan->value_stride;
    if (t + 1 >= tile->count) {
      // A last token without a partner, or none.
      const int64_t columns = attn_whole_steps(value_width), depth = attn_whole_steps(key_width);
      for (int p = 0; as_keys && p < pieces_of(element); p++) {
        memset(keys[0] + p * plan->key_piece, 0, (size_t)depth * 2);
        memset(keys[1] + p * plan->key_piece, 0, (size_t)depth * 2);
      }
      for (int p = 0; as_values && p < pieces_of(element); p++) {
        memset(values + p * plan->value_piece, 0, (size_t)columns * 4);
      }
      if (t >= tile->count) continue;
    }
    const bool single = t + 1 == tile->count;
    const char *const two[2] = {rows[t], rows[single ? t : t + 1]};
    // Whole steps: columns of values past their width reach no result.
    const int64_t both = as_keys && as_values ? attn_whole_steps(value_width) : 0;
    if (both) split_two_rows(element, two, 0, both, key_width, keys, plan->key_piece, values,
                             plan->value_piece);
    if (as_keys) split_two_rows(element, two, both, key_width, key_width, keys, plan->key_piece, NULL, 0);
    if (as_values && !both) {
      split_two_rows(element, two, 0, value_width, value_width, NULL, 0, values, plan->value_piece);
    }
    if (!single) continue;
    // The partner's pieces again as zeros.
    for (int p = 0; as_keys && p < pieces_of(element); p++) {
      memset(keys[1] + p * plan->key_piece, 0, (size_t)key_width * 2);
    }
    for (int p = 0; as_values && p < pieces_of(element); p++) {
      uint16_t *pair = (uint16_t *)(values + p * plan->value_piece);
      for (int64_t i = 0; i < value_width; i++) pair[2 * i + 1] = 0;
    }
  }
}

static void split_tile(const tile_plan *plan, const tile *tile, prefetcher *prefetch) {
  const bool prefix = plan->stream->value_is_key_prefix;
#define SPLIT_KEYS(ELEMENT) split_tile_of(ELEMENT, plan, tile, true, false, prefetch)
#define SPLIT_VALUES(ELEMENT) split_tile_of(ELEMENT, plan, tile, false, true, prefetch)
#define SPLIT_BOTH(ELEMENT) split_tile_of(ELEMENT, plan, tile, true, true, prefetch)
  if (prefix) {
    FOR_ELEMENT(plan->stream->key_element, SPLIT_BOTH)
  } else {
    FOR_ELEMENT(plan->stream->key_element, SPLIT_KEYS)
    FOR_ELEMENT(plan->value_element, SPLIT_VALUES)
  }
#undef SPLIT_KEYS
#undef SPLIT_VALUES
#undef SPLIT_BOTH
}

INLINE int32_t blocks_of(int32_t rows) { return (rows + TILE_ROWS - 1) / TILE_ROWS; }

// Scores of `tokens` tokens, a multiple of 32, with one or two blocks of query rows.
INLINE void tile_scores_of(const int KEY_PIECES, const tile_plan *plan, int32_t tokens,
                           int32_t first_block, int32_t blocks, prefetcher *prefetch) {
  const int64_t depth = attn_whole_steps(plan->stream->key_width);
  for (int64_t i = 0; i < depth; i += SCORE_DEPTH) {
    const int64_t steps = (depth - i < SCORE_DEPTH ? depth - i : SCORE_DEPTH) / TILE_DEPTH;
    const tile_operand b = {
        .at = plan->packed + first_block * plan->packed_block + i / 2 * TILE_BYTES,
        .row_bytes = TILE_BYTES,
        .block_bytes = plan->packed_block,
        .step_bytes = TILE_ROWS * TILE_BYTES,
        .piece_bytes = plan->packed_piece,
    };
    tile_operand a = {
        .row_bytes = plan->key_stride,
        .block_bytes = TILE_ROWS * plan->key_stride,
        .step_bytes = TILE_BYTES,
        .piece_bytes = plan->key_piece,
    };
    for (int32_t t = 0; t < tokens;) {
      a.at = plan->keys + t * plan->key_stride + i * 2;
      float *c = plan->scores + t * ATTN_ROW_BLOCK;
      if (blocks == 2) {
        tile_block(2, 2, KEY_PIECES, PIECES, a, b, steps, i == 0, c, ATTN_ROW_BLOCK, prefetch);
        t += 2 * TILE_ROWS;
      } else if (tokens - t >= 4 * TILE_ROWS) {
        tile_block(4, 1, KEY_PIECES, PIECES, a, b, steps, i == 0, c, ATTN_ROW_BLOCK, prefetch);
        t += 4 * TILE_ROWS;
      } else {
        tile_block(2, 1, KEY_PIECES, PIECES, a, b, steps, i == 0, c, ATTN_ROW_BLOCK, prefetch);
        t += 2 * TILE_ROWS;
      }
    }
  }
}

static void tile_scores(const tile_plan *plan, int32_t tokens, int32_t first_block, int32_t blocks,
                        prefetcher *prefetch) {
  if (plan->key_pieces == 1) {
    tile_scores_of(1, plan, tokens, first_block, blocks, prefetch);
  } else {
    tile_scores_of(2, plan, tokens, first_block, blocks, prefetch);
  }
}

// Weights in pieces, row by row (what is not a number comes from tile products, whose NaN have no low bits
// to carry into the sign); `tokens`, a multiple of 32, of which those from `count` on weigh
// nothing.
static void split_weights(const tile_plan *plan, int32_t count, int32_t tokens, int32_t blocks) {
  enum { STRIDE = ATTN_ROW_BLOCK };
  for (int32_t t = count; t < tokens; t++) {
    for (int32_t r = 0; r < blocks * TILE_ROWS; r += LANES) store(plan->scores + t * STRIDE + r, splat(0));
  }
  for (int32_t t = 0; t < tokens; t += TILE_DEPTH) {
    for (int32_t b = 0; b < blocks; b++) {
      const float *w = plan->scores + t * STRIDE + b * TILE_ROWS;
      vfloat high[TILE_ROWS], low[TILE_ROWS];
      UNROLL for (int k = 0; k < TILE_ROWS; k++) {
        const vfloat x = load(w + 2 * k * STRIDE), y = load(w + (2 * k + 1) * STRIDE);
        const vfloat a = nearest_piece(x), b = nearest_piece(y);
        high[k] = (vfloat)pieces_in_turn(a, b);
        low[k] = (vfloat)pieces_in_turn(nearest_piece(x - upper_half(a)),
                                        nearest_piece(y - upper_half(b)));
      }
      transpose(high);
      transpose(low);
      char *to = plan->weights + b * TILE_ROWS * plan->weight_stride + t * 2;
      UNROLL for (int r = 0; r < TILE_ROWS; r++) {
        store((float *)(to + r * plan->weight_stride), high[r]);
        store((float *)(to + r * plan->weight_stride + plan->weight_piece), low[r]);
      }
    }
  }
}

// The sums so far of rows whose maximum has grown.
static void rescale_sums(const tile_plan *plan, int32_t first_row, int32_t rows, const float *rescale) {
  for (int32_t r = 0; r < rows; r++) {
    if (rescale[r] == 1) continue;
    float *row = plan->sums + (first_row + r) * plan->sum_stride;
    const vfloat factor = splat(rescale[r]);
    for (int64_t i = 0; i < plan->stream->value_width; i += LANES) store(row + i, load(row + i) * factor);
  }
}

INLINE void tile_values_of(const int VALUE_PIECES, const tile_plan *plan, int32_t tokens,
                           int32_t first_block, int32_t blocks, prefetcher *prefetch) {
  const int64_t columns = attn_whole_steps(plan->stream->value_width);
  const int64_t steps = tokens / TILE_DEPTH, stride = plan->sum_stride;
  const tile_operand a = {
      .at = plan->weights,
      .row_bytes = plan->weight_stride,
      .block_bytes = TILE_ROWS * plan->weight_stride,
      .step_bytes = TILE_BYTES,
      .piece_bytes = plan->weight_piece,
  };
  tile_operand b = {
      .row_bytes = plan->value_stride,
      .block_bytes = TILE_BYTES,
      .step_bytes = TILE_ROWS * plan->value_stride,
      .piece_bytes = plan->value_piece,
  };
  for (int64_t v = 0; v < columns;) {
    b.at = plan->values + v * 4;
    float *c = plan->sums + first_block * TILE_ROWS * stride + v;
    if (blocks == 2) {
      tile_block(2, 2, PIECES, VALUE_PIECES, a, b, steps, false, c, stride, prefetch);
      v += 2 * TILE_ROWS;
    } else if (columns - v >= 4 * TILE_ROWS) {
      tile_block(1, 4, PIECES, VALUE_PIECES, a, b, steps, false, c, stride, prefetch);
      v += 4 * TILE_ROWS;
    } else {
      tile_block(1, 2, PIECES, VALUE_PIECES, a, b, steps, false, c, stride, prefetch);
      v += 2 * TILE_ROWS;
    }
  }
}

static void tile_value_sums(const tile_plan *plan, int32_t tokens, int32_t first_block, int32_t blocks,
                            prefetcher *prefetch) {
  if (plan->value_pieces == 1) {
    tile_values_of(1, plan, tokens, first_block, blocks, prefetch);
  } else {
    tile_values_of(2, plan, tokens, first_block, blocks, prefetch);
  }
}

// Token t's columns from `column` of a split tile.
INLINE vfloat joined_value(const tile_plan *plan, int32_t t, int64_t column) {
  vfloat sum = splat(0);
  for (int p = 0; p < plan->value_pieces; p++) {
    const char *at = plan->values + t / 2 * plan->value_stride + column * 4 + p * plan->value_piece;
    const vuint pair = (vuint)load((const float *)at);
    sum = sum + (t % 2 ? upper_half((vfloat)pair) : (vfloat)(pair << 16));
  }
  return sum;
}

// Whether every value of the tile is finite. Only then may a masked token take part with weight 0.
static bool tile_is_finite(const tile_plan *plan, int32_t count) {
  vfloat probe = splat(0);
  for (int32_t t = 0; t < count; t++) {
    for (int64_t v = 0; v < plan->stream->value_width; v += LANES) {
      probe = probe + joined_value(plan, t, v) * splat(0);
    }
  }
  return sum_lanes(probe) == 0;
}

// The value product where some row must not touch some token: row by row, run by run.
static void masked_tile_values(const tile_plan *plan, const visible_tokens *visible, int32_t first_row,
                               int32_t rows) {
  for (int32_t r = 0; r < rows; r++) {
    float *sums = plan->sums + (first_row + r) * plan->sum_stride;
    for (int64_t v = 0; v < plan->stream->value_width; v += LANES) {
      vfloat sum = load(sums + v);
      for (int32_t t = 0; t < visible[r].end; t++) {
        if (t >= visible[r].head && t < visible[r].tail) continue;
        sum = fma_vector(splat(plan->scores[t * ATTN_ROW_BLOCK + r]), joined_value(plan, t, v), sum);
      }
      store(sums + v, sum);
    }
  }
}

// Sums of the partial into the workspace, whose rows and columns past the last are zeros, and back.
static void fetch_sums(const tile_plan *plan, const attn_partial *partial) {
  const size_t bytes = sizeof(float) * (size_t)plan->stream->value_width;
  const size_t row = sizeof(float) * (size_t)plan->sum_stride;
  for (int32_t r = 0; r < blocks_of(plan->queries->rows) * TILE_ROWS; r++) {
    char *to = (char *)(plan->sums + r * plan->sum_stride);
    if (r >= plan->queries->rows) {
      memset(to, 0, row);
      continue;
    }
    memcpy(to, partial->accumulator + r * partial->accumulator_stride, bytes);
    memset(to + bytes, 0, row - bytes);
  }
}

static void leave_sums(const tile_plan *plan, attn_partial *partial) {
  for (int32_t r = 0; r < plan->queries->rows; r++) {
    memcpy(partial->accumulator + r * partial->accumulator_stride, plan->sums + r * plan->sum_stride,
           sizeof(float) * (size_t)plan->stream->value_width);
  }
}

// Calls of prefetch_some while a tile of tokens is worked on.
static int64_t prefetch_steps(const tile_plan *plan, int32_t tokens) {
  const int64_t pairs = tokens / 2 * (plan->stream->value_is_key_prefix ? 1 : 2);
  const int32_t blocks = blocks_of(plan->queries->rows);
  const int64_t depth = (plan->stream->key_width + TILE_DEPTH - 1) / TILE_DEPTH;
  const int64_t columns = (plan->stream->value_width + TILE_DEPTH - 1) / TILE_DEPTH * 2;
  const int64_t scores = tokens / TILE_ROWS * blocks * depth / 4;
  const int64_t values = tokens / TILE_DEPTH * blocks * columns / 4;
  return pairs + scores + values;
}

static void attend_tiles(const attn_stream *stream, const attn_queries *queries,
                         const attn_range *ranges, int32_t range_count, attn_partial *partial,
                         void *workspace) {
  const int32_t rows = queries->rows;
  const tile_plan plan = plan_tiles(stream, queries, workspace);
  tiles_begin();
  split_queries(&plan);
  fetch_sums(&plan, partial);

  tile_cursor cursor = {stream, ranges, range_count, 0, INT64_MIN};
  tile tile;
  first_tile(&cursor, &tile, plan.tokens);
  while (next_tile(&cursor, &tile)) {
    const int32_t count = tile.count;
    const int32_t tokens = (count + TILE_DEPTH - 1) / TILE_DEPTH * TILE_DEPTH;
    bool is_split = false;
    int finite = -1;  // not looked at yet
    prefetcher prefetch = prefetch_tile_after(stream, &tile);
    prefetch_in_steps(&prefetch, prefetch_steps(&plan, tokens));
    for (int32_t first_row = 0; first_row < rows; first_row += ATTN_ROW_BLOCK) {
      const int32_t n = rows - first_row < ATTN_ROW_BLOCK ? rows - first_row : ATTN_ROW_BLOCK;
      const int32_t first_block = first_row / TILE_ROWS, blocks = blocks_of(n);
      visible_tokens visible[ATTN_ROW_BLOCK];
      bool any = false, all = true;
      for (int32_t r = 0; r < n; r++) {
        visible[r] = visible_in_tile(queries, first_row + r, tile.first, count);
        any |= !sees_nothing(visible[r]);
        all &= sees_all(visible[r], count);
      }
      if (!any) continue;
      if (!is_split) split_tile(&plan, &tile, &prefetch);
      is_split = true;
      tile_scores(&plan, tokens, first_block, blocks, &prefetch);
      float maximum[ATTN_ROW_BLOCK], sum[ATTN_ROW_BLOCK], rescale[ATTN_ROW_BLOCK];
      for (int32_t r = 0; r < ATTN_ROW_BLOCK; r++) {
        maximum[r] = r < n ? partial->maximum[first_row + r] : 0;
        sum[r] = r < n ? partial->sum[first_row + r] : 0;
      }
      softmax_panel(queries, n, visible, all, count, plan.scores, maximum, sum, rescale);
      for (int32_t r = 0; r < n; r++) {
        partial->maximum[first_row + r] = maximum[r];
        partial->sum[first_row + r] = sum[r];
      }
      rescale_sums(&plan, first_row, n, rescale);
      if (!all && finite < 0) finite = tile_is_finite(&plan, count);
      if (all || finite) {
        split_weights(&plan, count, tokens, blocks);
        tile_value_sums(&plan, tokens, first_block, blocks, &prefetch);
      } else {
        masked_tile_values(&plan, visible, first_row, n);
      }
    }
  }
  leave_sums(&plan, partial);
  tiles_end();
}
