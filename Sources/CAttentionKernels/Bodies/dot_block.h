// Dot products of a few float rows with a few stored rows, both read along the width: the scores
// of few query rows. Each stored element is widened once for all rows of the block.

// The tokens a block of `rows` rows takes, so that the accumulators fill the registers.
#if VECTOR_REGISTERS == 32
#define DOT_ROWS 8
#define DOT_TOKENS(rows) ((rows) <= 1 ? 4 : (rows) <= 3 ? 8 : (rows) <= 6 ? 4 : 2)
// Of blocked elements, whose blocks take registers too.
#define DOT_BLOCK_TOKENS(rows) ((rows) <= 4 ? 4 : 2)
#else
#define DOT_ROWS 7
#define DOT_TOKENS(rows) ((rows) <= 3 ? 4 : 2)
#define DOT_BLOCK_TOKENS(rows) DOT_TOKENS(rows)
#endif
// Independent sums of one dot product: with fewer than eight sums in all, each would wait for the
// one before it (two multiply-adds a cycle, four cycles each).
#define DOT_CHAINS(rows, tokens) ((rows) * (tokens) >= 8 ? 1 : 2)

// out[r * out_stride + t] = the lane sum of sums[r * TOKENS + t].
INLINE void store_dots(const int ROWS, const int TOKENS, const vfloat *sums, float *out,
                       int64_t out_stride) {
  if (TOKENS == 2) {
    UNROLL for (int r = 0; r < ROWS; r += 2) {
      const int s = r + 1 < ROWS ? r + 1 : r;
      quad q = sum_four(sums[2 * r], sums[2 * r + 1], sums[2 * s], sums[2 * s + 1]);
      memcpy(out + r * out_stride, &q, 8);
      if (s > r) memcpy(out + s * out_stride, (const char *)&q + 8, 8);
    }
  } else {
    UNROLL for (int r = 0; r < ROWS; r++) {
      UNROLL for (int t = 0; t < TOKENS; t += 4) {
        const vfloat *s = sums + r * TOKENS + t;
        *(quad_any *)(out + r * out_stride + t) = sum_four(s[0], s[1], s[2], s[3]);
      }
    }
  }
}

// out[r * out_stride + t] = sum_i in[r * in_stride + i] * stored[t][i] for `ROWS` rows and `TOKENS`
// stored rows.
INLINE void dot_block_of(const int element, const int ROWS, const int TOKENS, const float *in,
                         int64_t in_stride, const char *const *stored, int64_t width, float *out,
                         int64_t out_stride) {
  const int CHAINS = DOT_CHAINS(ROWS, TOKENS);
  vfloat sums[DOT_ROWS * 8];
  UNROLL for (int j = 0; j < ROWS * TOKENS; j++) sums[j] = splat(0);
  int64_t i = 0;
  for (; is_blocked(element) && i + ATTN_GROUP <= width; i += ATTN_GROUP) {
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
      UNROLL for (int t = 0; t < TOKENS; t++) {
        const vfloat y0 = load_element(element, stored[t], i);
        const vfloat y1 = load_element(element, stored[t], i + LANES);
        UNROLL for (int r = 0; r < ROWS; r++) {
          const float *x = in + r * in_stride + i;
          sums[r * TOKENS + t] = fma_vector(load(x), y0, sums[r * TOKENS + t]);
          others[r * TOKENS + t] = fma_vector(load(x + LANES), y1, others[r * TOKENS + t]);
        }
      }
    }
    UNROLL for (int j = 0; j < ROWS * TOKENS; j++) sums[j] = sums[j] + others[j];
  }
  for (; i + LANES <= width; i += LANES) {
    vfloat x[DOT_ROWS];
    UNROLL for (int r = 0; r < ROWS; r++) x[r] = load(in + r * in_stride + i);
    UNROLL for (int t = 0; t < TOKENS; t++) {
      vfloat y = load_element(element, stored[t], i);
      UNROLL for (int r = 0; r < ROWS; r++) {
        sums[r * TOKENS + t] = fma_vector(x[r], y, sums[r * TOKENS + t]);
      }
    }
  }
  store_dots(ROWS, TOKENS, sums, out, out_stride);
}

// The same for one row, stored row after stored row: a single run of memory at a time. Rows of whole
// vectors only.
INLINE void dot_row_of(const int element, const float *in, const char *const *stored, int64_t width,
                       float *out) {
  enum { TOKENS = DOT_TOKENS(1), CHAINS = 4 };
  vfloat totals[TOKENS];
  UNROLL for (int t = 0; t < TOKENS; t++) {
    vfloat sums[CHAINS];
    UNROLL for (int j = 0; j < CHAINS; j++) sums[j] = splat(0);
    int64_t i = 0;
    for (; i + CHAINS * LANES <= width; i += CHAINS * LANES) {
      UNROLL for (int j = 0; j < CHAINS; j++) {
        const vfloat y = load_element(element, stored[t], i + j * LANES);
        sums[j] = fma_vector(load(in + i + j * LANES), y, sums[j]);
      }
    }
    for (; i < width; i += LANES) {
      sums[0] = fma_vector(load(in + i), load_element(element, stored[t], i), sums[0]);
    }
    totals[t] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }
  store_dots(1, TOKENS, totals, out, 0);
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

// All of `count` stored rows (addresses readable up to the next multiple of 8) against ROWS rows;
// meanwhile a row of `fetch` is fetched for each.
INLINE void dot_rows_of(const int element, const int ROWS, const float *in, int64_t in_stride,
                        const char *const *stored, int32_t count, int64_t width, fetched_rows fetch,
                        float *out, int64_t out_stride) {
  const int TOKENS = is_blocked(element) ? DOT_BLOCK_TOKENS(ROWS) : DOT_TOKENS(ROWS);
  for (int32_t t = 0; t < count; t += TOKENS) {
    if (fetch.rows) {
      UNROLL for (int j = 0; j < TOKENS; j++) prefetch_row(fetch.rows[t + j], fetch.row_bytes);
    }
    if (ROWS == 1 && !is_blocked(element) && width % LANES == 0) {
      dot_row_of(element, in, stored + t, width, out + t);
      continue;
    }
    dot_block_of(element, ROWS, TOKENS, in, in_stride, stored + t, width, out + t, out_stride);
    if (width % LANES) {
      dot_tail(element, ROWS, TOKENS, in, in_stride, stored + t, width, out + t, out_stride);
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
    DOT_CASE(7)
#if DOT_ROWS == 8
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
