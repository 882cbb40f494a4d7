// What is made ready while the sums of a panel product run: the next piece's rows in float32, and lines of
// the next tile, fetched from memory. Both come a little at a time between the multiply-adds, which hide them:
// as a phase of its own, widening waits for the second-level cache, and a burst of lines holds up what
// computes (prefetch.h).

typedef struct panel_feed {
  prefetcher *prefetch;     // of tiles that are widened as a whole, or NULL
  const char *const *rows;  // of the next piece
  int32_t left;             // of them; 0: nothing to widen
  int64_t offset, columns;  // the piece's first byte in a row; whole groups of elements
  float *to;
  int64_t stride;
  int32_t due, rate, steps;  // rows: `rate` in `steps`
  // Rows of the next tile, of which some bytes are fetched with each row that is widened.
  const char *const *fetched;
  int32_t fetched_left, fetched_at_once;
  int64_t fetched_offset, fetched_bytes;
} panel_feed;

INLINE panel_feed no_panel_feed(prefetcher *prefetch) { return (panel_feed){.prefetch = prefetch}; }

INLINE void feed_panel_row(const int element, panel_feed *f) {
  // Copies: what is stored might be the feed, as far as the compiler knows.
  const char *row = *f->rows++ + f->offset;
  const int64_t columns = f->columns, fetched_bytes = f->fetched_bytes;
  float *to = f->to;
  f->to = to + f->stride;
  f->left--;
  for (int64_t i = 0; i < columns; i += ATTN_GROUP, to += ATTN_GROUP) {
    vfloat y[GROUP_VECTORS];
    UNROLL for (int v = 0; v < GROUP_VECTORS; v++) y[v] = load_element(element, row, i + v * LANES);
    UNROLL for (int v = 0; v < GROUP_VECTORS; v++) store(to + v * LANES, y[v]);
  }
  for (int32_t j = 0; j < f->fetched_at_once && f->fetched_left > 0; j++, f->fetched_left--) {
    const char *line = *f->fetched++ + f->fetched_offset;
#pragma clang loop unroll(disable)
    for (int64_t b = 0; b < fetched_bytes; b += LINE_BYTES) __builtin_prefetch(line + b, 0, 2);
  }
}

// Called once in each step of a product.
INLINE void feed_panel(const int element, panel_feed *f) {
  if (f->prefetch) prefetch_some(f->prefetch);
  if (f->left == 0) return;
  for (f->due += f->rate; f->due >= f->steps && f->left > 0; f->due -= f->steps) feed_panel_row(element, f);
}

// What the steps of the product have left.
INLINE void finish_panel_feed(const int element, panel_feed *f) {
  while (f->left > 0) feed_panel_row(element, f);
}
