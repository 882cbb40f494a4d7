// Fetching the next tile from memory while the present one is computed with. Lines are asked for in
// the order in which they lie, a few at a time and evenly over all phases: computing up to about as
// long as a line takes from memory then costs nothing. They go into the second-level cache, not the
// first, whose fill buffers cover only about half the bandwidth.

typedef struct prefetcher {
  const char *const *rows[2];  // keys, then values
  int64_t row_bytes[2];
  int32_t count;               // rows of each
  int32_t side, row;           // the row after the present one
  const char *at, *end;        // what is left of the present one
  int32_t share;               // lines of one step
} prefetcher;

INLINE bool prefetch_next_row(prefetcher *p) {
  while (p->side < 2 && (p->row == p->count || p->row_bytes[p->side] == 0)) {
    p->side++;
    p->row = 0;
  }
  if (p->side == 2) return false;
  const char *row = p->rows[p->side][p->row++];
  p->at = (const char *)((uintptr_t)row & ~(uintptr_t)63);
  p->end = row + p->row_bytes[p->side];
  return true;
}

INLINE void prefetch_some(prefetcher *p) {
  for (int32_t left = p->share; left > 0; left--) {
    if (p->at >= p->end && !prefetch_next_row(p)) return;
    __builtin_prefetch(p->at, 0, 2);
    p->at += 64;
  }
}

INLINE void prefetch_row(const char *row, int64_t bytes) {
  for (; bytes >= 4 * 64; bytes -= 4 * 64, row += 4 * 64) {
    UNROLL for (int line = 0; line < 4; line++) __builtin_prefetch(row + line * 64, 0, 2);
  }
#pragma clang loop unroll(disable)
  for (int64_t b = 0; b < bytes; b += 64) __builtin_prefetch(row + b, 0, 2);
}

// Rows to fetch one by one, readable as far as the rows that are computed with; none where NULL.
typedef struct fetched_rows {
  const char *const *rows;
  int64_t row_bytes;
} fetched_rows;

// The same by whole rows of one side: `count` rows over `steps` steps.
typedef struct row_prefetcher {
  const char *const *rows;
  int64_t row_bytes;
  int32_t count, next, credit, steps;
} row_prefetcher;

INLINE void prefetch_rows(row_prefetcher *p) {
  p->credit += p->count;
  while (p->credit >= p->steps && p->next < p->count) {
    p->credit -= p->steps;
    prefetch_row(p->rows[p->next++], p->row_bytes);
  }
}

INLINE int64_t lines_of_side(const prefetcher *p, int side) {
  return (p->row_bytes[side] + 63) / 64 * p->count;
}

// Spreads all lines over `steps` calls of prefetch_some.
INLINE void prefetch_in_steps(prefetcher *p, int64_t steps) {
  const int64_t lines = lines_of_side(p, 0) + lines_of_side(p, 1);
  p->share = (int32_t)((lines + steps - 1) / (steps > 0 ? steps : 1));
}

// For what follows a tile that is current.
INLINE prefetcher prefetch_tile_after(const attn_stream *stream, const tile *tile) {
  return (prefetcher){
      .rows = {tile->next_keys, tile->next_values},
      .row_bytes = {stream->key_row_bytes, stream->value_is_key_prefix ? 0 : stream->value_row_bytes},
      .count = tile->next_count,
  };
}
