// Softmax weights times the scales of INT8 and INT4 values as 16-bit integers, with a factor for every query row and
// group of 32 columns, over a tile.
//
// The factor is the row's largest weight times the group's largest scale, whichever tokens have them: then a weight
// is multiplied once, by a number that all rows share. Where the scales of a group differ by more than SCALE_SPREAD
// the largest product is looked for, row by row: no integer is short of more than three of its sixteen bits. With few
// query rows that is done for all groups if it is for one, and always for a single row.

enum { SCALE_SPREAD = 8 };  // the largest scale of a group in a tile by the smallest

// Factors stay normal numbers, as products of smaller ones can cost a hundred cycles: the largest weight, scale and
// product (of a weight by the largest and a scale) are taken to be this large at least. Less counts for little:
// weights of a tile are that small beside the row's largest so far, which is 1, and products only where the tokens of
// the largest weights have zeros in the group; those are short of bits then.
#define LEAST_WEIGHT 1e-24f
#define LEAST_SCALE 0x1p-24f  // of float16
#define LEAST_PRODUCT 1e-8f

// Lifts products of weights and scales past subnormal numbers.
#define WEIGHT_LIFT 0x1p40f

// As unsigned integers NaN, of either sign, and infinity are larger than every number that is not negative.
INLINE vfloat nan_unless_finite(vuint magnitude, vfloat x) {
  return select_vector((vint)(magnitude < 0x7f800000u), x, splat(NAN));
}

// Lanes below `count`.
INLINE vint first_lanes(int32_t count) {
  vint lanes;
  for (int j = 0; j < LANES; j++) lanes[j] = j < count ? -1 : 0;
  return lanes;
}

// Whether `count` scales are finite and none is smaller than the largest one by more than SCALE_SPREAD. They are
// readable up to the next multiple of LANES.
INLINE bool are_scales_even(const float *scales, int32_t count, float *largest) {
  const int32_t infinity = 0x7f800000;
  vint most = {0}, least = {0};  // least: how far the smallest one is from infinity, in bits
  for (int32_t t = 0; t < count; t += LANES) {
    const vint magnitude = (vint)load(scales + t) & 0x7fffffff;
    const vint is_counted = count - t < LANES ? first_lanes(count - t) : ~(vint){0};
    most = __builtin_elementwise_max(most, magnitude & is_counted);
    least = __builtin_elementwise_max(least, (infinity - magnitude) & is_counted);
  }
  *largest = largest_of(most);
  float smallest = largest_of(least);
  int32_t bits;
  memcpy(&bits, &smallest, 4);
  bits = infinity - bits;
  memcpy(&smallest, &bits, 4);
  return *largest < INFINITY && *largest <= SCALE_SPREAD * smallest;
}

// Weights of a tile in the order in which they are used: pairs of tokens side by side.
typedef struct integer_weights {
  _Alignas(64) int16_t weights[MOST_INTEGER_ROWS * MOST_ROW_GROUPS * INTEGER_TOKENS + ATTN_MAX_LANES];
  // What leads back from integers, and sums of weights times zeros; written by whole vectors.
  float factors[MOST_INTEGER_ROWS * MOST_ROW_GROUPS + ATTN_MAX_LANES];
  float constants[MOST_INTEGER_ROWS * MOST_ROW_GROUPS + ATTN_MAX_LANES];
} integer_weights;

// Weights of each row by its largest one, INTEGER_TOKENS apart, with zeros from the tile's tokens on up to the next
// multiple of LANES.
typedef struct normal_weights {
  _Alignas(64) float weights[MOST_INTEGER_ROWS * INTEGER_TOKENS];
  float largest[MOST_INTEGER_ROWS];  // NaN where a weight is not finite
} normal_weights;

// `weights`: row r at weights + r * ATTN_TILE_TOKENS, readable up to the next multiple of LANES. What lies past
// `count` counts as nothing, whatever it is.
static void normalise_weights(const float *weights, int32_t rows, int32_t count, normal_weights *out) {
  const int32_t last = (count - 1) / LANES * LANES;
  const vint is_last = first_lanes(count - last);
  for (int32_t r = 0; r < rows; r++) {
    const float *from = weights + r * ATTN_TILE_TOKENS;
    float *to = out->weights + r * INTEGER_TOKENS;
    vint most = {0};
    for (int32_t t = 0; t < last; t += LANES) most = larger_magnitude(most, load(from + t));
    const vfloat end = (vfloat)((vint)load(from + last) & is_last);
    const float largest = largest_of(larger_magnitude(most, end));
    const float by = largest > LEAST_WEIGHT ? largest : LEAST_WEIGHT;
    out->largest[r] = largest < INFINITY ? by : NAN;
    const vfloat inverse = splat(1 / by);
    for (int32_t t = 0; t < last; t += LANES) store(to + t, load(from + t) * inverse);
    store(to + last, end * inverse);
  }
}

// Scales of a tile by the largest one of their group, times 32,767, and lifted zeros.
typedef struct even_scales {
  _Alignas(64) float scales[MOST_ROW_GROUPS * INTEGER_TOKENS];
  _Alignas(64) float zeros[MOST_ROW_GROUPS * INTEGER_TOKENS];
  float factors[MOST_ROW_GROUPS];  // what leads back
} even_scales;

// False, with nothing written that counts, where the scales of a group are not even. Scales and zeros are those from
// token `begin` of their tile on, readable as weights are.
INLINE bool even_out_scales(const bool HAS_ZEROS, const tile_scales *from, int32_t begin, int32_t count,
                            int64_t groups, even_scales *out) {
  const int32_t last = (count - 1) / LANES * LANES;
  const vint is_last = first_lanes(count - last);
  for (int64_t g = 0; g < groups; g++) {
    const float *scales = from->scales + g * INTEGER_TOKENS + begin;
    float *to = out->scales + g * INTEGER_TOKENS, most;
    if (!are_scales_even(scales, count, &most)) return false;
    if (most < LEAST_SCALE) most = LEAST_SCALE;
    out->factors[g] = most / 32767;
    const vfloat forward = splat(32767 / most);
    for (int32_t t = 0; t < last; t += LANES) store(to + t, load(scales + t) * forward);
    store(to + last, (vfloat)((vint)load(scales + last) & is_last) * forward);
    if (!HAS_ZEROS) continue;
    const float *zeros = from->zeros + g * INTEGER_TOKENS + begin;
    to = out->zeros + g * INTEGER_TOKENS;
    for (int32_t t = 0; t < last; t += LANES) store(to + t, load(zeros + t) * splat(WEIGHT_LIFT));
    store(to + last, (vfloat)((vint)load(zeros + last) & is_last) * splat(WEIGHT_LIFT));
  }
  return true;
}

// LANES pairs of a row and a group at a time, for what is done once for each.
INLINE void round_by_scale(const bool HAS_ZEROS, const normal_weights *weights, int32_t rows, int32_t count,
                           int64_t groups, const even_scales *scales, integer_weights *out) {
  const int32_t all = rows * (int32_t)groups;
  for (int32_t first = 0; first < all; first += LANES) {
    float largest[LANES] = {0}, factors[LANES] = {0};
    vfloat constants[LANES];
    for (int j = 0; j < LANES; j++) {
      constants[j] = splat(0);
      if (first + j >= all) continue;
      const int32_t r = (first + j) / (int32_t)groups, g = (first + j) % (int32_t)groups;
      largest[j] = weights->largest[r];
      factors[j] = scales->factors[g];
      const float *w = weights->weights + r * INTEGER_TOKENS, *s = scales->scales + g * INTEGER_TOKENS;
      const float *z = scales->zeros + g * INTEGER_TOKENS;
      int16_t *to = out->weights + (first + j) * INTEGER_TOKENS;
      for (int32_t t = 0; t < count; t += LANES) {
        const vfloat x = load(w + t);
        store_shorts(to + t, x * load(s + t));
        if (HAS_ZEROS) constants[j] = fma_vector(x, load(z + t), constants[j]);
      }
    }
    store(out->factors + first, load(largest) * load(factors));
    if (!HAS_ZEROS) continue;
    store(out->constants + first, sum_each(constants) * load(largest) * splat(1 / WEIGHT_LIFT));
  }
}

// The same for scales of any kind, by the largest product.
INLINE void round_by_product(const bool HAS_ZEROS, const normal_weights *weights, int32_t rows, int32_t begin,
                             int32_t count, int64_t groups, const tile_scales *scales, integer_weights *out) {
  const int32_t last = (count - 1) / LANES * LANES;
  const vint is_last = first_lanes(count - last);
  const int32_t all = rows * (int32_t)groups;
  for (int32_t first = 0; first < all; first += LANES) {
    const int n = all - first < LANES ? all - first : LANES;
    float row_largest[LANES] = {0};
    vfloat largest[LANES], constants[LANES];
    for (int j = 0; j < LANES; j++) {
      largest[j] = constants[j] = splat(0);
      if (j >= n) continue;
      const int32_t r = (first + j) / (int32_t)groups;
      const float *w = weights->weights + r * INTEGER_TOKENS;
      const int64_t at = (first + j) % groups * INTEGER_TOKENS + begin;
      row_largest[j] = weights->largest[r];
      vint most = {0};
      for (int32_t t = 0; t < last; t += LANES) {
        const vfloat x = load(w + t) * splat(WEIGHT_LIFT);
        most = larger_magnitude(most, x * load(scales->scales + at + t));
        if (HAS_ZEROS) constants[j] = fma_vector(x, load(scales->zeros + at + t), constants[j]);
      }
      const vfloat end = load(w + last) * splat(WEIGHT_LIFT);
      const vint x = (vint)(end * load(scales->scales + at + last));
      largest[j] = (vfloat)larger_magnitude(most, (vfloat)(x & is_last));
      if (HAS_ZEROS) {
        const vint term = (vint)(end * load(scales->zeros + at + last));
        constants[j] = constants[j] + (vfloat)(term & is_last);
      }
    }
    transpose(largest);
    vuint greatest = (vuint)largest[0];
    UNROLL for (int j = 1; j < LANES; j++) greatest = __builtin_elementwise_max(greatest, (vuint)largest[j]);
    const vfloat most = max_vector((vfloat)greatest, splat(LEAST_PRODUCT * WEIGHT_LIFT));
    const vfloat by_row = load(row_largest) * splat(1 / WEIGHT_LIFT);
    store(out->factors + first, nan_unless_finite(greatest, most * splat(1.0f / 32767) * by_row));
    if (HAS_ZEROS) store(out->constants + first, sum_each(constants) * by_row);
    float forward[LANES];
    store(forward, splat(32767 * WEIGHT_LIFT) / most);
    for (int j = 0; j < n; j++) {
      const float *w = weights->weights + (first + j) / groups * INTEGER_TOKENS;
      const float *s = scales->scales + (first + j) % groups * INTEGER_TOKENS + begin;
      int16_t *to = out->weights + (first + j) * INTEGER_TOKENS;
      const vfloat factor = splat(forward[j]);
      for (int32_t t = 0; t < last; t += LANES) store_shorts(to + t, load(w + t) * (load(s + t) * factor));
      const vint x = (vint)(load(w + last) * (load(s + last) * factor));
      store_shorts(to + last, (vfloat)(x & is_last));
    }
  }
}

// A single row's products cost less than a look at the scales.
INLINE void round_weights_of(const int element, const float *weights, int32_t rows, int32_t begin, int32_t count,
                             int64_t groups, const tile_scales *scales, integer_weights *out) {
  const bool HAS_ZEROS = element == ATTN_ELEMENT_INT4;
  normal_weights normal;
  normalise_weights(weights, rows, count, &normal);
  even_scales even;
  if (rows > 1 && even_out_scales(HAS_ZEROS, scales, begin, count, groups, &even)) {
    round_by_scale(HAS_ZEROS, &normal, rows, count, groups, &even, out);
  } else {
    round_by_product(HAS_ZEROS, &normal, rows, begin, count, groups, scales, out);
  }
}
