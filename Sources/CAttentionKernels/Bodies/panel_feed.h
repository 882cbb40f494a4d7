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

// A group of columns of a row; `row` is its first byte.
INLINE void feed_group(const int element, const char *row, float *to) {
  vfloat y[GROUP_VECTORS];
  UNROLL for (int v = 0; v < GROUP_VECTORS; v++) y[v] = load_element(element, row, v * LANES);
  UNROLL for (int v = 0; v < GROUP_VECTORS; v++) store(to + v * LANES, y[v]);
}

INLINE void feed_panel_row(const int element, panel_feed *f) {
  // Copies: what is stored might be the feed, as far as the compiler knows.
  const char *row = *f->rows++ + f->offset;
  const int64_t columns = f->columns, fetched_bytes = f->fetched_bytes, bytes = block_bytes(element);
  float *to = f->to;
  f->to = to + f->stride;
  f->left--;
  // The usual widths without a loop: whatever is not arithmetic of vectors takes issue slots from it.
  enum { LONG = 4, SHORT = 2 };
  if (columns == LONG * ATTN_GROUP) {
    UNROLL for (int g = 0; g < LONG; g++) feed_group(element, row + g * bytes, to + g * ATTN_GROUP);
  } else if (columns == SHORT * ATTN_GROUP) {
    UNROLL for (int g = 0; g < SHORT; g++) feed_group(element, row + g * bytes, to + g * ATTN_GROUP);
  } else {
#pragma clang loop unroll(disable)
    for (int64_t i = 0; i < columns; i += ATTN_GROUP, row += bytes) feed_group(element, row, to + i);
  }
  int32_t fetched = f->fetched_at_once < f->fetched_left ? f->fetched_at_once : f->fetched_left;
  f->fetched_left -= fetched;
#pragma clang loop unroll(disable)
  for (; fetched > 0; fetched--) {
    const char *line = *f->fetched++ + f->fetched_offset, *end = line + fetched_bytes;
#pragma clang loop unroll(disable)
    for (; line < end; line += LINE_BYTES) __builtin_prefetch(line, 0, 2);
  }
}

// Called once in each step of a product. Only tiles that are widened as a whole, as float32, have a prefetcher.
INLINE void feed_panel(const int element, panel_feed *f) {
  if (element == ATTN_ELEMENT_F32 && f->prefetch) prefetch_some(f->prefetch);
  if (f->left == 0) return;
  for (f->due += f->rate; f->due >= f->steps && f->left > 0; f->due -= f->steps) feed_panel_row(element, f);
}

// What the steps of the product have left.
INLINE void finish_panel_feed(const int element, panel_feed *f) {
  while (f->left > 0) feed_panel_row(element, f);
}
