// Products of a large stored matrix with few rows: every weight is read from memory once. A block of
// a few outputs is multiplied with a few rows at a time; while it is, the next block is fetched from
// memory, line by line, spread over the passes that the block takes.

// Rows of a block, and its outputs at most: with 16 registers two where there are three rows or more, so
// that all sums are in registers.
enum { SKINNY_ROWS = 6, SKINNY_OUTPUTS = 4 };

INLINE int skinny_outputs(int rows) { return VECTOR_REGISTERS == 16 && rows >= 3 ? 2 : SKINNY_OUTPUTS; }

// The lines of the next block that a pass over the present one fetches: the first one after `phase`
// others, then every one in `passes`.
typedef struct skinny_ahead {
  const char *weights;  // first output of the next block; NULL: nothing to fetch
  int passes, phase;
} skinny_ahead;

// Adds a vector of the width to the sums of OUTPUTS outputs. The fewer of rows and outputs are held in
// registers while the others come one after the other.
INLINE void add_skinny(const int element, const int ROWS, const int OUTPUTS, const float *in,
                       int64_t in_stride, const char *weights, int64_t row_bytes, int64_t i, vfloat *sums) {
  vfloat held[SKINNY_ROWS];
  if (ROWS < OUTPUTS || OUTPUTS == SKINNY_OUTPUTS) {
    UNROLL for (int r = 0; r < ROWS; r++) held[r] = load(in + r * in_stride + i);
    UNROLL for (int o = 0; o < OUTPUTS; o++) {
      const vfloat y = load_element(element, weights + o * row_bytes, i);
      UNROLL for (int r = 0; r < ROWS; r++) {
        sums[r * SKINNY_OUTPUTS + o] = fma_vector(held[r], y, sums[r * SKINNY_OUTPUTS + o]);
      }
    }
  } else {
    UNROLL for (int o = 0; o < OUTPUTS; o++) held[o] = load_element(element, weights + o * row_bytes, i);
    UNROLL for (int r = 0; r < ROWS; r++) {
      const vfloat x = load(in + r * in_stride + i);
      UNROLL for (int o = 0; o < OUTPUTS; o++) {
        sums[r * SKINNY_OUTPUTS + o] = fma_vector(x, held[o], sums[r * SKINNY_OUTPUTS + o]);
      }
    }
  }
}

// sums[r * SKINNY_OUTPUTS + o] = sum_i in[r][i] * weights[o][i].
INLINE void skinny_block_of(const int element, const int ROWS, const int OUTPUTS, const float *in,
                            int64_t in_stride, const char *weights, int64_t row_bytes, int64_t width,
                            skinny_ahead ahead, float *out) {
  enum { LINE = 64 };
  const int vectors = element == ATTN_ELEMENT_F32 ? LINE / (4 * LANES)
                      : element == ATTN_ELEMENT_S8 ? LINE / LANES
                                                   : LINE / (2 * LANES);
  vfloat sums[SKINNY_ROWS * SKINNY_OUTPUTS];
  UNROLL for (int j = 0; j < ROWS * SKINNY_OUTPUTS; j++) sums[j] = splat(0);
  int64_t i = 0;
  int phase = ahead.phase;
  for (; i + vectors * LANES <= width; i += vectors * LANES) {
    if (ahead.weights) {
      if (phase == 0) {
        const char *line = ahead.weights + i * block_bytes(element) / ATTN_GROUP;
        UNROLL for (int o = 0; o < OUTPUTS; o++) __builtin_prefetch(line + o * row_bytes, 0, 2);
        phase = ahead.passes;
      }
      phase--;
    }
    UNROLL for (int v = 0; v < vectors; v++) {
      add_skinny(element, ROWS, OUTPUTS, in, in_stride, weights, row_bytes, i + v * LANES, sums);
    }
  }
  for (; i < width; i += LANES) {
    const int64_t count = width - i < LANES ? width - i : LANES;
    for (int o = 0; o < OUTPUTS; o++) {
      vfloat y = load_element_tail(element, weights + o * row_bytes, i, count);
      UNROLL for (int r = 0; r < ROWS; r++) {
        vfloat x = load_element_tail(ATTN_ELEMENT_F32, (const char *)(in + r * in_stride), i, count);
        sums[r * SKINNY_OUTPUTS + o] = fma_vector(x, y, sums[r * SKINNY_OUTPUTS + o]);
      }
    }
  }
  UNROLL for (int r = 0; r < ROWS; r++) {
    const vfloat *s = sums + r * SKINNY_OUTPUTS;
    *(quad_any *)(out + r * SKINNY_OUTPUTS) = sum_four(s[0], s[1], s[2], s[3]);
  }
}

#define SKINNY_CASE(ROWS)                                                                    \
  case ROWS:                                                                                 \
    if (OUTPUTS > skinny_outputs(ROWS)) break;                                               \
    skinny_block_of(element, ROWS, OUTPUTS, in, in_stride, weights, row_bytes, width, ahead, \
                    out);                                                                    \
    break;

INLINE void skinny_block(const int element, const int OUTPUTS, int rows, const float *in,
                         int64_t in_stride, const char *weights, int64_t row_bytes, int64_t width,
                         skinny_ahead ahead, float *out) {
  switch (rows) {
    SKINNY_CASE(1)
    SKINNY_CASE(2)
    SKINNY_CASE(3)
    SKINNY_CASE(4)
    SKINNY_CASE(5)
    SKINNY_CASE(6)
    default: break;
  }
}

// Fewer outputs than a block has, one at a time.
INLINE void skinny_few(const int element, int rows, const float *in, int64_t in_stride,
                       const char *weights, int64_t row_bytes, int64_t width, int64_t count,
                       float *out) {
  for (int r = 0; r < rows; r++) {
    for (int64_t o = 0; o < count; o++) {
      vfloat sum = splat(0);
      int64_t i = 0;
      for (; i + LANES <= width; i += LANES) {
        sum = fma_vector(load(in + r * in_stride + i),
                         load_element(element, weights + o * row_bytes, i), sum);
      }
      if (i < width) {
        vfloat x = load_element_tail(ATTN_ELEMENT_F32, (const char *)(in + r * in_stride), i,
                                     width - i);
        sum = fma_vector(x, load_element_tail(element, weights + o * row_bytes, i, width - i), sum);
      }
      out[r * SKINNY_OUTPUTS + o] = sum_lanes(sum);
    }
  }
}

// Scales sums and adds to them, where there is something to scale by or to add. Asked for every sum, the compiler
// makes loads with all lanes masked of what is not there, and one from no address takes a hundred cycles.
INLINE void finish_outputs(float *sums, int64_t count, const float *scales, const float *added) {
  if (scales && added) {
    for (int64_t o = 0; o < count; o++) sums[o] = sums[o] * scales[o] + added[o];
  } else if (scales) {
    for (int64_t o = 0; o < count; o++) sums[o] *= scales[o];
  } else if (added) {
    for (int64_t o = 0; o < count; o++) sums[o] += added[o];
  }
}

INLINE void skinny_product_of(const int element, const int OUTPUTS, const char *weights,
                              int64_t row_bytes, const float *scales, const float *in, int64_t in_stride,
                              int32_t rows, int64_t width, const float *bias, float *out,
                              int64_t out_stride, int64_t first, int64_t last) {
  const int block = even_block(rows, SKINNY_ROWS);
  const int passes = (rows + block - 1) / block;
  for (int64_t o = first; o < last; o += OUTPUTS) {
    const int64_t count = last - o < OUTPUTS ? last - o : OUTPUTS;
    // The last outputs again where a block would pass the end: the same sums, written once.
    const int64_t from = count < OUTPUTS && last - first >= OUTPUTS ? last - OUTPUTS : o;
    const char *at = weights + from * row_bytes;
    for (int pass = 0; pass < passes; pass++) {
      const int r = pass * block;
      const int n = rows - r < block ? rows - r : block;
      const skinny_ahead ahead = {
          .weights = o + 2 * OUTPUTS <= last ? at + OUTPUTS * row_bytes : NULL,
          .passes = passes,
          .phase = pass,
      };
      float sums[SKINNY_ROWS * SKINNY_OUTPUTS];
      if (last - first >= OUTPUTS) {
        skinny_block(element, OUTPUTS, n, in + r * in_stride, in_stride, at, row_bytes, width, ahead, sums);
      } else {
        skinny_few(element, n, in + r * in_stride, in_stride, at, row_bytes, width, count, sums);
      }
      for (int i = 0; i < n; i++) {
        float *target = out + (r + i) * out_stride;
        const float *line = sums + i * SKINNY_OUTPUTS + (o - from);
        for (int64_t j = 0; j < count; j++) target[o + j] = line[j];
        if (scales || bias) finish_outputs(target + o, count, scales ? scales + o : NULL, bias ? bias + o : NULL);
      }
    }
  }
}

static void skinny_product(const void *weights, int32_t element, int64_t weight_stride_elements,
                           const float *scales, const float *in, int64_t in_stride, int32_t rows,
                           int64_t width, const float *bias, float *out, int64_t out_stride,
                           int64_t first, int64_t last) {
  if (rows <= 0) return;
  const bool has_small_blocks = skinny_outputs(even_block(rows, SKINNY_ROWS)) < SKINNY_OUTPUTS;
#define SKINNY_BLOCKS(ELEMENT, OUTPUTS)                                                                \
  skinny_product_of(ELEMENT, OUTPUTS, weights, stored_row_bytes(ELEMENT, weight_stride_elements),      \
                    scales, in, in_stride, rows, width, bias, out, out_stride, first, last)
#define SKINNY_ELEMENT(ELEMENT)                     \
  case ELEMENT:                                     \
    if (has_small_blocks) SKINNY_BLOCKS(ELEMENT, 2); \
    else SKINNY_BLOCKS(ELEMENT, SKINNY_OUTPUTS);    \
    break;
  switch (element) {
    SKINNY_ELEMENT(ATTN_ELEMENT_F32)
    SKINNY_ELEMENT(ATTN_ELEMENT_F16)
    SKINNY_ELEMENT(ATTN_ELEMENT_BF16)
    SKINNY_ELEMENT(ATTN_ELEMENT_S8)
    default: break;
  }
#undef SKINNY_ELEMENT
#undef SKINNY_BLOCKS
}
