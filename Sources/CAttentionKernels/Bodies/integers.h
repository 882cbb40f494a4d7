// Integer products of query rows with rows of INT8 and INT4. What multiplies a row's integers,
// queries in scores and softmax weights times scales in the value product, is rounded to 16 bits, so
// that one instruction multiplies two integers a lane and adds the pairs exactly. See
// Documentation/Kernels.md for the error of that.

#ifndef INTEGER_PRODUCTS
#ifdef NATIVE_MULTIPLY_PAIRS
#define INTEGER_PRODUCTS 1
#else
#define INTEGER_PRODUCTS 0
#endif
#endif

// Whether many query rows are multiplied like this too, in panels: where a vector of 16-bit integers holds a
// whole group.
#define INTEGER_PANELS (INTEGER_PRODUCTS && LANES == 16)

enum {
  SHORTS = 2 * LANES,
  BLOCK_SHORTS = ATTN_GROUP / SHORTS,  // vectors of 16-bit integers a block of 32 elements takes
  INTEGER_TOKENS = ATTN_TILE_TOKENS,    // the most tokens of a tile that is multiplied like this
  MOST_ROW_GROUPS = 32,                // of a row: widths up to 1,024
  INTEGER_ROWS = 6,                        // of a block
  MOST_INTEGER_ROWS = LANES == 8 ? 12 : 6,
};

typedef int16_t vshort __attribute__((vector_size(SHORTS * 2)));
typedef int16_t vshort_any __attribute__((vector_size(SHORTS * 2), aligned(1), may_alias));
typedef int16_t half_vshort_any __attribute__((vector_size(LANES * 2), aligned(1), may_alias));

INLINE bool is_integer_row(const int element, int64_t width) {
  return INTEGER_PRODUCTS && (element == ATTN_ELEMENT_INT8 || element == ATTN_ELEMENT_INT4) &&
         width % ATTN_GROUP == 0 && width <= MOST_ROW_GROUPS * ATTN_GROUP;
}

// Lane j: a[2j] b[2j] + a[2j+1] b[2j+1].
INLINE vint multiply_pairs(vshort a, vshort b) {
#ifdef NATIVE_MULTIPLY_PAIRS
  return NATIVE_MULTIPLY_PAIRS(a, b);
#else
  const vint x = (vint)a, y = (vint)b;
  const vint low = ((vint)((vuint)x << 16) >> 16) * ((vint)((vuint)y << 16) >> 16);
  return low + (x >> 16) * (y >> 16);
#endif
}

// Two 16-bit integers beside each other.
typedef int32_t pair_of_shorts __attribute__((aligned(1), may_alias));

// sum + multiply_pairs(a, b).
INLINE vint add_pairs(vint sum, vshort a, vshort b) {
#ifdef NATIVE_ADD_PAIRS
  NATIVE_ADD_PAIRS(sum, a, b);
  return sum;
#else
  return sum + multiply_pairs(a, b);
#endif
}

// The same with the pair at `b` for all lanes.
INLINE vint add_pair_at(vint sum, vshort a, const void *b) {
#ifdef NATIVE_ADD_PAIR_AT
  NATIVE_ADD_PAIR_AT(sum, a, b);
  return sum;
#else
  return sum + multiply_pairs(a, (vshort)((vint){0} + *(const pair_of_shorts *)b));
#endif
}

// Vector `v` of the integers of a whole block of 32 elements.
INLINE vshort load_shorts(const int element, const char *block, const int v) {
  if (element == ATTN_ELEMENT_INT8) {
    typedef int8_t bytes __attribute__((vector_size(SHORTS), aligned(1), may_alias));
    return __builtin_convertvector(*(const bytes *)(block + 2 + v * SHORTS), vshort);
  }
#if LANES == 16
  typedef uint8_t bytes __attribute__((vector_size(16), aligned(1), may_alias));
  const bytes packed = *(const bytes *)(block + 4);
  // The low halves of all bytes, then the high ones.
  const vshort both = __builtin_convertvector(
      __builtin_shufflevector(packed, packed, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1,
                              2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
      vshort);
  const vshort shifts = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                         4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4};
  return (both >> shifts) & 15;
#else
  const char *at = block + 4 + v * SHORTS % PACKED_BYTES;
#ifdef NATIVE_SPREAD
  const vshort both = (vshort)NATIVE_SPREAD_8_TO_16(at);
#else
  typedef uint8_t bytes __attribute__((vector_size(SHORTS), aligned(1), may_alias));
  const vshort both = __builtin_convertvector(*(const bytes *)at, vshort);
#endif
  return v * SHORTS >= PACKED_BYTES ? both >> 4 : both & 15;
#endif
}

// Neighbouring pairs (a[i], b[i]) of the first and of the second four elements of every eight.
INLINE void pair_tokens(vshort a, vshort b, vshort *low, vshort *high) {
#if LANES == 16
  *low = __builtin_shufflevector(a, b, 0, 32, 1, 33, 2, 34, 3, 35, 8, 40, 9, 41, 10, 42, 11, 43, 16,
                                 48, 17, 49, 18, 50, 19, 51, 24, 56, 25, 57, 26, 58, 27, 59);
  *high = __builtin_shufflevector(a, b, 4, 36, 5, 37, 6, 38, 7, 39, 12, 44, 13, 45, 14, 46, 15, 47,
                                  20, 52, 21, 53, 22, 54, 23, 55, 28, 60, 29, 61, 30, 62, 31, 63);
#elif LANES == 8
  *low = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 8, 24, 9, 25, 10, 26, 11, 27);
  *high = __builtin_shufflevector(a, b, 4, 20, 5, 21, 6, 22, 7, 23, 12, 28, 13, 29, 14, 30, 15, 31);
#else
  *low = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  *high = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#endif
}

// Pairs of vector `v` of two tokens' blocks, as `pair_tokens` makes them; of INT4, with NATIVE_PAIR_BYTES, those of
// all low halves and those of all high ones instead, which is how they are stored.
INLINE void load_token_pairs(const int element, const char *one, const char *two, const int v, vshort *low,
                             vshort *high) {
#ifdef NATIVE_PAIR_BYTES
  if (element == ATTN_ELEMENT_INT4) {
    typedef uint8_t bytes __attribute__((vector_size(16), aligned(1), may_alias));
    typedef uint16_t words __attribute__((vector_size(SHORTS * 2)));
    const vshort both = NATIVE_PAIR_BYTES(*(const bytes *)(one + 4), *(const bytes *)(two + 4));
    *low = both & 15;
    *high = (vshort)((words)both >> 4);
    return;
  }
#endif
  pair_tokens(load_shorts(element, one, v), load_shorts(element, two, v), low, high);
}

// The sums of `load_token_pairs` in the order of their elements.
INLINE void order_sums(const int element, vint low, vint high, vint *first, vint *second) {
#ifdef NATIVE_PAIR_BYTES
  if (element == ATTN_ELEMENT_INT4) {
    *first = low;
    *second = high;
    return;
  }
#else
  (void)element;
#endif
#if LANES == 16
  *first = __builtin_shufflevector(low, high, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  *second = __builtin_shufflevector(low, high, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29,
                                    30, 31);
#elif LANES == 8
  *first = __builtin_shufflevector(low, high, 0, 1, 2, 3, 8, 9, 10, 11);
  *second = __builtin_shufflevector(low, high, 4, 5, 6, 7, 12, 13, 14, 15);
#else
  *first = low;
  *second = high;
#endif
}

// The largest magnitude so far; NaN and infinity are larger than every number.
INLINE vint larger_magnitude(vint largest, vfloat x) {
  return __builtin_elementwise_max(largest, (vint)x & 0x7fffffff);
}

INLINE float largest_of(vint magnitudes) {
  typedef int32_t int_quad __attribute__((vector_size(16)));
#if LANES == 16
  typedef int32_t int_eight __attribute__((vector_size(32)));
  const int_eight half = __builtin_elementwise_max(
      __builtin_shufflevector(magnitudes, magnitudes, 0, 1, 2, 3, 4, 5, 6, 7),
      __builtin_shufflevector(magnitudes, magnitudes, 8, 9, 10, 11, 12, 13, 14, 15));
  int_quad q = __builtin_elementwise_max(__builtin_shufflevector(half, half, 0, 1, 2, 3),
                                         __builtin_shufflevector(half, half, 4, 5, 6, 7));
#elif LANES == 8
  int_quad q = __builtin_elementwise_max(__builtin_shufflevector(magnitudes, magnitudes, 0, 1, 2, 3),
                                         __builtin_shufflevector(magnitudes, magnitudes, 4, 5, 6, 7));
#else
  int_quad q = magnitudes;
#endif
  q = __builtin_elementwise_max(q, __builtin_shufflevector(q, q, 2, 3, 2, 3));
  q = __builtin_elementwise_max(q, __builtin_shufflevector(q, q, 1, 1, 1, 1));
  return ((quad)q)[0];
}

// What brings numbers of at most this magnitude to 16 bits. Where it is not finite the integers are
// arbitrary, and the factor that leads back makes NaN of them.
INLINE float to_shorts(float largest) { return 32767 / (largest > 1e-30f ? largest : 1e-30f); }
INLINE float from_shorts(float largest) {
  return largest < INFINITY ? (largest > 1e-30f ? largest : 1e-30f) / 32767 : NAN;
}

// The nearest 16-bit integers, ties to even, of numbers within their range.
INLINE void store_shorts(int16_t *out, vfloat x) {
  typedef int16_t half_vshort __attribute__((vector_size(LANES * 2)));
  const vint bits = (vint)(x + splat(0x1.8p23f));
  *(half_vshort_any *)out = __builtin_convertvector(bits, half_vshort);
}

// Scales (and for INT4 zeros) of a tile's rows, group by group with the tokens side by side, up to the
// next multiple of LANES (addresses are readable as far and repeat the last row).
typedef struct tile_scales {
  // And what a vector may read past the end.
  _Alignas(64) float scales[MOST_ROW_GROUPS * INTEGER_TOKENS + ATTN_MAX_LANES];
  _Alignas(64) float zeros[MOST_ROW_GROUPS * INTEGER_TOKENS + ATTN_MAX_LANES];
} tile_scales;

INLINE void gather_scales_of(const int element, const char *const *rows, int32_t count,
                             int64_t groups, tile_scales *out) {
  const int64_t block = block_bytes(element);
  for (int32_t t = 0; t < count; t += LANES) {
    const char *row[LANES];
    UNROLL for (int j = 0; j < LANES; j++) row[j] = rows[t + j];
    for (int64_t g = 0; g < groups; g++) {
      float *scales = out->scales + g * INTEGER_TOKENS + t;
      // Gathered in registers: a store each and a load of all would wait for the stores.
      if (element == ATTN_ELEMENT_INT4) {
        vuint both;
        UNROLL for (int j = 0; j < LANES; j++) {
          uint32_t word;
          memcpy(&word, row[j] + g * block, 4);
          both[j] = word;
        }
        store(scales, widen_f16(__builtin_convertvector(both & 0xffffu, vuint16)));
        store(out->zeros + g * INTEGER_TOKENS + t,
              widen_f16(__builtin_convertvector(both >> 16, vuint16)));
      } else {
        vuint16 halves;
        UNROLL for (int j = 0; j < LANES; j++) {
          uint16_t half;
          memcpy(&half, row[j] + g * block, 2);
          halves[j] = half;
        }
        store(scales, widen_f16(halves));
      }
    }
  }
}

static void gather_scales(int element, const char *const *rows, int32_t count, int64_t groups,
                          tile_scales *out) {
  if (element == ATTN_ELEMENT_INT4) {
    gather_scales_of(ATTN_ELEMENT_INT4, rows, count, groups, out);
  } else {
    gather_scales_of(ATTN_ELEMENT_INT8, rows, count, groups, out);
  }
}
