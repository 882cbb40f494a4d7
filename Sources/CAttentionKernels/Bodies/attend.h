// The attend primitive: for every tile of tokens, the scores of all query rows, the running
// softmax, and the value product. How a tile is read depends on how many query rows share it: with
// few rows, here, stored elements are widened in registers, straight from the cache; with more the
// tile is widened to float32 once, see attend_panels.h, or to 16-bit integers, see attend_integer_panels.h.

// KEYS_BY_CHANNEL reads keys in place too: the scales of a group's channels go into its queries.
// KEYS_INTEGER multiplies integers.
enum { KEYS_IN_PLACE, KEYS_BY_CHANNEL, KEYS_WIDENED, KEYS_INTEGER };

// Workspace of integer products.
typedef struct integer_scratch {
  integer_queries queries;
  quad_scratch quads;
  tile_scales key_scales, value_scales;
  integer_weights weights;
} integer_scratch;

_Static_assert(sizeof(integer_scratch) <= ATTN_INTEGER_BYTES, "the workspace of integer products");

_Static_assert(LONG_TILE_TOKENS <= ATTN_TILE_TOKENS * ATTN_ROW_BLOCK, "scores of a single row");

// The most query rows that are attended here, in blocks. Where registers are few and elements plain, some
// blocks of rows that each widen the tile again are faster than panels of rows, which they fill in part.
enum {
  MOST_ATTENDED_ROWS = LANES == 8 ? 16 : DOT_ROWS,
  MOST_ATTENDED_PREFIX_ROWS = LANES == 8 ? 8 : DOT_ROWS,
};

// Whether several blocks of rows may read such rows in place.
INLINE bool is_read_in_blocks(const int element, int64_t width, int32_t rows) {
  return is_plain(element) || (is_integer_row(element, width) && rows <= MOST_INTEGER_ROWS);
}

INLINE bool is_attended_in_rows(const attn_stream *stream, int32_t rows) {
  if (stream->key_width % LANES != 0) return false;
  if (rows <= DOT_ROWS) return true;
  const bool prefix = stream->value_is_key_prefix;
  return rows <= (prefix ? MOST_ATTENDED_PREFIX_ROWS : MOST_ATTENDED_ROWS) &&
         is_read_in_blocks(stream->key_element, stream->key_width, rows) &&
         (prefix || is_read_in_blocks(stream->value_element, stream->value_width, rows));
}

typedef struct attend_plan {
  int key_path;
  bool keys_copied;
  bool values_copied;
  bool values_in_place;
  bool values_in_key_tile;  // the value is a prefix of a key tile that is widened anyway
  bool values_integer;      // values_in_place, multiplied as integers
  row_reading reading;
  float *key_tile, *value_tile, *scores;
  integer_scratch *integers;        // of KEYS_INTEGER and values_integer
  const tile_scales *value_scales;  // values_integer: the tile's, the keys' where these are the values
  int64_t key_stride, value_stride;
} attend_plan;

static attend_plan plan_attend(const attn_stream *stream, const attn_queries *queries,
                               void *workspace) {
  attn_workspace_layout layout = attn_lay_out_workspace(queries->rows, stream->key_width, stream->value_width);
  attend_plan plan = {0};
  char *bytes = workspace;
  plan.key_tile = (float *)(bytes + layout.key_tile);
  plan.value_tile = (float *)(bytes + layout.value_tile);
  plan.scores = (float *)(bytes + layout.scores);
  plan.key_stride = layout.key_stride;
  plan.value_stride = layout.value_stride;

  const int32_t rows = queries->rows;
  const bool prefix = stream->value_is_key_prefix;
  const int value_element = prefix ? stream->key_element : stream->value_element;
  plan.keys_copied = is_copied(stream->key_element, stream->key_width);
  plan.values_copied = is_copied(value_element, prefix ? stream->key_width : stream->value_width);
  const bool value_vectors = stream->value_width % LANES == 0;

  if (is_integer_row(stream->key_element, stream->key_width) && rows <= MOST_INTEGER_ROWS) {
    plan.key_path = KEYS_INTEGER;
  } else if (is_per_channel(stream->key_element) && !prefix &&
             stream->key_width % ATTN_GROUP == 0) {
    plan.key_path = KEYS_BY_CHANNEL;
    plan.keys_copied = false;
  } else if (plan.keys_copied) {
    plan.key_path = KEYS_WIDENED;
  } else {
    plan.key_path = KEYS_IN_PLACE;
  }
  plan.values_in_place = !plan.values_copied && value_vectors;
  if (is_integer_row(value_element, stream->value_width) && rows <= MOST_INTEGER_ROWS) {
    plan.values_integer = plan.values_in_place = true;
  }
  if (prefix && (plan.keys_copied || (!plan.values_in_place && plan.key_path == KEYS_WIDENED))) {
    plan.values_in_place = plan.values_integer = false;
    plan.values_in_key_tile = true;
  }
  if (stream->key_element == ATTN_ELEMENT_CUSTOM) plan.key_stride = stream->key_width;
  if (value_element == ATTN_ELEMENT_CUSTOM) plan.value_stride = stream->value_width;
  const bool in_place = plan.key_path == KEYS_IN_PLACE && plan.values_in_place && !plan.values_integer && !prefix;
  plan.reading = row_reading_of(stream, rows, in_place);
  plan.integers = (integer_scratch *)(bytes + layout.integers);
  plan.value_scales = prefix && plan.key_path == KEYS_INTEGER ? &plan.integers->key_scales
                                                              : &plan.integers->value_scales;
  return plan;
}

// Brings the tile's keys and values into the form the plan asks for, and says where.
typedef struct prepared_tile {
  int key_element;
  const char *const *keys;
  const char *tile_keys[ATTN_TILE_TOKENS];
  product_operand values;
} prepared_tile;

static void prepare_tile(const attn_stream *stream, const attend_plan *plan, const tile *tile,
                         prepared_tile *prepared) {
  const int32_t count = tile->count;
  prepared->key_element = stream->key_element;
  prepared->keys = tile->keys;
  if (plan->keys_copied || plan->key_path == KEYS_WIDENED || plan->values_in_key_tile) {
    if (plan->keys_copied) {
      copy_rows(stream, false, tile, plan->key_tile, plan->key_stride);
    } else {
      widen_rows(stream->key_element, tile->keys, count, stream->key_width, plan->key_tile,
                 plan->key_stride);
    }
    for (int32_t t = 0; t < ATTN_TILE_TOKENS; t++) {
      int32_t row = t < count ? t : count - 1;
      prepared->tile_keys[t] = (const char *)(plan->key_tile + row * plan->key_stride);
    }
    prepared->key_element = ATTN_ELEMENT_F32;
    prepared->keys = prepared->tile_keys;
  }
  if (plan->key_path == KEYS_INTEGER) {
    gather_scales(stream->key_element, tile->keys, count, stream->key_width / ATTN_GROUP,
                  &plan->integers->key_scales);
  }
  if (plan->values_integer && plan->value_scales == &plan->integers->value_scales) {
    gather_scales(stream->value_is_key_prefix ? stream->key_element : stream->value_element,
                  tile->values, count, stream->value_width / ATTN_GROUP, &plan->integers->value_scales);
  }
  product_operand *values = &prepared->values;
  *values = (product_operand){.kind = B_STRIDED};
  if (plan->values_in_place) {
    values->kind = stream->value_is_key_prefix ? stream->key_element : stream->value_element;
    values->rows = tile->values;
  } else if (plan->values_in_key_tile) {
    values->base = plan->key_tile;
    values->stride = plan->key_stride;
  } else {
    values->base = plan->value_tile;
    values->stride = plan->value_stride;
    if (plan->values_copied) {
      copy_rows(stream, true, tile, plan->value_tile, plan->value_stride);
    } else {
      widen_rows(stream->value_is_key_prefix ? stream->key_element : stream->value_element,
                 tile->values, count, stream->value_width, plan->value_tile, plan->value_stride);
    }
  }
}

// Scores against keys that are quantised per channel, group by group: q . (s n + z) is (q s) . n
// + q . z, and the first factor and the last term are the same for all tokens of a group.
static void score_channels(const attn_stream *stream, const attn_queries *queries,
                           const attend_plan *plan, const tile *tile, int32_t first_row,
                           int32_t rows, float *scores, fetched_rows fetch) {
  enum { STRIDE = ATTN_TILE_TOKENS + 8 };  // dot products write whole blocks of tokens
  const int64_t width = stream->key_width;
  const bool has_zeros = stream->key_element == ATTN_ELEMENT_INT4C;
  const float *q = queries->queries + first_row * queries->query_stride;
  float *scaled = plan->key_tile;
  float block[DOT_ROWS * STRIDE], constants[DOT_ROWS];
  for (int32_t t = 0; t < tile->count;) {
    const run r = run_at(stream, tile->first + t, tile->count - t);
    const char *const *keys = tile->keys + t;
    const int32_t tokens = (int32_t)r.tokens;
    const fetched_rows part = {fetch.rows ? fetch.rows + t : NULL, fetch.row_bytes};
    if (r.keys.group) {
      scale_by_channel(r.keys.group, has_zeros, width, q, queries->query_stride, rows, scaled,
                       constants);
      dot_rows(has_zeros ? ELEMENT_PACKED : ATTN_ELEMENT_S8, rows, scaled, width, keys, tokens,
               width, part, block, STRIDE);
    } else {
      for (int32_t i = 0; i < rows; i++) constants[i] = 0;
      dot_rows(ATTN_ELEMENT_F16, rows, q, queries->query_stride, keys, tokens, width,
               part, block, STRIDE);
    }
    for (int32_t i = 0; i < rows; i++) {
      for (int32_t j = 0; j < tokens; j++) {
        scores[i * ATTN_TILE_TOKENS + t + j] = block[i * STRIDE + j] + constants[i];
      }
    }
    t += tokens;
  }
}

// Scores of `rows` query rows from `first_row`, ATTN_TILE_TOKENS apart; entries past the tile's
// tokens up to a multiple of LANES are arbitrary.
static void score_tile(const attn_stream *stream, const attn_queries *queries,
                       const attend_plan *plan, const tile *tile, const prepared_tile *prepared,
                       int32_t first_row, int32_t rows, float *scores, fetched_rows fetch) {
  const int32_t count = tile->count;
  if (plan->key_path == KEYS_INTEGER) {
    integer_scores(stream->key_element, rows, &plan->integers->queries, stream->key_width, tile->keys,
                   count, &plan->integers->key_scales, &plan->integers->quads, fetch, scores);
    return;
  }
  if (plan->key_path == KEYS_BY_CHANNEL) {
    score_channels(stream, queries, plan, tile, first_row, rows, scores, fetch);
    return;
  }
  const int64_t query_stride = queries->query_stride;
  const float *q = queries->queries + first_row * query_stride;
  const bool in_place = plan->key_path == KEYS_IN_PLACE && prepared->keys != prepared->tile_keys;
  const int block = even_block(rows, in_place ? DOT_ROWS : DOT_WIDENED_ROWS);
  for (int32_t r = 0; r < rows; r += block) {
    int n = rows - r < block ? rows - r : block;
    dot_rows(prepared->key_element, n, q + r * query_stride, query_stride, prepared->keys, count,
             stream->key_width, r ? (fetched_rows){0} : fetch, scores + r * ATTN_TILE_TOKENS,
             ATTN_TILE_TOKENS);
  }
}

// accumulator = rescale * accumulator + weights * values over tokens begin ..< end of the tile.
static void value_product(const product_operand *values, const float *weights,
                          const float *rescale, int32_t rows, int32_t begin, int32_t end,
                          int64_t width, float *accumulator, int64_t stride) {
  const int64_t vectors = width / LANES, tail = width % LANES;
  const int block = even_block(rows, PRODUCT_ROWS);
  for (int64_t v = 0; v < vectors;) {
    const int take = product_vectors(values->kind, block, vectors - v);
    for (int32_t r = 0; r < rows; r += block) {
      int n = rows - r < block ? rows - r : block;
      product_block(n, take, weights + r * ATTN_TILE_TOKENS, ATTN_TILE_TOKENS, begin, end, values,
                    v * LANES, accumulator + r * stride + v * LANES, stride, rescale + r);
    }
    v += take;
  }
  if (tail) {
    // The last columns take a whole vector of the (padded) tile through a block of their own, so
    // that nothing past the accumulator's width is written.
    float block_sums[PRODUCT_ROWS * LANES];
    for (int32_t r = 0; r < rows; r += block) {
      int n = rows - r < block ? rows - r : block;
      product_block(n, 1, weights + r * ATTN_TILE_TOKENS, ATTN_TILE_TOKENS, begin, end, values,
                    vectors * LANES, block_sums, LANES, NULL);
      for (int i = 0; i < n; i++) {
        float *out = accumulator + (r + i) * stride + vectors * LANES;
        for (int64_t j = 0; j < tail; j++) {
          out[j] = out[j] * rescale[r + i] + block_sums[i * LANES + j];
        }
      }
    }
  }
}

// Whether every value of the tile is finite. Only then may a masked token take part with weight 0.
static bool values_are_finite(const product_operand *values, int32_t count, int64_t width) {
  float probe = 0;
  for (int32_t t = 0; t < count; t++) {
    const char *row = values->kind == B_STRIDED
                          ? (const char *)(values->base + (int64_t)t * values->stride)
                          : values->rows[t];
    const int element = values->kind == B_STRIDED ? ATTN_ELEMENT_F32 : values->kind;
    vfloat total = splat(0);
    int64_t i = 0;
    for (; i + LANES <= width; i += LANES) {
      total = total + load_element(element, row, i) * splat(0);
    }
    if (i < width) total = total + load_element_tail(element, row, i, width - i) * splat(0);
    probe += sum_lanes(total);
  }
  return probe == 0;
}

// The value product of the path that the plan takes.
static void tile_values(const attend_plan *plan, const product_operand *values, const float *weights,
                        const float *rescale, int32_t rows, int32_t begin, int32_t end, int64_t width,
                        float *accumulator, int64_t stride) {
  if (plan->values_integer) {
    integer_values(values->kind, rows, values->rows, begin, end, width, weights, plan->value_scales,
                   &plan->integers->weights, accumulator, stride, rescale, values->fetch);
  } else {
    value_product(values, weights, rescale, rows, begin, end, width, accumulator, stride);
  }
}

// The value product where some row must not touch some token: row by row, run by run.
static void masked_value_product(const attend_plan *plan, const product_operand *values, const float *weights,
                                 const float *rescale, const visible_tokens *visible,
                                 int32_t rows, int64_t width, float *accumulator,
                                 int64_t stride) {
  product_operand plain = *values;
  plain.fetch = (fetched_meanwhile){0};
  const float one = 1;
  for (int32_t r = 0; r < rows; r++) {
    const float *w = weights + r * ATTN_TILE_TOKENS;
    float *out = accumulator + r * stride;
    tile_values(plan, &plain, w, rescale + r, 1, 0, visible[r].head, width, out, stride);
    tile_values(plan, &plain, w, &one, 1, visible[r].tail, visible[r].end, width, out, stride);
  }
}

// Few query rows.
static void attend_rows(const attn_stream *stream, const attn_queries *queries,
                        const attn_range *ranges, int32_t range_count, attn_partial *partial,
                        void *workspace) {
  const int32_t rows = queries->rows;
  const attend_plan plan = plan_attend(stream, queries, workspace);
  const int64_t value_width = stream->value_width;
  const int64_t passes = plan.values_integer ? integer_value_passes(rows, value_width)
                                             : product_passes(rows, value_width);
  if (plan.key_path == KEYS_INTEGER) {
    round_queries(queries, stream->key_element, stream->key_width, &plan.integers->queries, &plan.integers->quads);
  }

  tile_cursor cursor = cursor_of(stream, queries, ranges, range_count, plan.reading.ways);
  tile tile;
  prepared_tile prepared;
  first_tile(&cursor, &tile, plan.reading.tile_tokens);
  while (next_tile(&cursor, &tile)) {
    const int32_t count = tile.count;
    visible_tokens visible[MOST_ATTENDED_ROWS];
    const rows_sight sight = see_tile(queries, 0, rows, &tile, visible);
    if (!sight.any) continue;
    prepare_tile(stream, &plan, &tile, &prepared);
    // The next tile's keys are fetched with the scores, its values with the value product.
    const bool fetches = tile.fetch_count && plan.reading.fetches;
    const fetched_rows next_keys = {tile.next_keys, stream->key_row_bytes};
    row_prefetcher next_values = {
        .rows = tile.next_values,
        .row_bytes = stream->value_row_bytes,
        .count = stream->value_is_key_prefix || !fetches ? 0 : tile.fetch_count,
        .steps = (int32_t)((count + PRODUCT_CHUNK - 1) / PRODUCT_CHUNK * passes),
    };
    if (next_values.count) {
      if (FETCHES_BY_LINE && plan.values_in_place) prepared.values.fetch.by_line = tile.next_values;
      else prepared.values.fetch.by_row = &next_values;
    }

    float rescale[ATTN_ROW_BLOCK + LANES];
    score_tile(stream, queries, &plan, &tile, &prepared, 0, rows, plan.scores,
               fetches ? next_keys : (fetched_rows){0});
    softmax_tile(queries, rows, visible, count, plan.scores, partial->maximum, partial->sum, rescale);
    if (sight.all || values_are_finite(&prepared.values, count, value_width)) {
      tile_values(&plan, &prepared.values, plan.scores, rescale, rows, 0, count, value_width,
                  partial->accumulator, partial->accumulator_stride);
    } else {
      masked_value_product(&plan, &prepared.values, plan.scores, rescale, visible, rows, value_width,
                           partial->accumulator, partial->accumulator_stride);
    }
  }
}

static void attend(const attn_stream *stream, const attn_queries *queries,
                   const attn_range *ranges, int32_t range_count, attn_partial *partial,
                   void *workspace) {
  if (queries->rows <= 0) return;
#if HAS_TILES
  if (is_in_tiles(stream, queries->rows)) {
    attend_tiles(stream, queries, ranges, range_count, partial, workspace);
    return;
  }
#endif
#if INTEGER_PANELS
  if (is_in_integer_panels(stream, queries->rows)) {
    attend_integer_panels(stream, queries, ranges, range_count, partial, workspace);
    return;
  }
#endif
  if (is_attended_in_rows(stream, queries->rows)) {
    attend_rows(stream, queries, ranges, range_count, partial, workspace);
  } else if (is_in_pieces(stream, queries->rows)) {
    attend_pieces(stream, queries, ranges, range_count, partial, workspace);
  } else {
    attend_panels(stream, queries, ranges, range_count, partial, workspace);
  }
}
