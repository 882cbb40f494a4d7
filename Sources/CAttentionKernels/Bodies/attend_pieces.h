// Attention of as many query rows as one panel holds (MQA, MLA of up to 32 heads): the walk of
// attend_panels.h with tiles that are widened piece by piece. While the sums of one piece run, the next one
// is widened between the multiply-adds into the other of two buffers, which never leave the first-level
// cache. Keys and values are widened apart even where they are the same rows: that costs less than
// writing a tile to the second-level cache and reading it back.

enum {
  // Tokens of a piece of keys, and columns of a piece of values.
  PIECE_TOKENS = 2 * PANEL_TOKENS,
  PIECE_COLUMNS = PANEL_VALUE_VECTORS * LANES,
  // Tokens of a tile: two pieces of values and the weights stay in a first-level cache of 48 KiB.
  PIECED_TILE_TOKENS = 2 * PIECE_TOKENS,
};

// BODY with `element` as a constant, of those that come here: INT8 and INT4 are multiplied as integers, and by
// matrix tiles, where there are any, all but float32 are attended.
#if HAS_TILES
#define FOR_PIECED_ELEMENT(element, BODY) \
  if ((element) == ATTN_ELEMENT_F32) BODY(ATTN_ELEMENT_F32);
INLINE bool is_pieced_element(int element) { return element == ATTN_ELEMENT_F32; }
#else
#define FOR_PIECED_ELEMENT(element, BODY)                   \
  switch (element) {                                        \
    case ATTN_ELEMENT_F32: BODY(ATTN_ELEMENT_F32); break;   \
    case ATTN_ELEMENT_F16: BODY(ATTN_ELEMENT_F16); break;   \
    case ATTN_ELEMENT_BF16: BODY(ATTN_ELEMENT_BF16); break; \
    case ATTN_ELEMENT_FP8: BODY(ATTN_ELEMENT_FP8); break;   \
    default: break;                                         \
  }
INLINE bool is_pieced_element(int element) { return is_plain(element) || element == ATTN_ELEMENT_FP8; }
#endif

// Whether tiles are widened in pieces: whole groups of elements, and one panel of queries.
INLINE bool is_in_pieces(const attn_stream *stream, int32_t rows) {
  if (!is_pieced_element(stream->key_element)) return false;
  if (!stream->value_is_key_prefix && !is_pieced_element(stream->value_element)) return false;
  return FETCHES_BY_LINE && PANEL_ROWS == ATTN_ROW_BLOCK && PIECE_COLUMNS % ATTN_GROUP == 0 &&
         rows <= PANEL_ROWS && stream->key_width % ATTN_GROUP == 0 && stream->value_width % ATTN_GROUP == 0;
}

// Some columns of some rows of a tile.
typedef struct tile_piece {
  int element;
  const char *const *rows;
  int32_t tokens;  // 0: none
  int64_t first, columns;
} tile_piece;

// How a tile is cut: its keys by depth, then by tokens; its values by columns.
typedef struct piece_cut {
  const attn_stream *stream;
  int64_t depth;
  int32_t count, token_blocks, key_pieces, pieces;
} piece_cut;

static piece_cut cut_tile(const panel_plan *plan, int32_t count) {
  const int32_t blocks = (count + PIECE_TOKENS - 1) / PIECE_TOKENS;
  const int32_t key_pieces = (int32_t)((plan->stream->key_width + plan->depth - 1) / plan->depth) * blocks;
  const int64_t columns = plan->stream->value_width;
  return (piece_cut){
      .stream = plan->stream,
      .depth = plan->depth,
      .count = count,
      .token_blocks = blocks,
      .key_pieces = key_pieces,
      .pieces = key_pieces + (int32_t)((columns + PIECE_COLUMNS - 1) / PIECE_COLUMNS),
  };
}

static tile_piece piece_of(const piece_cut *cut, int32_t index, const char *const *keys,
                           const char *const *values) {
  const attn_stream *stream = cut->stream;
  if (index < cut->key_pieces) {
    const int32_t token = index % cut->token_blocks * PIECE_TOKENS;
    const int64_t first = index / cut->token_blocks * cut->depth, left = stream->key_width - first;
    return (tile_piece){
        .element = stream->key_element,
        .rows = keys + token,
        .tokens = cut->count - token < PIECE_TOKENS ? cut->count - token : PIECE_TOKENS,
        .first = first,
        .columns = left < cut->depth ? left : cut->depth,
    };
  }
  const int64_t first = (int64_t)(index - cut->key_pieces) * PIECE_COLUMNS, left = stream->value_width - first;
  const bool prefix = stream->value_is_key_prefix;
  return (tile_piece){
      .element = prefix ? stream->key_element : stream->value_element,
      .rows = prefix ? keys : values,
      .tokens = cut->count,
      .first = first,
      .columns = left < PIECE_COLUMNS ? left : PIECE_COLUMNS,
  };
}

// Floats from one row of a piece of keys to the next: an odd number of lines, so that rows, which are read a
// column at a time, do not share cache sets; a constant, so that no address needs an instruction.
enum { KEY_PIECE_STRIDE = PANEL_DEPTH + LANES };

// What brings a piece to `to` while a product of so many steps runs, or at once.
INLINE panel_feed feed_of(const tile_piece *piece, bool keys, float *to, int64_t steps) {
  return (panel_feed){
      .rows = piece->rows,
      .left = piece->tokens,
      .offset = piece->first / ATTN_GROUP * block_bytes(piece->element),
      .columns = piece->columns,
      .to = to,
      .stride = keys ? KEY_PIECE_STRIDE : PIECE_COLUMNS,
      .rate = piece->tokens,
      .steps = steps > 0 ? (int32_t)steps : 1,
  };
}

// Beside that, the lines of a piece of the next tile.
INLINE void fetch_with(panel_feed *feed, const tile_piece *piece) {
  feed->fetched = piece->rows;
  feed->fetched_left = feed->left > 0 ? piece->tokens : 0;
  feed->fetched_at_once = feed->left > 0 ? (piece->tokens + feed->left - 1) / feed->left : 0;
  feed->fetched_offset = piece->first / ATTN_GROUP * block_bytes(piece->element);
  feed->fetched_bytes = piece->columns / ATTN_GROUP * block_bytes(piece->element);
}

static void finish_feed(int element, panel_feed *feed) {
#define FINISH_FEED(ELEMENT) finish_panel_feed(ELEMENT, feed)
  FOR_PIECED_ELEMENT(element, FINISH_FEED)
#undef FINISH_FEED
}

// Scores of a piece of keys that lies in `keys`; `element` is that of the piece that is fed.
static void piece_scores(const panel_plan *plan, const tile_piece *piece, int32_t token, const float *keys,
                         int element, panel_feed *feed) {
  const int vectors = panel_vectors(plan->queries->rows, 0);
  const float *packed = plan->packed + piece->first * vectors * LANES;
  float *scores = plan->scores + token * ATTN_ROW_BLOCK;
#define PIECE_SCORES(ELEMENT)                                                                          \
  panel_scores(ELEMENT, vectors, keys, KEY_PIECE_STRIDE, piece->tokens, packed, piece->columns, \
               piece->first == 0, scores, ATTN_ROW_BLOCK, feed)
  FOR_PIECED_ELEMENT(element, PIECE_SCORES)
#undef PIECE_SCORES
}

static void piece_values(const panel_plan *plan, const tile_piece *piece, const float *values,
                         const panel_block *block, int element, panel_feed *feed) {
#define PIECE_VALUES(ELEMENT)                                                                                    \
  panel_values(ELEMENT, plan->scores, ATTN_ROW_BLOCK, values, PIECE_COLUMNS, 0, piece->tokens, block->rows, \
               piece->columns, block->accumulator + piece->first, block->stride, block->rescale, feed)
  FOR_PIECED_ELEMENT(element, PIECE_VALUES)
#undef PIECE_VALUES
}

// One tile that every row sees. `ready`: whether its first piece lies in buffers[*side] already; returns
// whether the next tile's does then.
static bool attend_tile_in_pieces(const panel_plan *plan, const tile *tile, panel_block *block,
                                  attn_partial *partial, float *const buffers[2], int *side, bool ready) {
  const piece_cut cut = cut_tile(plan, tile->count), next_cut = cut_tile(plan, tile->next_count);
  const int vectors = panel_vectors(plan->queries->rows, 0);
  tile_piece piece = piece_of(&cut, 0, tile->keys, tile->values);
  if (!ready) {
    panel_feed feed = feed_of(&piece, true, buffers[*side], 1);
    finish_feed(piece.element, &feed);
  }
  for (int32_t p = 0; p < cut.pieces; p++) {
    const bool of_keys = p < cut.key_pieces;
    tile_piece next = {.element = ATTN_ELEMENT_F32};
    if (p + 1 < cut.pieces) {
      next = piece_of(&cut, p + 1, tile->keys, tile->values);
    } else if (tile->next_count > 0) {
      next = piece_of(&next_cut, 0, tile->next_keys, tile->next_values);
    }
    const int64_t steps = of_keys ? panel_score_steps(vectors, piece.tokens, piece.columns)
                                  : panel_value_steps(block->rows, piece.columns, piece.tokens);
    const bool is_next_of_keys = p + 1 < cut.key_pieces || p + 1 == cut.pieces;
    panel_feed feed = feed_of(&next, is_next_of_keys, buffers[!*side], steps);
    // Of this piece in the next tile; values that are a prefix of their keys come with them. Behind a call's
    // last piece nothing is widened, and no lines are fetched beside it.
    if (tile->fetch_count > 0 && (of_keys || !plan->stream->value_is_key_prefix)) {
      const tile_piece after = piece_of(&cut, p, tile->next_keys, tile->next_values);
      fetch_with(&feed, &after);
    }
    if (p == cut.key_pieces) {
      softmax_panel(plan->queries, 0, block->rows, block->visible, true, tile->count, plan->scores, partial,
                    block->rescale);
    }
    if (of_keys) {
      piece_scores(plan, &piece, p % cut.token_blocks * PIECE_TOKENS, buffers[*side], next.element, &feed);
    } else {
      const bool is_fed = is_fed_in_values(block->rows, piece.columns);
      piece_values(plan, &piece, buffers[*side], block, is_fed ? next.element : ATTN_ELEMENT_F32,
                   is_fed ? &feed : NULL);
    }
    finish_feed(next.element, &feed);
    piece = next;
    *side = !*side;
  }
  return piece.tokens > 0;
}

static void attend_pieces(const attn_stream *stream, const attn_queries *queries, const attn_range *ranges,
                          int32_t range_count, attn_partial *partial, void *workspace) {
  const attn_workspace_layout layout =
      attn_lay_out_workspace(queries->rows, stream->key_width, stream->value_width);
  panel_plan plan = plan_panels(stream, queries, &layout, workspace);
  plan.depth = (plan.depth + ATTN_GROUP - 1) / ATTN_GROUP * ATTN_GROUP;
  pack_queries(queries, stream->key_width, plan.packed);
  const int64_t keys = PIECE_TOKENS * KEY_PIECE_STRIDE, values = PIECED_TILE_TOKENS * PIECE_COLUMNS;
  // In the room of the widened tile, which only a tile that is seen in part needs.
  float *const buffers[2] = {plan.wide.keys, plan.wide.keys + (keys > values ? keys : values)};
  int side = 0;
  bool ready = false;

  tile_cursor cursor = cursor_of(stream, queries, ranges, range_count, 1);
  tile tile;
  first_tile(&cursor, &tile, PIECED_TILE_TOKENS);
  while (next_tile(&cursor, &tile)) {
    panel_block block;
    if (!see_panel(queries, 0, &tile, partial, &block)) {
      ready = false;
    } else if (block.sight.all) {
      ready = attend_tile_in_pieces(&plan, &tile, &block, partial, buffers, &side, ready);
    } else {
      prefetcher prefetch = prefetch_tile_after(stream, &tile);
      prefetch_in_steps(&prefetch, panel_steps(&plan, tile.count));
      widen_tile(stream, &tile, &plan.wide);
      const bool finite = panel_is_finite(&plan.wide, tile.count, stream->value_width);
      attend_wide_tile(&plan, tile.count, &block, partial, finite, &prefetch);
      ready = false;
    }
  }
}
