// Attention of several query rows by matrix tiles. As in attend_panels.h both halves are matrix
// products, here of the operands in bfloat16 pieces that tile_operands.h makes. Scores come out token by
// token with rows side by side, so that the softmax is the one of the panels; its weights are split and
// transposed for the value product, whose sums stay in the workspace for the whole call.

enum {
  // The least number of query rows; fewer are faster in place, and with eight still twice as fast.
  TILE_LEAST_QUERIES = 9,
  // Elements of a row of keys that a block of scores takes at a time: two blocks of queries of that
  // length, in both pieces, stay in the first-level cache.
  SCORE_DEPTH = 192,
};

// Whether tiles serve the stream's rows. Rows of integers that a panel of queries reads are multiplied as they
// are stored, with up to 32 queries faster than cut; 16 over INT4, if cutting keys serves the values too.
static bool is_in_tiles(const attn_stream *stream, int32_t rows) {
#if INTEGER_PANELS
  const bool shares_cuts = stream->value_is_key_prefix && stream->key_element == ATTN_ELEMENT_INT4;
  const int32_t most_uncut = shares_cuts ? TILE_ROWS : PANEL_ROWS;
  if (rows <= most_uncut && is_in_integer_panels(stream, rows)) return false;
#endif
  const bool prefix = stream->value_is_key_prefix;
  const int key = stream->key_element, value = prefix ? key : stream->value_element;
  return rows >= TILE_LEAST_QUERIES && pieces_of(key) > 0 && pieces_of(value) > 0 &&
         !is_copied(key, stream->key_width) &&
         !is_copied(value, prefix ? stream->key_width : stream->value_width);
}

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
  const attn_stream *stream = plan->stream;
  const int64_t depth = (stream->key_width + TILE_DEPTH - 1) / TILE_DEPTH;
  const int64_t columns = (stream->value_width + TILE_DEPTH - 1) / TILE_DEPTH;
  const int64_t splits = tokens / 2 * (depth + (stream->value_is_key_prefix ? 0 : columns));
  const int32_t blocks = blocks_of(plan->queries->rows);
  const int64_t scores = tokens / TILE_ROWS * blocks * depth * piece_products(plan->key_pieces, PIECES);
  const int64_t values = tokens / TILE_DEPTH * blocks * 2 * columns * piece_products(PIECES, plan->value_pieces);
  return splits + scores + values;
}

static void attend_tiles(const attn_stream *stream, const attn_queries *queries,
                         const attn_range *ranges, int32_t range_count, attn_partial *partial,
                         void *workspace) {
  const int32_t rows = queries->rows;
  const tile_plan plan = plan_tiles(stream, queries, workspace);
  tiles_begin();
  split_queries(&plan);
  fetch_sums(&plan, partial);

  tile_cursor cursor = cursor_of(stream, queries, ranges, range_count, 1);
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
      const rows_sight sight = see_tile(queries, first_row, n, &tile, visible);
      if (!sight.any) continue;
      if (!is_split) split_tile(&plan, &tile, &prefetch);
      is_split = true;
      tile_scores(&plan, tokens, first_block, blocks, &prefetch);
      float rescale[ATTN_ROW_BLOCK];
      softmax_panel(queries, first_row, n, visible, sight.all, count, plan.scores, partial, rescale);
      rescale_sums(&plan, first_row, n, rescale);
      if (!sight.all && finite < 0) finite = tile_is_finite(&plan, count);
      if (sight.all || finite) {
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
