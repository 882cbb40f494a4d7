// The value product of many query rows over INT8 and INT4 values: what integer_values.h computes, one
// group of 32 columns after the other, so that a tile's integers and weights of the group lie in the
// first-level cache.

enum {
  TOKEN_PAIRS = INTEGER_TOKENS / 2,
  GROUP_PAIR_SHORTS = 2 * ATTN_GROUP,  // a pair of tokens' integers of a group
  INTEGER_PANEL_ROWS = 12,             // of a block: 24 vectors of sums
  WEIGHT_STEP = 4,                     // tokens whose weights are rounded at a time
  PAIR_CHUNK = 8,                      // pairs of tokens between two looks at the memory
};

// The softmax weights of a tile times the scales of one group of columns.
typedef struct integer_panel_weights {
  _Alignas(64) int32_t pairs[TOKEN_PAIRS * ATTN_ROW_BLOCK];  // row r's of tokens 2p and 2p + 1 at [p][r]
  float factors[ATTN_ROW_BLOCK];    // what leads from a row's integers back
  float constants[ATTN_ROW_BLOCK];  // sums of weights times zeros
} integer_panel_weights;

// Rounds the weights of whole vectors of rows, `weights` having token t's at [t * ATTN_ROW_BLOCK], to 16 bits
// with a factor a row. Weights are not negative; `tokens` is a multiple of WEIGHT_STEP.
INLINE void round_panel_weights_of(const bool HAS_ZEROS, const float *weights, int32_t rows, int32_t tokens,
                                   const float *scales, const float *zeros, integer_panel_weights *out) {
  enum { STRIDE = ATTN_ROW_BLOCK };
  float lifted[INTEGER_TOKENS], magnitudes[INTEGER_TOKENS], lifted_zeros[INTEGER_TOKENS];
  for (int32_t t = 0; t < tokens; t += LANES) {
    const vfloat scale = load(scales + t) * splat(WEIGHT_LIFT);
    store(lifted + t, scale);
    store(magnitudes + t, (vfloat)((vint)scale & 0x7fffffff));
    if (HAS_ZEROS) store(lifted_zeros + t, load(zeros + t) * splat(WEIGHT_LIFT));
  }
  for (int32_t v = 0; v < rows; v += LANES) {
    // As integers NaN, of either sign, and infinity are larger than every number.
    vuint largest[WEIGHT_STEP];
    vfloat constants[WEIGHT_STEP];
    UNROLL for (int j = 0; j < WEIGHT_STEP; j++) {
      largest[j] = (vuint){0};
      constants[j] = splat(0);
    }
    const float *w = weights + v;
    for (int32_t t = 0; t < tokens; t += WEIGHT_STEP, w += WEIGHT_STEP * STRIDE) {
      UNROLL for (int j = 0; j < WEIGHT_STEP; j++) {
        const vfloat x = load(w + j * STRIDE);
        largest[j] = __builtin_elementwise_max(largest[j], (vuint)(x * splat(magnitudes[t + j])));
        if (HAS_ZEROS) constants[j] = fma_vector(x, splat(lifted_zeros[t + j]), constants[j]);
      }
    }
    UNROLL for (int j = 1; j < WEIGHT_STEP; j++) {
      largest[0] = __builtin_elementwise_max(largest[0], largest[j]);
      constants[0] = constants[0] + constants[j];
    }
    const vfloat most = max_vector((vfloat)largest[0], splat(1e-30f * WEIGHT_LIFT));
    const vint is_finite = (vint)(largest[0] < 0x7f800000u);
    store(out->factors + v, select_vector(is_finite, most * splat(1 / (32767 * WEIGHT_LIFT)), splat(NAN)));
    store(out->constants + v, constants[0] * splat(1 / WEIGHT_LIFT));
    // The first token's integer is the low half of its sum, the second one's comes to lie in the high half.
    const vfloat forward = splat(32767) / most, forward_high = forward * splat(0x1p16f);
    const vfloat magic = splat(0x1.8p23f), half = splat(0x1p15f);
    w = weights + v;
    int32_t *to = out->pairs + v;
    for (int32_t t = 0; t < tokens; t += WEIGHT_STEP) {
      UNROLL for (int j = 0; j < WEIGHT_STEP; j += 2, w += 2 * STRIDE, to += STRIDE) {
        const vfloat one = load(w) * splat(lifted[t + j]), two = load(w + STRIDE) * splat(lifted[t + j + 1]);
        const vint low = (vint)fma_vector(one, forward, magic);
        const vint high = __builtin_convertvector(fma_vector(two, forward_high, half), vint);
        store((float *)to, (vfloat)((low & 0xffff) | (high & ~0xffff)));
      }
    }
  }
}

static void round_panel_weights(bool has_zeros, const float *weights, int32_t rows, int32_t tokens,
                                const float *scales, const float *zeros, integer_panel_weights *out) {
  if (has_zeros) {
    round_panel_weights_of(true, weights, rows, tokens, scales, zeros, out);
  } else {
    round_panel_weights_of(false, weights, rows, tokens, scales, zeros, out);
  }
}

// The integers of a group of columns, `offset` bytes into each row, two tokens side by side.
INLINE void pair_columns_of(const int element, const char *const *rows, int64_t offset, int32_t pairs,
                            int16_t *out) {
  for (int32_t p = 0; p < pairs; p++, out += GROUP_PAIR_SHORTS) {
    const char *one = rows[2 * p] + offset, *two = rows[2 * p + 1] + offset;
    vshort low, high;
    load_token_pairs(element, one, two, 0, &low, &high);
    *(vshort_any *)out = low;
    *(vshort_any *)(out + SHORTS) = high;
  }
}

static void pair_columns(int element, const char *const *rows, int64_t group, int32_t pairs, int16_t *out) {
  if (element == ATTN_ELEMENT_INT4) {
    pair_columns_of(ATTN_ELEMENT_INT4, rows, group * ATTN_INT4_GROUP_BYTES, pairs, out);
  } else {
    pair_columns_of(ATTN_ELEMENT_INT8, rows, group * ATTN_INT8_GROUP_BYTES, pairs, out);
  }
}

// c = rescale * c + weights * values over a group of columns of ROWS rows, from row `first` of the block on.
INLINE void integer_panel_columns_of(int element, const int ROWS, int32_t first, const int16_t *values, int32_t pairs,
                                     const integer_panel_weights *weights, float *c, int64_t c_stride,
                                     const float *rescale, prefetcher *prefetch) {
  // The sums may lie further away than the first-level cache.
  UNROLL for (int r = 0; r < ROWS; r++) {
    UNROLL for (int v = 0; v < 2; v++) __builtin_prefetch(c + r * c_stride + v * LANES, 1, 3);
  }
  vint sums[INTEGER_PANEL_ROWS][2];
  UNROLL for (int r = 0; r < ROWS; r++) sums[r][0] = sums[r][1] = (vint){0};
  const int32_t *w = weights->pairs + first;
  for (int32_t chunk = 0; chunk < pairs; chunk += PAIR_CHUNK) {
    prefetch_some(prefetch);
    const int32_t end = chunk + PAIR_CHUNK < pairs ? chunk + PAIR_CHUNK : pairs;
#pragma clang loop unroll(disable)
    for (int32_t p = chunk; p < end; p++, w += ATTN_ROW_BLOCK, values += GROUP_PAIR_SHORTS) {
      const vshort low = *(const vshort_any *)values, high = *(const vshort_any *)(values + SHORTS);
      UNROLL for (int r = 0; r < ROWS; r++) {
        const vshort x = (vshort)((vint){0} + w[r]);
        sums[r][0] = add_pairs(sums[r][0], low, x);
        sums[r][1] = add_pairs(sums[r][1], high, x);
      }
    }
  }
  UNROLL for (int r = 0; r < ROWS; r++) {
    const vfloat factor = splat(weights->factors[first + r]), constant = splat(weights->constants[first + r]);
    const vfloat before = splat(rescale[r]);
    vint sum[2];
    order_sums(element, sums[r][0], sums[r][1], sum, sum + 1);
    UNROLL for (int v = 0; v < 2; v++) {
      float *to = c + r * c_stride + v * LANES;
      const vfloat added = fma_vector(__builtin_convertvector(sum[v], vfloat), factor, constant);
      store(to, fma_vector(load(to), before, added));
    }
  }
}

#define INTEGER_PANEL_CASE(ROWS)                                                                            \
  case ROWS:                                                                                                \
    integer_panel_columns_of(element, ROWS, first, values, pairs, weights, to, c_stride, rescale + first, prefetch); \
    break;

// The same for all `rows` of a block of rows.
static void integer_panel_columns(int element, int32_t rows, const int16_t *values, int32_t pairs,
                                  const integer_panel_weights *weights, float *c, int64_t c_stride,
                                  const float *rescale, prefetcher *prefetch) {
  const int block = even_block(rows, INTEGER_PANEL_ROWS);
  for (int32_t first = 0; first < rows; first += block) {
    float *to = c + first * c_stride;
    switch (rows - first < block ? rows - first : block) {
      INTEGER_PANEL_CASE(1)
      INTEGER_PANEL_CASE(2)
      INTEGER_PANEL_CASE(3)
      INTEGER_PANEL_CASE(4)
      INTEGER_PANEL_CASE(5)
      INTEGER_PANEL_CASE(6)
      INTEGER_PANEL_CASE(7)
      INTEGER_PANEL_CASE(8)
      INTEGER_PANEL_CASE(9)
      INTEGER_PANEL_CASE(10)
      INTEGER_PANEL_CASE(11)
      INTEGER_PANEL_CASE(12)
      default: break;
    }
  }
}

// Times that a group of columns looks at the memory.
INLINE int64_t integer_panel_looks(int32_t rows, int32_t pairs) {
  const int block = even_block(rows, INTEGER_PANEL_ROWS);
  return (int64_t)((rows + block - 1) / block) * ((pairs + PAIR_CHUNK - 1) / PAIR_CHUNK);
}
