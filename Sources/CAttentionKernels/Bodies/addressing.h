// From tokens to rows: contiguous, ring and paged streams become runs of rows that lie row_bytes
// apart, and runs become tiles of row addresses.

// One side, keys or values, of a run of rows.
typedef struct run_side {
  const char *rows;
  int64_t row_bytes;
  const char *group;  // of rows quantised per channel: their group, where its scales are
} run_side;

typedef struct run {
  run_side keys;
  run_side values;
  int64_t tokens;
} run;

// The rows from `row` on of one side that starts at `base`, with `tokens` cut to those that lie one
// after another.
INLINE run_side side_at(const char *base, int64_t row_bytes, int element, int64_t width,
                        const attn_groups *groups, int64_t token, int64_t row, int64_t *tokens) {
  if (groups->tokens <= 0) return (run_side){base + row * row_bytes, row_bytes, NULL};
  if (token >= groups->tail_begin) {
    const char *tail = groups->tail;
    return (run_side){tail + (token - groups->tail_begin) * groups->tail_row_bytes,
                      groups->tail_row_bytes, NULL};
  }
  int64_t group = row / groups->tokens, inside = row - group * groups->tokens;
  if (groups->tokens - inside < *tokens) *tokens = groups->tokens - inside;
  if (groups->tail_begin - token < *tokens) *tokens = groups->tail_begin - token;
  const char *at = base + group * groups->bytes;
  return (run_side){at + attn_group_header_bytes(element, width) + inside * row_bytes, row_bytes,
                    at};
}

// The rows of the tokens from `token`, as far as they lie one after another, `limit` at most.
INLINE run run_at(const attn_stream *stream, int64_t token, int64_t limit) {
  int64_t physical = 0, row = token, tokens = limit;
  if (stream->page_table) {
    int64_t page = token / stream->page_tokens;
    row = token - page * stream->page_tokens;
    physical = stream->page_table[page];
    if (stream->page_tokens - row < tokens) tokens = stream->page_tokens - row;
  } else if (stream->ring_tokens > 0) {
    int64_t boundary;
    if (token < stream->sink_tokens) {
      boundary = stream->sink_tokens - token;
    } else {
      int64_t wrapped = (token - stream->sink_tokens) % stream->ring_tokens;
      row = stream->sink_tokens + wrapped;
      boundary = stream->ring_tokens - wrapped;
    }
    if (boundary < tokens) tokens = boundary;
  }
  run run;
  run.keys = side_at((const char *)stream->keys + physical * stream->key_page_bytes,
                     stream->key_row_bytes, stream->key_element, stream->key_width, &stream->key_groups, token, row,
                     &tokens);
  run.values = run.keys;
  if (!stream->value_is_key_prefix) {
    run.values = side_at((const char *)stream->values + physical * stream->value_page_bytes,
                         stream->value_row_bytes, stream->value_element, stream->value_width, &stream->value_groups, token,
                         row, &tokens);
  }
  run.tokens = tokens;
  return run;
}

enum {
  LONG_TILE_TOKENS = 512,  // the most tokens of a tile that is read in place, once
  TILE_SLACK = 16,         // addresses that blocks may touch past a tile
};

// The row addresses of a tile of tokens, which are consecutive or woven (tile_cursor), and of what is fetched
// meanwhile: the tile that follows, or after a call's last one the first of the thread's next call. Addresses
// past `count` repeat the last row, so that blocks of several tokens need no remainder.
typedef struct tile {
  int32_t limit;  // tokens a tile of this call holds at most
  int64_t first;
  int32_t count;
  int64_t next_first;
  int32_t next_count;   // 0: this is the last one
  int32_t fetch_count;  // addresses to fetch; line by line no more are than `count`
  const char **keys, **values;            // of this tile
  const char **next_keys, **next_values;  // to fetch
  const char *addresses[4][LONG_TILE_TOKENS + TILE_SLACK];
} tile;

// Walks the tokens of the ranges; a tile never spans two ranges. With several ways the whole tiles of a range
// that all rows see are woven: the range is cut into as many parts, and a tile takes tokens of all parts in turn,
// so that the processor's prefetchers follow that many places of the memory at once. Where a token comes makes
// no difference to attention, and such a tile's tokens are all seen, as those from `first` on are.
typedef struct tile_cursor {
  const attn_stream *stream;
  const attn_queries *queries;
  const attn_range *ranges;
  int32_t range_count;
  int32_t ways;  // 1: tokens in order; divides the tokens of a tile
  int32_t range;
  int64_t token;
  int64_t woven_end;  // of the present range's woven tokens
} tile_cursor;

INLINE tile_cursor cursor_of(const attn_stream *stream, const attn_queries *queries, const attn_range *ranges,
                             int32_t range_count, int32_t ways) {
  return (tile_cursor){stream, queries, ranges, range_count, ways, 0, INT64_MIN, INT64_MIN};
}

// Whether every row sees every token of the range.
static bool is_seen_whole(const attn_queries *queries, const attn_range *range) {
  if (!queries->row_end) return true;
  for (int32_t r = 0; r < queries->rows; r++) {
    if (queries->row_end[r] < range->end) return false;
    if (queries->row_begin && queries->row_begin[r] > range->begin) return false;
  }
  return true;
}

// Whole tiles from the beginning of a range, where its parts are at least a tile long: as many as let the parts
// begin in different places of a second-level cache, where they are long enough. A power of two apart, the lines
// of all parts would share one of its sets.
static int64_t woven_end(const tile_cursor *cursor, const attn_range *range, int32_t limit) {
  enum { PERIOD = 128 << 10 };  // bytes from one line of a set to the next one, of the usual second-level caches
  int64_t tiles = (range->end - range->begin) / limit;
  const int64_t ways = cursor->ways;
  if (ways <= 1 || tiles < ways || !is_seen_whole(cursor->queries, range)) return range->begin;
  const int64_t between = PERIOD / ways, step = limit / ways * cursor->stream->key_row_bytes;
  for (int64_t fewer = 0; fewer * step <= 2 * between && tiles - fewer >= 8 * ways; fewer++) {
    const int64_t off = (tiles - fewer) * step % (2 * between) - between;
    if (2 * off <= step && -2 * off <= step) {
      tiles -= fewer;
      break;
    }
  }
  return range->begin + tiles * limit;
}

// The rows of `count` tokens from `token` on, `ways` addresses apart.
static void fill_rows(const attn_stream *stream, int64_t token, int64_t count, int32_t ways, const char **keys,
                      const char **values) {
  for (int64_t t = 0; t < count;) {
    const run r = run_at(stream, token + t, count - t);
    for (int64_t i = 0; i < r.tokens; i++) {
      keys[(t + i) * ways] = r.keys.rows + i * r.keys.row_bytes;
      values[(t + i) * ways] = r.values.rows + i * r.values.row_bytes;
    }
    t += r.tokens;
  }
}

// Puts the addresses of the cursor's next tokens into the next tile, and returns how many there are.
static int32_t take_tokens(tile_cursor *cursor, tile *tile) {
  const attn_stream *stream = cursor->stream;
  const int32_t limit = tile->limit;
  const char **keys = tile->next_keys, **values = tile->next_values;
  int32_t count = 0;
  const attn_range *range = NULL;
  while (cursor->range < cursor->range_count) {
    range = &cursor->ranges[cursor->range];
    if (cursor->token < range->begin) {
      cursor->token = range->begin;
      cursor->woven_end = woven_end(cursor, range, limit);
    }
    if (cursor->token < range->end) {
      int64_t left = range->end - cursor->token;
      count = left < limit ? (int32_t)left : limit;
      break;
    }
    cursor->range++;
    cursor->token = INT64_MIN;
  }
  if (count == 0) return 0;
  if (cursor->token < cursor->woven_end) {
    const int32_t ways = cursor->ways;
    const int64_t part = (cursor->woven_end - range->begin) / ways, at = (cursor->token - range->begin) / ways;
    for (int32_t w = 0; w < ways; w++) {
      fill_rows(stream, range->begin + w * part + at, count / ways, ways, keys + w, values + w);
    }
  } else {
    fill_rows(stream, cursor->token, count, 1, keys, values);
  }
  cursor->token += count;
  return count;
}

// The first tokens of the thread's next call.
static int32_t take_following_tokens(const tile_cursor *cursor, tile *tile) {
  const attn_following *following = cursor->queries->following;
  if (!following) return 0;
  const attn_stream *stream = NULL;
  const attn_range *ranges = NULL;
  const int32_t range_count = following->claim(following->context, &stream, &ranges);
  if (range_count == 0) return 0;
  tile_cursor begin = cursor_of(stream, cursor->queries, ranges, range_count, cursor->ways);
  return take_tokens(&begin, tile);
}

static void fill_next_tile(tile_cursor *cursor, tile *tile) {
  const int32_t count = take_tokens(cursor, tile);
  tile->next_first = cursor->token - count;
  tile->next_count = count;
  tile->fetch_count = count > 0 ? count : take_following_tokens(cursor, tile);
  // The slots behind repeat the last row; where there is none, the current tile's: harmless to prefetch.
  const char **keys = tile->next_keys, **values = tile->next_values;
  const char *last_key = tile->count ? tile->keys[tile->count - 1] : cursor->stream->keys;
  const char *last_value = tile->count ? tile->values[tile->count - 1] : cursor->stream->values;
  if (tile->fetch_count > 0) {
    last_key = keys[tile->fetch_count - 1];
    last_value = values[tile->fetch_count - 1];
  }
  for (int32_t t = tile->fetch_count; t < tile->limit + TILE_SLACK; t++) {
    keys[t] = last_key;
    values[t] = last_value;
  }
}

INLINE void first_tile(tile_cursor *cursor, tile *tile, int32_t limit) {
  tile->limit = limit;
  tile->count = 0;
  tile->keys = tile->addresses[0];
  tile->values = tile->addresses[1];
  tile->next_keys = tile->addresses[2];
  tile->next_values = tile->addresses[3];
  fill_next_tile(cursor, tile);
}

// Makes the tile that follows the current one; false at the end.
INLINE bool next_tile(tile_cursor *cursor, tile *tile) {
  if (tile->next_count == 0) return false;
  tile->first = tile->next_first;
  tile->count = tile->next_count;
  const char **keys = tile->keys, **values = tile->values;
  tile->keys = tile->next_keys;
  tile->values = tile->next_values;
  tile->next_keys = keys;
  tile->next_values = values;
  fill_next_tile(cursor, tile);
  return true;
}
