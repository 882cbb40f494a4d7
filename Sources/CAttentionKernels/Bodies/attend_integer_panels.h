// Attention of many query rows (MQA, MLA, prefill) over INT8 and INT4: what attend_panels.h does in
// float32, by products of integers. Where one panel has all query rows, a tile's integers are brought to
// 16 bits piece by piece as the products come to them and never leave the first-level cache; several
// panels share those of a whole tile.

// Workspace beside that of panels in float32.
typedef struct integer_panel_scratch {
  tile_scales key_scales, value_scales;
  integer_panel_weights weights;
} integer_panel_scratch;

_Static_assert(sizeof(integer_panel_scratch) <= ATTN_INTEGER_BYTES, "the workspace of integer panels");
_Static_assert(PANEL_ROWS == ATTN_ROW_BLOCK, "a block of rows is a panel");
_Static_assert(INTEGER_TOKENS % KEY_PIECE_TOKENS == 0 && KEY_PIECE_TOKENS <= TILE_SLACK, "pieces of keys");
_Static_assert(INTEGER_TOKENS % WEIGHT_STEP == 0 && WEIGHT_STEP <= TILE_SLACK, "steps of weights");

// The fewest query rows that go through panels of sixteen, measured: where a product of pairs and its sum are
// one instruction, as soon as rows in place are widened to float32.
enum {
#ifdef NATIVE_ADD_PAIRS
  LEAST_INTEGER_PANEL_ROWS = MOST_INTEGER_ROWS + 1,
#else
  LEAST_INTEGER_PANEL_ROWS = DOT_ROWS + 1,
#endif
};

INLINE bool is_in_integer_panels(const attn_stream *stream, int32_t rows) {
  return rows >= LEAST_INTEGER_PANEL_ROWS && is_integer_row(stream->key_element, stream->key_width) &&
         is_integer_row(stream->value_is_key_prefix ? stream->key_element : stream->value_element,
                        stream->value_width);
}

// What a tile's place for values holds.
enum { VALUES_UNREAD, VALUES_IN_PAIRS, VALUES_WIDENED };

// What all tiles of a call have in common.
typedef struct integer_panel_plan {
  const attn_stream *stream;
  bool is_shared;  // several panels read the integers of a tile
  int key_element, value_element;
  int64_t key_groups, value_groups;
  integer_panel_queries packed;
  int16_t *keys, *values;  // of a tile, or of a piece of it
  float *scores;
  tile_scales *key_scales, *value_scales;  // one where the values are a prefix of the keys
  integer_panel_weights *weights;
  panel_plan wide;  // for a tile whose values some rows must not touch
} integer_panel_plan;

static integer_panel_plan plan_integer_panels(const attn_stream *stream, const attn_queries *queries,
                                              char *workspace) {
  const bool prefix = stream->value_is_key_prefix;
  const attn_workspace_layout layout =
      attn_lay_out_workspace(queries->rows, stream->key_width, stream->value_width);
  integer_panel_scratch *scratch = (integer_panel_scratch *)(workspace + layout.integers);
  // The packed rows take half of what they take in float32; their sums and factors fit the other half.
  const int64_t rows = (queries->rows + PANEL_ROWS - 1) / PANEL_ROWS * PANEL_ROWS;
  int16_t *packed = (int16_t *)(workspace + layout.queries);
  float *sums = (float *)(packed + rows * stream->key_width);
  integer_panel_plan plan = {
      .stream = stream,
      .is_shared = queries->rows > PANEL_ROWS,
      .key_element = stream->key_element,
      .value_element = prefix ? stream->key_element : stream->value_element,
      .key_groups = stream->key_width / ATTN_GROUP,
      .value_groups = stream->value_width / ATTN_GROUP,
      .packed = {packed, sums, sums + rows * (stream->key_width / ATTN_GROUP)},
      .keys = (int16_t *)(workspace + layout.key_tile),
      .values = (int16_t *)(workspace + layout.value_tile),
      .scores = (float *)(workspace + layout.scores),
      .key_scales = &scratch->key_scales,
      .value_scales = prefix ? &scratch->key_scales : &scratch->value_scales,
      .weights = &scratch->weights,
  };
  plan.wide = (panel_plan){
      .stream = stream,
      .queries = queries,
      .scores = plan.scores,
      .wide = {.values = (float *)plan.values, .value_stride = layout.value_stride},
  };
  return plan;
}

// Tokens that the value product takes, those past the last one with weights and zeros of zero.
INLINE int32_t weighted_tokens(int32_t count) {
  return (count + WEIGHT_STEP - 1) / WEIGHT_STEP * WEIGHT_STEP;
}

// The scales of both sides.
static void gather_panel_scales(const integer_panel_plan *plan, const tile *tile) {
  const int32_t count = tile->count;
  gather_scales(plan->key_element, tile->keys, count, plan->key_groups, plan->key_scales);
  if (plan->value_scales != plan->key_scales) {
    gather_scales(plan->value_element, tile->values, count, plan->value_groups, plan->value_scales);
  }
  for (int32_t t = count; t < weighted_tokens(count); t++) {
    for (int64_t g = 0; g < plan->value_groups; g++) plan->value_scales->zeros[g * INTEGER_TOKENS + t] = 0;
  }
}

// Whether every value of the tile is finite: its scales and zeros are.
static bool integer_panel_is_finite(const integer_panel_plan *plan, int32_t count) {
  vfloat probe = splat(0);
  for (int64_t g = 0; g < plan->value_groups; g++) {
    for (int32_t t = 0; t < count; t += LANES) {
      const int64_t at = g * INTEGER_TOKENS + t;
      probe = probe + load(plan->value_scales->scales + at) * splat(0);
      if (plan->value_element == ATTN_ELEMENT_INT4) {
        probe = probe + load(plan->value_scales->zeros + at) * splat(0);
      }
    }
  }
  return sum_lanes(probe) == 0;
}

// Scores of all tokens of a tile with the panel of query rows from `first_row`.
static void tile_integer_scores(const integer_panel_plan *plan, const tile *tile, int32_t first_row,
                                int vectors, bool is_widened, prefetcher *prefetch) {
  const int64_t width = plan->stream->key_width, groups = plan->key_groups;
  const int64_t depths = (groups * vectors + KEY_PIECE_DEPTH - 1) / KEY_PIECE_DEPTH;
  for (int64_t d = 0; d < depths; d++) {
    const int64_t g = groups * d / depths;
    integer_panel_step step = {
        .queries = plan->packed.rows + first_row * width + g * ATTN_GROUP * vectors * LANES,
        .sums = plan->packed.sums + first_row * groups + g * vectors * LANES,
        .factors = plan->packed.factors + first_row,
        .groups = groups * (d + 1) / depths - g,
    };
    for (int32_t t = 0; t < tile->count; t += KEY_PIECE_TOKENS) {
      int16_t *piece = plan->keys;
      if (plan->is_shared) piece += t * width + g * KEY_PIECE_SHORTS;
      if (!is_widened) widen_key_piece(plan->key_element, tile->keys + t, g, step.groups, piece);
      step.keys = piece;
      step.scales = plan->key_scales->scales + g * INTEGER_TOKENS + t;
      step.zeros = plan->key_scales->zeros + g * INTEGER_TOKENS + t;
      integer_panel_scores(vectors, plan->key_element == ATTN_ELEMENT_INT4, step, d == 0,
                           plan->scores + t * ATTN_ROW_BLOCK, prefetch);
    }
  }
}

// accumulator = rescale * accumulator + weights * values of a tile that every row may touch.
static void tile_integer_values(const integer_panel_plan *plan, const tile *tile, int32_t rows,
                                bool is_paired, const float *rescale, float *accumulator, int64_t stride,
                                prefetcher *prefetch) {
  const int32_t tokens = weighted_tokens(tile->count), pairs = tokens / 2;
  memset(plan->scores + tile->count * ATTN_ROW_BLOCK, 0,
         sizeof(float) * (size_t)((tokens - tile->count) * ATTN_ROW_BLOCK));
  normalise_panel_weights(plan->scores, rows, tokens, plan->weights);
  for (int64_t g = 0; g < plan->value_groups; g++) {
    int16_t *values = plan->values;
    if (plan->is_shared) values += g * TOKEN_PAIRS * GROUP_PAIR_SHORTS;
    if (!is_paired) pair_columns(plan->value_element, tile->values, g, pairs, values);
    round_panel_weights(plan->value_element == ATTN_ELEMENT_INT4, plan->scores, rows, tokens,
                        plan->value_scales->scales + g * INTEGER_TOKENS,
                        plan->value_scales->zeros + g * INTEGER_TOKENS, plan->weights);
    integer_panel_columns(plan->value_element, rows, values, pairs, plan->weights, accumulator + g * ATTN_GROUP,
                          stride, rescale, prefetch);
  }
}

// Times that a block of rows looks at the memory in a tile.
INLINE int64_t tile_looks(const integer_panel_plan *plan, int32_t rows, int32_t count) {
  const int64_t pieces = (count + KEY_PIECE_TOKENS - 1) / KEY_PIECE_TOKENS;
  return pieces * panel_vectors(rows, 0) * plan->key_groups +
         plan->value_groups * integer_panel_looks(rows, weighted_tokens(count) / 2);
}

static void attend_integer_panels(const attn_stream *stream, const attn_queries *queries,
                                  const attn_range *ranges, int32_t range_count, attn_partial *partial,
                                  void *workspace) {
  const int32_t rows = queries->rows;
  integer_panel_plan plan = plan_integer_panels(stream, queries, workspace);
  pack_integer_queries(queries, stream->key_width, &plan.packed);

  tile_cursor cursor = cursor_of(stream, queries, ranges, range_count, 1);
  tile tile;
  first_tile(&cursor, &tile, INTEGER_TOKENS);
  while (next_tile(&cursor, &tile)) {
    const int32_t count = tile.count;
    bool has_scales = false, has_keys = false;
    int values = VALUES_UNREAD;
    int finite = -1;  // not looked at yet
    prefetcher prefetch = prefetch_tile_after(stream, &tile);
    int64_t looks = 0;
    for (int32_t r = 0; r < rows; r += ATTN_ROW_BLOCK) {
      looks += tile_looks(&plan, rows - r < ATTN_ROW_BLOCK ? rows - r : ATTN_ROW_BLOCK, count);
    }
    prefetch_in_steps(&prefetch, looks);
    for (int32_t first_row = 0; first_row < rows; first_row += ATTN_ROW_BLOCK) {
      const int32_t n = rows - first_row < ATTN_ROW_BLOCK ? rows - first_row : ATTN_ROW_BLOCK;
      visible_tokens visible[ATTN_ROW_BLOCK];
      const rows_sight sight = see_tile(queries, first_row, n, &tile, visible);
      if (!sight.any) continue;
      if (!has_scales) gather_panel_scales(&plan, &tile);
      has_scales = true;
      tile_integer_scores(&plan, &tile, first_row, panel_vectors(rows, first_row), has_keys, &prefetch);
      has_keys = plan.is_shared;
      float rescale[ATTN_ROW_BLOCK];
      softmax_panel(queries, first_row, n, visible, sight.all, count, plan.scores, partial, rescale);
      const int64_t stride = partial->accumulator_stride;
      float *accumulator = partial->accumulator + first_row * stride;
      if (!sight.all && finite < 0) finite = integer_panel_is_finite(&plan, count);
      if (sight.all || finite) {
        tile_integer_values(&plan, &tile, n, values == VALUES_IN_PAIRS, rescale, accumulator, stride,
                            &prefetch);
        values = plan.is_shared ? VALUES_IN_PAIRS : VALUES_UNREAD;
      } else {
        if (values != VALUES_WIDENED) {
          widen_side(stream, true, &tile, plan.wide.wide.values, plan.wide.wide.value_stride);
        }
        values = VALUES_WIDENED;
        masked_panel_values(&plan.wide, visible, n, rescale, accumulator, stride);
      }
    }
  }
}
