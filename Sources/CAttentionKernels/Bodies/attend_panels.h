// Attention of many query rows (MQA, MLA, prefill): both halves are matrix products over rows in
// float32. A tile is widened as a whole, or, where one panel has all query rows and each half reads
// rows of its own, piece by piece as the products come to it, so that what is widened never leaves the
// first-level cache.

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

enum {
  // Tokens and elements of a piece of keys, and columns of a piece of values.
  PIECE_TOKENS = 2 * PANEL_TOKENS,
  PIECE_COLUMNS = PANEL_VALUE_VECTORS * LANES,
};

// Whether tiles are widened in pieces: whole groups of elements, one panel of queries, and nothing
// widened twice.
INLINE bool is_in_pieces(const attn_stream *stream, int32_t rows) {
  return PANEL_ROWS == ATTN_ROW_BLOCK && PIECE_COLUMNS % ATTN_GROUP == 0 && rows <= PANEL_ROWS &&
         !stream->value_is_key_prefix && stream->key_width % ATTN_GROUP == 0 &&
         !is_copied(stream->key_element, stream->key_width) &&
         !is_copied(stream->value_element, stream->value_width);
}

// Tokens of a tile that is widened as a whole: as many as leave room in the second-level cache for the
// queries, the sums and the stored rows of the next tile.
INLINE int32_t panel_tile_tokens(const attn_workspace_layout *layout, bool prefix) {
  enum { TILE_BYTES = 160 << 10, STEP = 2 * PANEL_TOKENS };
  const int64_t row = (layout->key_stride + (prefix ? 0 : layout->value_stride)) * 4;
  const int64_t tokens = TILE_BYTES / row / STEP * STEP;
  return tokens < STEP ? STEP : tokens > ATTN_TILE_TOKENS ? ATTN_TILE_TOKENS : (int32_t)tokens;
}

// What all tiles of a call have in common.
typedef struct panel_plan {
  const attn_stream *stream;
  const attn_queries *queries;
  bool in_pieces;
  float *packed, *scores;
  panel_tile wide;    // a widened tile, or a piece of one at `wide.keys`
  int64_t depths, depth;  // pieces of a row of keys, and the most elements of one
} panel_plan;

static panel_plan plan_panels(const attn_stream *stream, const attn_queries *queries,
                              const attn_workspace_layout *layout, char *workspace) {
  const bool prefix = stream->value_is_key_prefix;
  panel_plan plan = {
      .stream = stream,
      .queries = queries,
      .in_pieces = is_in_pieces(stream, queries->rows),
      .packed = (float *)(workspace + layout->queries),
      .scores = (float *)(workspace + layout->scores),
      .wide = {.keys = (float *)(workspace + layout->key_tile),
               .values = (float *)(workspace + (prefix ? layout->key_tile : layout->value_tile)),
               .key_stride = layout->key_stride,
               .value_stride = prefix ? layout->key_stride : layout->value_stride},
  };
  if (stream->key_element == ATTN_ELEMENT_CUSTOM) {
    plan.wide.key_stride = stream->key_width;
    if (prefix) plan.wide.value_stride = stream->key_width;
  }
  if (!prefix && stream->value_element == ATTN_ELEMENT_CUSTOM) plan.wide.value_stride = stream->value_width;
  const int64_t unit = plan.in_pieces ? ATTN_GROUP : 1;
  plan.depths = (stream->key_width + PANEL_DEPTH - 1) / PANEL_DEPTH;
  plan.depth = ((stream->key_width + plan.depths - 1) / plan.depths + unit - 1) / unit * unit;
  return plan;
}

// Scores of all tokens of a tile with `rows` query rows from `first_row`.
static void tile_panel_scores(const panel_plan *plan, const tile *tile, int32_t first_row, int32_t rows,
                              prefetcher *prefetch) {
  const int64_t width = plan->stream->key_width;
  const int32_t all_rows = plan->queries->rows;
  for (int64_t i = 0; i < width; i += plan->depth) {
    const int64_t depth = width - i < plan->depth ? width - i : plan->depth;
    for (int32_t r = 0; r < rows; r += PANEL_ROWS) {
      const int vectors = panel_vectors(all_rows, first_row + r);
      const float *packed = plan->packed + (first_row + r) * width + i * vectors * LANES;
      if (!plan->in_pieces) {
        panel_scores(vectors, plan->wide.keys + i, plan->wide.key_stride, tile->count, packed, depth,
                     i == 0, plan->scores + r, ATTN_ROW_BLOCK, prefetch);
        continue;
      }
      for (int32_t t = 0; t < tile->count; t += PIECE_TOKENS) {
        const int32_t tokens = tile->count - t < PIECE_TOKENS ? tile->count - t : PIECE_TOKENS;
        widen_columns(plan->stream->key_element, tile->keys + t, tokens, i, depth, plan->wide.keys,
                      depth);
        panel_scores(vectors, plan->wide.keys, depth, tokens, packed, depth, i == 0,
                     plan->scores + t * ATTN_ROW_BLOCK, ATTN_ROW_BLOCK, prefetch);
      }
    }
  }
}

// accumulator = rescale * accumulator + weights * values of a tile that every row may touch.
static void tile_panel_values(const panel_plan *plan, const tile *tile, int32_t rows,
                              const float *rescale, float *accumulator, int64_t stride,
                              prefetcher *prefetch) {
  const attn_stream *stream = plan->stream;
  const int64_t width = stream->value_width;
  if (!plan->in_pieces) {
    panel_values(plan->scores, ATTN_ROW_BLOCK, plan->wide.values, plan->wide.value_stride, 0,
                 tile->count, rows, width, accumulator, stride, rescale, prefetch);
    return;
  }
  float *piece = plan->wide.keys;
  for (int64_t v = 0; v < width; v += PIECE_COLUMNS) {
    const int64_t columns = width - v < PIECE_COLUMNS ? width - v : PIECE_COLUMNS;
    const int64_t piece_stride = (columns + LANES - 1) / LANES * LANES;
    widen_columns(stream->value_element, tile->values, tile->count, v, columns, piece, piece_stride);
    panel_values(plan->scores, ATTN_ROW_BLOCK, piece, piece_stride, 0, tile->count, rows, columns,
                 accumulator + v, stride, rescale, prefetch);
  }
}

// The same where some row must not touch some token: row by row, run by run, over a widened tile.
static void masked_panel_values(const panel_plan *plan, const visible_tokens *visible, int32_t rows,
                                const float *rescale, float *accumulator, int64_t stride) {
  const panel_tile *wide = &plan->wide;
  const int64_t width = plan->stream->value_width;
  const float one = 1;
  for (int32_t r = 0; r < rows; r++) {
    float *out = accumulator + r * stride;
    panel_values(plan->scores + r, ATTN_ROW_BLOCK, wide->values, wide->value_stride, 0,
                 visible[r].head, 1, width, out, stride, rescale + r, NULL);
    panel_values(plan->scores + r, ATTN_ROW_BLOCK, wide->values, wide->value_stride, visible[r].tail,
                 visible[r].end, 1, width, out, stride, &one, NULL);
  }
}

static void attend_panels(const attn_stream *stream, const attn_queries *queries,
                          const attn_range *ranges, int32_t range_count, attn_partial *partial,
                          void *workspace) {
  const int32_t rows = queries->rows;
  const int64_t value_width = stream->value_width;
  const attn_workspace_layout layout = attn_lay_out_workspace(rows, stream->key_width, value_width);
  const panel_plan plan = plan_panels(stream, queries, &layout, workspace);
  pack_queries(queries, stream->key_width, plan.packed);

  tile_cursor cursor = {stream, ranges, range_count, 0, INT64_MIN};
  tile tile;
  first_tile(&cursor, &tile,
             plan.in_pieces ? ATTN_TILE_TOKENS
                            : panel_tile_tokens(&layout, stream->value_is_key_prefix));
  while (next_tile(&cursor, &tile)) {
    const int32_t count = tile.count;
    bool is_widened = false;
    int finite = -1;  // not looked at yet
    prefetcher prefetch = prefetch_tile_after(stream, &tile);
    const int64_t vectors = (rows + LANES - 1) / LANES;
    prefetch_in_steps(&prefetch, (count * vectors / (2 * PANEL_TOKENS) + 1) * plan.depths +
                                     panel_value_blocks(rows, value_width));
    for (int32_t first_row = 0; first_row < rows; first_row += ATTN_ROW_BLOCK) {
      const int32_t n = rows - first_row < ATTN_ROW_BLOCK ? rows - first_row : ATTN_ROW_BLOCK;
      visible_tokens visible[ATTN_ROW_BLOCK];
      const rows_sight sight = see_tile(queries, first_row, n, &tile, visible);
      if (!sight.any) continue;
      if (!is_widened && !plan.in_pieces) widen_tile(stream, &tile, &plan.wide);
      is_widened = true;
      tile_panel_scores(&plan, &tile, first_row, n, &prefetch);
      float rescale[ATTN_ROW_BLOCK];
      softmax_panel(queries, first_row, n, visible, sight.all, count, plan.scores, partial, rescale);
      const int64_t stride = partial->accumulator_stride;
      float *accumulator = partial->accumulator + first_row * stride;
      if (!sight.all && finite < 0) {
        if (plan.in_pieces) widen_tile(stream, &tile, &plan.wide);
        finite = panel_is_finite(&plan.wide, count, value_width);
      }
      if (sight.all || finite) {
        tile_panel_values(&plan, &tile, n, rescale, accumulator, stride, &prefetch);
      } else {
        masked_panel_values(&plan, visible, n, rescale, accumulator, stride);
      }
    }
  }
}
