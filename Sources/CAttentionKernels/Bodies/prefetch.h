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
  int32_t credit, lines, steps;  // `lines` in `steps`
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
  for (p->credit += p->lines; p->credit >= p->steps; p->credit -= p->steps) {
    if (p->at >= p->end && !prefetch_next_row(p)) {
      p->lines = 0;
      return;
    }
    __builtin_prefetch(p->at, 0, 2);
    p->at += 64;
  }
}

enum { LINE_BYTES = 64 };

// With few query rows what follows is fetched by whole rows every few tokens, or line by line between the
// multiply-adds. A burst of lines fills the buffers in which a core waits for its first-level cache, and the
// tile's own lines, which are near, then wait behind those that come from memory: with vectors of 16 lanes
// line by line is up to a quarter faster (Documentation/Kernels.md, AVX-512).
enum { FETCHES_BY_LINE = LANES == 16 };

// The lines of `bytes` from `offset` on of each of COUNT rows.
INLINE void prefetch_lines(const char *const *rows, const int COUNT, int64_t offset, const int64_t bytes) {
  UNROLL for (int j = 0; j < COUNT; j++) {
    UNROLL for (int64_t line = 0; line < bytes; line += LINE_BYTES) {
      __builtin_prefetch(rows[j] + offset + line, 0, 2);
    }
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

// What is fetched during a value product, in either way or none: the rows of one side, or for each row of
// the tile one whose lines are fetched when its own are read.
typedef struct fetched_meanwhile {
  row_prefetcher *by_row;
  const char *const *by_line;
} fetched_meanwhile;

INLINE int64_t lines_of_side(const prefetcher *p, int side) {
  return (p->row_bytes[side] + 63) / 64 * p->count;
}

// Spreads all lines over `steps` calls of prefetch_some.
INLINE void prefetch_in_steps(prefetcher *p, int64_t steps) {
  p->lines = (int32_t)(lines_of_side(p, 0) + lines_of_side(p, 1));
  p->steps = steps > 0 ? (int32_t)steps : 1;
}

// For what is fetched beside a tile that is current.
INLINE prefetcher prefetch_tile_after(const attn_stream *stream, const tile *tile) {
  return (prefetcher){
      .rows = {tile->next_keys, tile->next_values},
      .row_bytes = {stream->key_row_bytes, stream->value_is_key_prefix ? 0 : stream->value_row_bytes},
      .count = tile->fetch_count,
  };
}
