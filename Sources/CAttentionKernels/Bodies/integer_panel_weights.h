// The softmax weights of many query rows as 16-bit integers, for the value product over INT8 and INT4
// (integer_panel_values.h): what integer_weights.h does, rows side by side.

enum {
  TOKEN_PAIRS = INTEGER_TOKENS / 2,
  WEIGHT_STEP = 4,  // tokens whose weights are rounded at a time
};

typedef struct integer_panel_weights {
  float largest[ATTN_ROW_BLOCK];  // weight of a row in the tile; NaN where one is not finite
  // Of one group of columns: row r's integers of tokens 2p and 2p + 1 at [p * ATTN_ROW_BLOCK + r].
  _Alignas(64) int32_t pairs[TOKEN_PAIRS * ATTN_ROW_BLOCK];
  float factors[ATTN_ROW_BLOCK];    // what leads from a row's integers back
  float constants[ATTN_ROW_BLOCK];  // sums of weights times zeros
} integer_panel_weights;

// Divides the weights of whole vectors of rows, token t's at weights + t * ATTN_ROW_BLOCK, by each row's largest.
// Weights are not negative; `tokens` is a multiple of WEIGHT_STEP.
static void normalise_panel_weights(float *weights, int32_t rows, int32_t tokens, integer_panel_weights *out) {
  enum { STRIDE = ATTN_ROW_BLOCK };
  for (int32_t v = 0; v < rows; v += LANES) {
    float *w = weights + v;
    vuint largest[WEIGHT_STEP];
    UNROLL for (int j = 0; j < WEIGHT_STEP; j++) largest[j] = (vuint){0};
    for (int32_t t = 0; t < tokens; t += WEIGHT_STEP) {
      UNROLL for (int j = 0; j < WEIGHT_STEP; j++) {
        largest[j] = __builtin_elementwise_max(largest[j], (vuint)load(w + (t + j) * STRIDE));
      }
    }
    UNROLL for (int j = 1; j < WEIGHT_STEP; j++) largest[0] = __builtin_elementwise_max(largest[0], largest[j]);
    const vfloat most = max_vector((vfloat)largest[0], splat(LEAST_WEIGHT)), inverse = splat(1) / most;
    store(out->largest + v, nan_unless_finite(largest[0], most));
    for (int32_t t = 0; t < tokens; t += WEIGHT_STEP) {
      UNROLL for (int j = 0; j < WEIGHT_STEP; j++) {
        float *at = w + (t + j) * STRIDE;
        store(at, load(at) * inverse);
      }
    }
  }
}

// Integers of two tokens in the halves of 32 bits: the nearest of `one` times `low`, and those of `two` times
// `high`, which is larger by 2^16.
INLINE void store_weight_pairs(int32_t *to, vfloat one, vfloat low, vfloat two, vfloat high) {
  const vint first = (vint)fma_vector(one, low, splat(0x1.8p23f));
  const vint second = __builtin_convertvector(fma_vector(two, high, splat(0x1p15f)), vint);
  store((float *)to, (vfloat)((first & 0xffff) | (second & ~0xffff)));
}

// Rounds normalised weights of whole vectors of rows times even scales, `most` being the largest.
INLINE void round_by_largest_scale(const bool HAS_ZEROS, const float *weights, int32_t rows, int32_t tokens,
                                   const float *scales, const float *zeros, float most,
                                   integer_panel_weights *out) {
  enum { STRIDE = ATTN_ROW_BLOCK };
  float low[INTEGER_TOKENS], high[INTEGER_TOKENS], lifted_zeros[INTEGER_TOKENS];
  most = most > LEAST_SCALE ? most : LEAST_SCALE;
  const vfloat forward = splat(32767 / most);
  for (int32_t t = 0; t < tokens; t += LANES) {
    const vfloat scale = load(scales + t) * forward;
    store(low + t, scale);
    store(high + t, scale * splat(0x1p16f));
    if (HAS_ZEROS) store(lifted_zeros + t, load(zeros + t) * splat(WEIGHT_LIFT));
  }
  for (int32_t v = 0; v < rows; v += LANES) {
    const vfloat largest = load(out->largest + v);
    store(out->factors + v, largest * splat(most / 32767));
    vfloat constants[WEIGHT_STEP];
    UNROLL for (int j = 0; j < WEIGHT_STEP; j++) constants[j] = splat(0);
    const float *w = weights + v;
    int32_t *to = out->pairs + v;
    for (int32_t t = 0; t < tokens; t += WEIGHT_STEP) {
      UNROLL for (int j = 0; j < WEIGHT_STEP; j += 2, w += 2 * STRIDE, to += STRIDE) {
        const vfloat one = load(w), two = load(w + STRIDE);
        store_weight_pairs(to, one, splat(low[t + j]), two, splat(high[t + j + 1]));
        if (HAS_ZEROS) {
          constants[j] = fma_vector(one, splat(lifted_zeros[t + j]), constants[j]);
          constants[j + 1] = fma_vector(two, splat(lifted_zeros[t + j + 1]), constants[j + 1]);
        }
      }
    }
    UNROLL for (int j = 1; j < WEIGHT_STEP; j++) constants[0] = constants[0] + constants[j];
    store(out->constants + v, constants[0] * largest * splat(1 / WEIGHT_LIFT));
  }
}

// The same for scales of any kind, by the largest product of each row.
INLINE void round_by_largest_product(const bool HAS_ZEROS, const float *weights, int32_t rows, int32_t tokens,
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
    vuint most[WEIGHT_STEP];
    vfloat constants[WEIGHT_STEP];
    UNROLL for (int j = 0; j < WEIGHT_STEP; j++) {
      most[j] = (vuint){0};
      constants[j] = splat(0);
    }
    const float *w = weights + v;
    for (int32_t t = 0; t < tokens; t += WEIGHT_STEP, w += WEIGHT_STEP * STRIDE) {
      UNROLL for (int j = 0; j < WEIGHT_STEP; j++) {
        const vfloat x = load(w + j * STRIDE);
        most[j] = __builtin_elementwise_max(most[j], (vuint)(x * splat(magnitudes[t + j])));
        if (HAS_ZEROS) constants[j] = fma_vector(x, splat(lifted_zeros[t + j]), constants[j]);
      }
    }
    UNROLL for (int j = 1; j < WEIGHT_STEP; j++) {
      most[0] = __builtin_elementwise_max(most[0], most[j]);
      constants[0] = constants[0] + constants[j];
    }
    const vfloat largest = load(out->largest + v);
    const vfloat product = max_vector((vfloat)most[0], splat(LEAST_PRODUCT * WEIGHT_LIFT));
    store(out->factors + v, nan_unless_finite(most[0], product * splat(1 / (32767 * WEIGHT_LIFT)) * largest));
    store(out->constants + v, constants[0] * largest * splat(1 / WEIGHT_LIFT));
    const vfloat forward = splat(32767) / product, forward_high = forward * splat(0x1p16f);
    w = weights + v;
    int32_t *to = out->pairs + v;
    for (int32_t t = 0; t < tokens; t += 2, w += 2 * STRIDE, to += STRIDE) {
      store_weight_pairs(to, load(w) * splat(lifted[t]), forward, load(w + STRIDE) * splat(lifted[t + 1]),
                         forward_high);
    }
  }
}

INLINE void round_panel_weights_of(const bool HAS_ZEROS, const float *weights, int32_t rows, int32_t tokens,
                                   const float *scales, const float *zeros, integer_panel_weights *out) {
  float most;
  if (are_scales_even(scales, tokens, &most)) {
    round_by_largest_scale(HAS_ZEROS, weights, rows, tokens, scales, zeros, most, out);
  } else {
    round_by_largest_product(HAS_ZEROS, weights, rows, tokens, scales, zeros, out);
  }
}

// `weights`: normalised; scales and zeros: of one group of columns.
static void round_panel_weights(bool has_zeros, const float *weights, int32_t rows, int32_t tokens,
                                const float *scales, const float *zeros, integer_panel_weights *out) {
  if (has_zeros) {
    round_panel_weights_of(true, weights, rows, tokens, scales, zeros, out);
  } else {
    round_panel_weights_of(false, weights, rows, tokens, scales, zeros, out);
  }
}
