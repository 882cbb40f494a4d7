// What attention by matrix tiles multiplies, in pieces of bfloat16 (tile_split.h): queries, packed once a
// call as columns; keys of a tile of tokens, token by token; values, two tokens in turn; and weights,
// query row by query row. Of 32 elements of a key or query, what a product sums over, the first 16 and
// the last 16 lie in turn: that order is made with no shuffle.

enum { PIECES = 2 };  // of queries and weights

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
        pieces[0][r] = (vfloat)pieces_in_turn(high[0], high[1]);
        pieces[1][r] = (vfloat)pieces_in_turn(low[0], low[1]);
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

// 32 elements of a row in pieces.
INLINE void split_row(const int element, const vfloat x[2], char *to, int64_t piece_bytes) {
  store_words(to, pieces_in_turn(x[0], x[1]));
  if (pieces_of(element) == 1) return;
  vfloat rest[2];
  UNROLL for (int v = 0; v < 2; v++) {
    rest[v] = rest_of(x[v]);
  }
  store_words(to + piece_bytes, pieces_in_turn(rest[0], rest[1]));
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

// Columns `begin` ..< `end` of two rows: as keys where `keys` is set, as values where `values` is. Lines are
// prefetched with every 32 columns.
INLINE void split_two_rows(const int element, const char *const rows[2], int64_t begin, int64_t end,
                           int64_t width, char *const keys[2], int64_t key_piece, char *values,
                           int64_t value_piece, prefetcher *prefetch) {
  for (int64_t i = begin; i < end; i += TILE_DEPTH) {
    prefetch_some(prefetch);
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
                             plan->value_piece, prefetch);
    if (as_keys) {
      split_two_rows(element, two, both, key_width, key_width, keys, plan->key_piece, NULL, 0, prefetch);
    }
    if (as_values && !both) {
      split_two_rows(element, two, 0, value_width, value_width, NULL, 0, values, plan->value_piece, prefetch);
    }
    if (!single) continue;
    // The partner's pieces again as zeros.
    for (int p = 0; as_keys && p < pieces_of(element); p++) {
      memset(keys[1] + p * plan->key_piece, 0, (size_t)attn_whole_steps(key_width) * 2);
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

// Weights in pieces, row by row (what is not a number comes from arithmetic, whose NaN have no low bits to
// carry into the sign); `tokens`, a multiple of 32, of which those from `count` on weigh
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
