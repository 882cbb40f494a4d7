// Attention of many query rows (MQA, MLA, prefill): both halves are matrix products over rows in
// float32. A tile is widened as a whole here; see attend_pieces.h for what one panel of query rows does.

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

// Tokens of a tile that is widened as a whole: as many as leave room in the second-level cache (2 MiB on the
// machine with 16 lanes that was measured, 512 KiB on the one with 8) for the queries, the sums and the stored
// rows of the next tile.
INLINE int32_t panel_tile_tokens(const attn_workspace_layout *layout, bool prefix) {
  enum { TILE_BYTES = (LANES == 16 ? 240 : 160) << 10, STEP = 2 * PANEL_TOKENS };
  const int64_t row = (layout->key_stride + (prefix ? 0 : layout->value_stride)) * 4;
  const int64_t tokens = TILE_BYTES / row / STEP * STEP;
  return tokens < STEP ? STEP : tokens > ATTN_TILE_TOKENS ? ATTN_TILE_TOKENS : (int32_t)tokens;
}

// What all tiles of a call have in common.
typedef struct panel_plan {
  const attn_stream *stream;
  const attn_queries *queries;
  float *packed, *scores;
  panel_tile wide;  // a widened tile
  int64_t depth;    // elements of a row of keys that scores take at a time, even
} panel_plan;

static panel_plan plan_panels(const attn_stream *stream, const attn_queries *queries,
                              const attn_workspace_layout *layout, char *workspace) {
  const bool prefix = stream->value_is_key_prefix;
  panel_plan plan = {
      .stream = stream,
      .queries = queries,
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
  const int64_t depths = (stream->key_width + PANEL_DEPTH - 1) / PANEL_DEPTH;
  plan.depth = (stream->key_width + 2 * depths - 1) / (2 * depths) * 2;
  return plan;
}

// Scores of all tokens of a widened tile with `rows` query rows from `first_row`.
static void tile_panel_scores(const panel_plan *plan, int32_t count, int32_t first_row, int32_t rows,
                              panel_feed *feed) {
  const int64_t width = plan->stream->key_width;
  const int32_t all_rows = plan->queries->rows;
  for (int64_t i = 0; i < width; i += plan->depth) {
    const int64_t depth = width - i < plan->depth ? width - i : plan->depth;
    for (int32_t r = 0; r < rows; r += PANEL_ROWS) {
      const int vectors = panel_vectors(all_rows, first_row + r);
      const float *packed = plan->packed + (first_row + r) * width + i * vectors * LANES;
      panel_scores(ATTN_ELEMENT_F32, vectors, plan->wide.keys + i, plan->wide.key_stride, count, packed, depth,
                   i == 0, plan->scores + r, ATTN_ROW_BLOCK, feed);
    }
  }
}

// accumulator = rescale * accumulator + weights * values of a widened tile that every row may touch.
static void tile_panel_values(const panel_plan *plan, int32_t count, int32_t rows, const float *rescale,
                              float *accumulator, int64_t stride, panel_feed *feed) {
  panel_values(ATTN_ELEMENT_F32, plan->scores, ATTN_ROW_BLOCK, plan->wide.values, plan->wide.value_stride, 0,
               count, rows, plan->stream->value_width, accumulator, stride, rescale, feed);
}

// Steps of both for all query rows.
INLINE int64_t panel_steps(const panel_plan *plan, int32_t count) {
  const int32_t rows = plan->queries->rows;
  int64_t steps = 0;
  for (int32_t r = 0; r < rows; r += PANEL_ROWS) {
    steps += panel_score_steps(panel_vectors(rows, r), count, plan->stream->key_width);
  }
  for (int32_t r = 0; r < rows; r += ATTN_ROW_BLOCK) {
    const int32_t n = rows - r < ATTN_ROW_BLOCK ? rows - r : ATTN_ROW_BLOCK;
    steps += panel_value_steps(n, plan->stream->value_width, count);
  }
  return steps;
}

// The same where some row must not touch some token: row by row, run by run, over a widened tile.
static void masked_panel_values(const panel_plan *plan, const visible_tokens *visible, int32_t rows,
                                const float *rescale, float *accumulator, int64_t stride) {
  const panel_tile *wide = &plan->wide;
  const int64_t width = plan->stream->value_width;
  const float one = 1;
  for (int32_t r = 0; r < rows; r++) {
    float *out = accumulator + r * stride;
    panel_values(ATTN_ELEMENT_F32, plan->scores + r, ATTN_ROW_BLOCK, wide->values, wide->value_stride, 0,
                 visible[r].head, 1, width, out, stride, rescale + r, NULL);
    panel_values(ATTN_ELEMENT_F32, plan->scores + r, ATTN_ROW_BLOCK, wide->values, wide->value_stride,
                 visible[r].tail, visible[r].end, 1, width, out, stride, &one, NULL);
  }
}

// What every way of widening tiles does with a tile: the block of query rows from `first_row` on sees it by
// `visible`, its scores lie in the plan.
typedef struct panel_block {
  int32_t first_row, rows;
  rows_sight sight;
  visible_tokens visible[ATTN_ROW_BLOCK];
  float rescale[ATTN_ROW_BLOCK];
  float *accumulator;
  int64_t stride;
} panel_block;

static bool see_panel(const attn_queries *queries, int32_t first_row, const tile *tile,
                      const attn_partial *partial, panel_block *block) {
  const int32_t left = queries->rows - first_row;
  block->first_row = first_row;
  block->rows = left < ATTN_ROW_BLOCK ? left : ATTN_ROW_BLOCK;
  block->stride = partial->accumulator_stride;
  block->accumulator = partial->accumulator + first_row * block->stride;
  block->sight = see_tile(queries, first_row, block->rows, tile, block->visible);
  return block->sight.any;
}

// The block's rows over a widened tile; `finite`: whether all its values are.
static void attend_wide_tile(const panel_plan *plan, int32_t count, panel_block *block, attn_partial *partial,
                             bool finite, prefetcher *prefetch) {
  panel_feed feed = no_panel_feed(prefetch);
  tile_panel_scores(plan, count, block->first_row, block->rows, &feed);
  softmax_panel(plan->queries, block->first_row, block->rows, block->visible, block->sight.all, count,
                plan->scores, partial, block->rescale);
  if (block->sight.all || finite) {
    tile_panel_values(plan, count, block->rows, block->rescale, block->accumulator, block->stride, &feed);
  } else {
    masked_panel_values(plan, block->visible, block->rows, block->rescale, block->accumulator, block->stride);
  }
}

static void attend_panels(const attn_stream *stream, const attn_queries *queries,
                          const attn_range *ranges, int32_t range_count, attn_partial *partial,
                          void *workspace) {
  const int32_t rows = queries->rows;
  const attn_workspace_layout layout = attn_lay_out_workspace(rows, stream->key_width, stream->value_width);
  const panel_plan plan = plan_panels(stream, queries, &layout, workspace);
  pack_queries(queries, stream->key_width, plan.packed);

  tile_cursor cursor = cursor_of(stream, queries, ranges, range_count, 1);
  tile tile;
  first_tile(&cursor, &tile, panel_tile_tokens(&layout, stream->value_is_key_prefix));
  while (next_tile(&cursor, &tile)) {
    bool is_widened = false;
    int finite = -1;  // not looked at yet
    prefetcher prefetch = prefetch_tile_after(stream, &tile);
    prefetch_in_steps(&prefetch, panel_steps(&plan, tile.count));
    for (int32_t first_row = 0; first_row < rows; first_row += ATTN_ROW_BLOCK) {
      panel_block block;
      if (!see_panel(queries, first_row, &tile, partial, &block)) continue;
      if (!is_widened) widen_tile(stream, &tile, &plan.wide);
      is_widened = true;
      if (!block.sight.all && finite < 0) finite = panel_is_finite(&plan.wide, tile.count, stream->value_width);
      attend_wide_tile(&plan, tile.count, &block, partial, finite > 0, &prefetch);
    }
  }
}
