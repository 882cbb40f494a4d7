// Dot products of a few float rows with a few stored rows, both read along the width: the scores
// of few query rows. Each stored element is widened once for all rows of the block.

// The tokens a block of `rows` rows takes, so that the accumulators fill the registers; with 32 of them four, even
// where there is room for more: from the memory eight tokens of two or three rows are up to a seventh slower.
#if VECTOR_REGISTERS == 32
#define DOT_ROWS 8
#define DOT_TOKENS(rows) ((rows) <= 6 ? 4 : 2)
// Of blocked elements, whose blocks take registers too.
#define DOT_BLOCK_TOKENS(rows) ((rows) <= 4 ? 4 : 2)
#else
#define DOT_ROWS 6
#define DOT_TOKENS(rows) ((rows) <= 2 ? 4 : 2)
#define DOT_BLOCK_TOKENS(rows) DOT_TOKENS(rows)
#endif
// Independent sums of one dot product: with fewer than eight sums in all, each would wait for the
// one before it (two multiply-adds a cycle, four cycles each).
#define DOT_CHAINS(rows, tokens) ((rows) * (tokens) >= 8 ? 1 : 2)

// Of blocks of two tokens the sums are put aside until there is a vector of tokens: adding their lanes
// takes many steps that wait for one another, and the multiply-adds for them.
enum { DOT_STRIP = LANES < 8 ? 8 : LANES };

// Adds the lanes of blocks of four or eight tokens: sums[r * TOKENS + t] is out[r * out_stride + t].
INLINE void store_dots(const int ROWS, const int TOKENS, const vfloat *sums, float *out,
                       int64_t out_stride) {
  int first = 0;
#if LANES == 16
  // Sixteen at once take half of the steps.
  UNROLL for (; first + LANES <= ROWS * TOKENS; first += LANES) {
    const vfloat all = sum_each(sums + first);
    UNROLL for (int q = 0; q < LANES; q += 4) {
      const quad one = {all[q], all[q + 1], all[q + 2], all[q + 3]};
      *(quad_any *)(out + (first + q) / TOKENS * out_stride + (first + q) % TOKENS) = one;
    }
  }
#endif
  UNROLL for (int j = first; j < ROWS * TOKENS; j += 4) {
    const vfloat *s = sums + j;
    *(quad_any *)(out + j / TOKENS * out_stride + j % TOKENS) = sum_four(s[0], s[1], s[2], s[3]);
  }
}

// One vector of the width. The fewer of rows and tokens are held in registers while the others come one
// after the other, which leaves room for most sums.
INLINE void add_dots(const int element, const int ROWS, const int TOKENS, const float *in,
                     int64_t in_stride, const char *const *stored, int64_t i, vfloat *sums) {
  vfloat held[8];
  if (ROWS < TOKENS) {
    UNROLL for (int r = 0; r < ROWS; r++) held[r] = load(in + r * in_stride);
    UNROLL for (int t = 0; t < TOKENS; t++) {
      const vfloat y = load_element(element, stored[t], i);
      UNROLL for (int r = 0; r < ROWS; r++) {
        sums[r * TOKENS + t] = fma_vector(held[r], y, sums[r * TOKENS + t]);
      }
    }
  } else {
    UNROLL for (int t = 0; t < TOKENS; t++) held[t] = load_element(element, stored[t], i);
    UNROLL for (int r = 0; r < ROWS; r++) {
      const vfloat x = load(in + r * in_stride);
      UNROLL for (int t = 0; t < TOKENS; t++) {
        sums[r * TOKENS + t] = fma_vector(x, held[t], sums[r * TOKENS + t]);
      }
    }
  }
}

// totals[r * TOKENS + t], its lanes added, is sum_i in[r * in_stride + i] * stored[t][i] for `ROWS` rows and
// `TOKENS` stored rows; `next`: rows whose lines are fetched meanwhile, or NULL.
INLINE void dot_block_of(const int element, const int ROWS, const int TOKENS, const float *in,
                         int64_t in_stride, const char *const *stored, int64_t width,
                         const char *const *next, vfloat *totals) {
  const int CHAINS = DOT_CHAINS(ROWS, TOKENS);
  vfloat sums[DOT_ROWS * 8];
  UNROLL for (int j = 0; j < ROWS * TOKENS; j++) sums[j] = splat(0);
  int64_t i = 0;
  for (; is_blocked(element) && i + ATTN_GROUP <= width; i += ATTN_GROUP) {
    if (next) prefetch_lines(next, TOKENS, i / ATTN_GROUP * block_bytes(element), 1);
#if VECTOR_REGISTERS == 32
    vfloat y[DOT_ROWS][GROUP_VECTORS];
    UNROLL for (int t = 0; t < TOKENS; t++) load_block(element, stored[t], i, y[t]);
    UNROLL for (int v = 0; v < GROUP_VECTORS; v++) {
      UNROLL for (int r = 0; r < ROWS; r++) {
        const vfloat x = load(in + r * in_stride + i + v * LANES);
        UNROLL for (int t = 0; t < TOKENS; t++) {
          sums[r * TOKENS + t] = fma_vector(x, y[t][v], sums[r * TOKENS + t]);
        }
      }
    }
#else
    UNROLL for (int t = 0; t < TOKENS; t++) {
      vfloat y[GROUP_VECTORS];
      load_block(element, stored[t], i, y);
      UNROLL for (int v = 0; v < GROUP_VECTORS; v++) {
        UNROLL for (int r = 0; r < ROWS; r++) {
          sums[r * TOKENS + t] =
              fma_vector(load(in + r * in_stride + i + v * LANES), y[v], sums[r * TOKENS + t]);
        }
      }
    }
#endif
  }
  if (CHAINS == 2 && i + 2 * LANES <= width) {
    vfloat others[8];
    UNROLL for (int j = 0; j < ROWS * TOKENS; j++) others[j] = splat(0);
    for (; i + 2 * LANES <= width; i += 2 * LANES) {
      if (next) prefetch_lines(next, TOKENS, i * block_bytes(element) / ATTN_GROUP, 1);
      add_dots(element, ROWS, TOKENS, in + i, in_stride, stored, i, sums);
      add_dots(element, ROWS, TOKENS, in + i + LANES, in_stride, stored, i + LANES, others);
    }
    UNROLL for (int j = 0; j < ROWS * TOKENS; j++) sums[j] = sums[j] + others[j];
  }
  if (next && !is_blocked(element)) {
    const int LINE = LINE_BYTES * ATTN_GROUP / (int)block_bytes(element);  // elements of a line
    for (; i + LINE <= width; i += LINE) {
      prefetch_lines(next, TOKENS, i * LINE_BYTES / LINE, 1);
      UNROLL for (int v = 0; v < LINE; v += LANES) {
        add_dots(element, ROWS, TOKENS, in + i + v, in_stride, stored, i + v, sums);
      }
    }
    if (i < width) prefetch_lines(next, TOKENS, i * LINE_BYTES / LINE, 1);
  }
  for (; i + LANES <= width; i += LANES) {
    add_dots(element, ROWS, TOKENS, in + i, in_stride, stored, i, sums);
  }
  UNROLL for (int j = 0; j < ROWS * TOKENS; j++) totals[j] = sums[j];
}

// The same for one row, stored row after stored row: a single run of memory at a time. Rows of whole
// vectors only.
INLINE void dot_row_of(const int element, const float *in, const char *const *stored, int64_t width,
                       const char *const *next, vfloat *totals) {
  enum { TOKENS = DOT_TOKENS(1), CHAINS = 4 };
  const int64_t step_bytes = CHAINS * LANES * block_bytes(element) / ATTN_GROUP;
  UNROLL for (int t = 0; t < TOKENS; t++) {
    vfloat sums[CHAINS];
    UNROLL for (int j = 0; j < CHAINS; j++) sums[j] = splat(0);
    int64_t i = 0;
    for (; i + CHAINS * LANES <= width; i += CHAINS * LANES) {
      if (next) prefetch_lines(next + t, 1, i / (CHAINS * LANES) * step_bytes, step_bytes);
      UNROLL for (int j = 0; j < CHAINS; j++) {
        const vfloat y = load_element(element, stored[t], i + j * LANES);
        sums[j] = fma_vector(load(in + i + j * LANES), y, sums[j]);
      }
    }
    if (next && i < width) prefetch_lines(next + t, 1, i / (CHAINS * LANES) * step_bytes, step_bytes);
    for (; i < width; i += LANES) {
      sums[0] = fma_vector(load(in + i), load_element(element, stored[t], i), sums[0]);
    }
    totals[t] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }
}

// Adds the elements that fill no vector. Apart from the block, whose sums must stay in registers.
static void dot_tail(int element, int rows, int tokens, const float *in, int64_t in_stride,
                     const char *const *stored, int64_t width, float *out, int64_t out_stride) {
  const int64_t i = width / LANES * LANES;
  for (int t = 0; t < tokens; t++) {
    vfloat y = load_element_tail(element, stored[t], i, width - i);
    for (int r = 0; r < rows; r++) {
      vfloat x = load_element_tail(ATTN_ELEMENT_F32, (const char *)(in + r * in_stride), i,
                                   width - i);
      out[r * out_stride + t] += sum_lanes(x * y);
    }
  }
}

// A block from stored row `t` on, before its lanes are added; its rows of `fetch` are fetched first or
// meanwhile.
INLINE void dot_block_at(const int element, const int ROWS, const int TOKENS, const float *in,
                         int64_t in_stride, const char *const *stored, int32_t t, int64_t width,
                         fetched_rows fetch, vfloat *totals) {
  const char *const *next = fetch.rows ? fetch.rows + t : NULL;
  if (next && !FETCHES_BY_LINE) {
    UNROLL for (int j = 0; j < TOKENS; j++) prefetch_row(next[j], fetch.row_bytes);
    next = NULL;
  }
  if (ROWS == 1 && !is_blocked(element) && width % LANES == 0) {
    dot_row_of(element, in, stored + t, width, next, totals);
  } else {
    dot_block_of(element, ROWS, TOKENS, in, in_stride, stored + t, width, next, totals);
  }
}

// All of `count` stored rows (addresses readable, and results written, up to the next multiple of
// DOT_STRIP) against ROWS rows.
INLINE void dot_rows_of(const int element, const int ROWS, const float *in, int64_t in_stride,
                        const char *const *stored, int32_t count, int64_t width, fetched_rows fetch,
                        float *out, int64_t out_stride) {
  const int TOKENS = is_blocked(element) ? DOT_BLOCK_TOKENS(ROWS) : DOT_TOKENS(ROWS);
  const int AT_ONCE = TOKENS == 2 ? DOT_STRIP : TOKENS;
  for (int32_t t = 0; t < count; t += AT_ONCE) {
    vfloat totals[DOT_ROWS * 8];
    if (TOKENS > 2) {
      dot_block_at(element, ROWS, TOKENS, in, in_stride, stored, t, width, fetch, totals);
      store_dots(ROWS, TOKENS, totals, out + t, out_stride);
    } else {
      vfloat strip[DOT_ROWS * DOT_STRIP];
#pragma clang loop unroll(disable)
      for (int32_t j = 0; j < DOT_STRIP; j += 2) {
        dot_block_at(element, ROWS, 2, in, in_stride, stored, t + j, width, fetch, totals);
        UNROLL for (int r = 0; r < ROWS; r++) {
          strip[r * DOT_STRIP + j] = totals[2 * r];
          strip[r * DOT_STRIP + j + 1] = totals[2 * r + 1];
        }
      }
      UNROLL for (int r = 0; r < ROWS; r++) {
        UNROLL for (int j = 0; j < DOT_STRIP; j += LANES) {
          store(out + r * out_stride + t + j, sum_each(strip + r * DOT_STRIP + j));
        }
      }
    }
    if (width % LANES) {
      dot_tail(element, ROWS, AT_ONCE, in, in_stride, stored + t, width, out + t, out_stride);
    }
  }
}

#define DOT_CASE(ROWS)                                                                         \
  case ROWS:                                                                                   \
    dot_rows_of(element, ROWS, in, in_stride, stored, count, width, fetch, out, out_stride);   \
    break;

INLINE void dot_rows_element(const int element, int rows, const float *in, int64_t in_stride,
                             const char *const *stored, int32_t count, int64_t width,
                             fetched_rows fetch, float *out, int64_t out_stride) {
  switch (rows) {
    DOT_CASE(1)
    DOT_CASE(2)
    DOT_CASE(3)
    DOT_CASE(4)
    DOT_CASE(5)
    DOT_CASE(6)
#if DOT_ROWS == 8
    DOT_CASE(7)
    DOT_CASE(8)
#endif
    default: break;
  }
}

static void dot_rows(int element, int rows, const float *in, int64_t in_stride,
                     const char *const *stored, int32_t count, int64_t width, fetched_rows fetch,
                     float *out, int64_t out_stride) {
#define DOT_ELEMENT(ELEMENT) \
  dot_rows_element(ELEMENT, rows, in, in_stride, stored, count, width, fetch, out, out_stride)
  switch (element) {
    case ATTN_ELEMENT_S8: DOT_ELEMENT(ATTN_ELEMENT_S8); break;
    case ELEMENT_PACKED: DOT_ELEMENT(ELEMENT_PACKED); break;
    default: FOR_ELEMENT(element, DOT_ELEMENT)
  }
#undef DOT_ELEMENT
}

// Rows a block takes where the stored rows are widened already: widening again costs nothing, so
// this is what the registers hold best.
enum { DOT_WIDENED_ROWS = VECTOR_REGISTERS == 32 ? 6 : 3 };
