// Scores of few query rows against INT8 and INT4 keys as products of bytes. An instruction that multiplies four
// unsigned bytes a lane with signed ones and adds them to the lane's sum multiplies as many elements as one of
// pairs of 16-bit integers, with queries in two bytes, but needs nothing widened, and query rows lie in the lanes:
// one conversion and one scale serve all of them, and few lanes are left to add.
//
// A quad is four groups of a row of keys. Its bytes are two vectors, the first and the second half of all groups
// (as INT4 packs them), each of four parts of four neighbouring elements of each group. A block is one, two or
// four query rows; a step multiplies all of them with as many parts as make a vector of them:
//
//     lane      [query row] [part] [group]          rows x parts = 4
//
// INT4's numbers are unsigned as they are; INT8's get 128 added, which sums of queries take back.

#ifdef NATIVE_ADD_BYTES
#define BYTE_PRODUCTS 1
#else
#define BYTE_PRODUCTS 0
#endif

enum {
  QUAD_GROUPS = 4,
  QUAD = QUAD_GROUPS * ATTN_GROUP,
  QUAD_HALF = QUAD / 2,  // bytes of a vector
  BYTE_OFFSET = 128,     // what INT8's numbers get added
  MOST_QUADS = MOST_ROW_GROUPS / QUAD_GROUPS,
  QUAD_ROWS = MOST_INTEGER_ROWS,  // of all blocks, a fourth one of zeros among them
  // Integers up to this magnitude, of either sign, are 256 times one signed byte and another.
  MOST_SPLIT = 127 * 256 + 127,
};

// The largest magnitude of a query's integers.
#define MOST_QUERY (BYTE_PRODUCTS ? MOST_SPLIT : 32767)

// Quads of a row that are multiplied like this; the groups that are left are as 16-bit integers, and so is all of
// INT8 beside a single query row: reading row after row suits the memory better, which is what binds.
INLINE int64_t quads_of(const int element, int32_t rows, int64_t width) {
  return BYTE_PRODUCTS && (rows > 1 || element == ATTN_ELEMENT_INT4) ? width / QUAD : 0;
}

typedef struct quad_scratch {
  int64_t quads;  // of a row
#if BYTE_PRODUCTS
  // Block by block, in each of them quad by quad: step by step of the first and the second half, the high bytes
  // of all lanes, then the low ones.
  _Alignas(64) int8_t queries[QUAD_ROWS * MOST_QUADS * QUAD * 2];
  // Scales of a tile's keys, four groups of a token side by side: see quad_scales_at.
  _Alignas(64) float scales[MOST_ROW_GROUPS * INTEGER_TOKENS];
#endif
} quad_scratch;

#if BYTE_PRODUCTS

_Static_assert(LANES == 16, "what follows is written for vectors of 64 bytes");

typedef uint8_t vbytes __attribute__((vector_size(QUAD_HALF)));
typedef uint8_t vbytes_any __attribute__((vector_size(QUAD_HALF), aligned(1), may_alias));
typedef uint8_t bytes16_any __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint8_t bytes32_any __attribute__((vector_size(32), aligned(1), may_alias));

// Query rows of the block that begins where `left` rows are left; a fourth one can be zeros.
INLINE int quad_block(int32_t left) { return left >= 3 ? 4 : left; }

INLINE int64_t quad_query_bytes(int block, int64_t quads) { return block * quads * QUAD * 2; }

// `integers`: of `rows` query rows, `width` apart.
static void split_query_bytes(const int16_t *integers, int32_t rows, int64_t width, int64_t quads, int8_t *out) {
  for (int32_t first = 0; first < rows;) {
    const int block = quad_block(rows - first), parts = 4 / block;
    for (int64_t k = 0; k < quads; k++) {
      int8_t high[4][QUAD] = {0}, low[4][QUAD] = {0};
      for (int r = 0; r < block && first + r < rows; r++) {
        const int16_t *x = integers + (first + r) * width + k * QUAD;
        for (int i = 0; i < QUAD; i++) {
          high[r][i] = (int8_t)((x[i] + 128) >> 8);
          low[r][i] = (int8_t)x[i];
        }
      }
      for (int step = 0; step < 2 * block; step++) {
        for (int lane = 0; lane < LANES; lane++, out += 4) {
          const int r = lane / (4 * parts), part = step % block * parts + lane / 4 % parts;
          const int i = lane % 4 * ATTN_GROUP + step / block * 16 + part * 4;
          memcpy(out, high[r] + i, 4);
          memcpy(out + QUAD_HALF, low[r] + i, 4);
        }
        out += QUAD_HALF;
      }
    }
    first += block;
  }
}

#define RUN_8(a) a, a + 1, a + 2, a + 3, a + 4, a + 5, a + 6, a + 7
#define RUN_32(a) RUN_8(a), RUN_8(a + 8), RUN_8(a + 16), RUN_8(a + 24)

// Part by part the bytes of four groups; `at`: where a vector of one or two groups has those of the first.
#define PARTS_OF(a, b, at)                                                                       \
  (vbytes) __builtin_shufflevector((vuint)(a), (vuint)(b), at, at + G, at + 16, at + 16 + G,     \
                                   at + 1, at + G + 1, at + 17, at + 17 + G,                     \
                                   at + 2, at + G + 2, at + 18, at + 18 + G,                     \
                                   at + 3, at + G + 3, at + 19, at + 19 + G)

// Writes the unsigned numbers of both halves of the quad whose first block lies at `block`: read back, parts
// come by loads, which do not compete with the products.
INLINE void load_quad(const int element, const char *block, uint8_t to[2][QUAD_HALF]) {
  vbytes halves[2];
  if (element == ATTN_ELEMENT_INT8) {
    enum { G = 8 };
    bytes32_any b[QUAD_GROUPS];
    UNROLL for (int g = 0; g < QUAD_GROUPS; g++) {
      b[g] = *(const bytes32_any *)(block + g * ATTN_INT8_GROUP_BYTES + 2);
    }
    const vbytes low = __builtin_shufflevector(b[0], b[1], RUN_32(0), RUN_32(32));
    const vbytes high = __builtin_shufflevector(b[2], b[3], RUN_32(0), RUN_32(32));
    halves[0] = PARTS_OF(low, high, 0) ^ BYTE_OFFSET;
    halves[1] = PARTS_OF(low, high, 4) ^ BYTE_OFFSET;
  } else {
    enum { G = 4 };
    bytes16_any b[QUAD_GROUPS];
    UNROLL for (int g = 0; g < QUAD_GROUPS; g++) {
      b[g] = *(const bytes16_any *)(block + g * ATTN_INT4_GROUP_BYTES + 4);
    }
    // Twice, since PARTS_OF takes whole vectors.
    const vbytes low = __builtin_shufflevector(b[0], b[1], RUN_32(0), RUN_32(0));
    const vbytes high = __builtin_shufflevector(b[2], b[3], RUN_32(0), RUN_32(0));
    typedef uint16_t words __attribute__((vector_size(QUAD_HALF)));
    const vbytes packed = PARTS_OF(low, high, 0);
    halves[0] = packed & 15;
    halves[1] = (vbytes)((words)packed >> 4) & 15;
  }
  UNROLL for (int h = 0; h < 2; h++) *(vbytes_any *)to[h] = halves[h];
}
#undef PARTS_OF
#undef RUN_8
#undef RUN_32

#define LOW_PAIRS 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29
#define HIGH_PAIRS 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31
#define LOW_TWOS 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define HIGH_TWOS 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define EVEN_LANES 0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30
#define ODD_LANES 1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31
#define EVEN_QUARTERS 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27
#define ODD_QUARTERS 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31
#define SHUFFLED(a, b, indices) __builtin_shufflevector(a, b, indices)

// Brings the scales of four groups side by side, 16 tokens at a time.
static void interleave_scales(const tile_scales *from, int32_t count, int64_t quads, float *to) {
  for (int64_t k = 0; k < quads; k++) {
    for (int32_t t = 0; t < count; t += LANES) {
      const float *group = from->scales + k * QUAD_GROUPS * INTEGER_TOKENS + t;
      float *out = to + (k * INTEGER_TOKENS + t) * QUAD_GROUPS;
      const vfloat a = load(group), b = load(group + INTEGER_TOKENS);
      const vfloat c = load(group + 2 * INTEGER_TOKENS), d = load(group + 3 * INTEGER_TOKENS);
      const vfloat ab = SHUFFLED(a, b, LOW_PAIRS), more_ab = SHUFFLED(a, b, HIGH_PAIRS);
      const vfloat cd = SHUFFLED(c, d, LOW_PAIRS), more_cd = SHUFFLED(c, d, HIGH_PAIRS);
      store(out, SHUFFLED(ab, cd, LOW_TWOS));
      store(out + LANES, SHUFFLED(ab, cd, HIGH_TWOS));
      store(out + 2 * LANES, SHUFFLED(more_ab, more_cd, LOW_TWOS));
      store(out + 3 * LANES, SHUFFLED(more_ab, more_cd, HIGH_TWOS));
    }
  }
}

// A token's four scales in every four lanes.
INLINE vfloat quad_scales_at(const float *scales, int64_t quad, int32_t token) {
  const float *block = scales + (quad * INTEGER_TOKENS + token / LANES * LANES) * QUAD_GROUPS;
  const quad_any s = *(const quad_any *)(block + token % 4 * LANES + token % LANES / 4 * 4);
  return __builtin_shufflevector(s, s, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
}

// The parts that `step` of a half multiplies, for every query row.
INLINE vbytes parts_at(const int ROWS, const uint8_t *half, const int step) {
  if (ROWS == 4) {
    const bytes16_any b = *(const bytes16_any *)(half + step * 16);
    typedef uint64_t two __attribute__((vector_size(16)));
    typedef uint64_t eight __attribute__((vector_size(64)));
    const eight wide = __builtin_shufflevector((two)b, (two)b, 0, 1, 0, 1, 0, 1, 0, 1);
    return (vbytes)wide;
  }
  if (ROWS == 2) {
    const bytes32_any b = *(const bytes32_any *)(half + step * 32);
    typedef uint64_t four __attribute__((vector_size(32)));
    typedef uint64_t eight __attribute__((vector_size(64)));
    const eight wide = __builtin_shufflevector((four)b, (four)b, 0, 1, 2, 3, 0, 1, 2, 3);
    return (vbytes)wide;
  }
  return *(const vbytes_any *)half;
}

// totals[t] += scale (q . n), lane by lane, of a quad of 16 rows of keys from `token` on, whose bytes lie in
// `bytes`. Rows of keys come four at a time, so that a sum need not wait for the one before it.
// Meanwhile the quad's lines of the rows `next`, unless NULL, are fetched.
INLINE void quad_products(const int element, const int ROWS, const int8_t *q,
                          const uint8_t bytes[LANES][2][QUAD_HALF], const float *scales, int64_t quad,
                          int32_t token, const char *const *next, vfloat totals[LANES]) {
  enum { AT_ONCE = 4 };
  const int QUAD_BYTES = QUAD_GROUPS * (int)block_bytes(element);
  const int LINES = (QUAD_BYTES + LINE_BYTES - 1) / LINE_BYTES, STEPS = 2 * ROWS;
#pragma clang loop unroll(disable)
  for (int t = 0; t < LANES; t += AT_ONCE) {
    vint high[AT_ONCE], low[AT_ONCE];
    UNROLL for (int j = 0; j < AT_ONCE; j++) high[j] = low[j] = (vint){0};
    UNROLL for (int step = 0; step < STEPS; step++) {
      if (next) {
        UNROLL for (int i = step * AT_ONCE * LINES / STEPS; i < (step + 1) * AT_ONCE * LINES / STEPS; i++) {
          __builtin_prefetch(next[t + i / LINES] + quad * QUAD_BYTES + i % LINES * LINE_BYTES, 0, 2);
        }
      }
      const int8_t *at = q + step * 2 * QUAD_HALF;
      const vbytes high_queries = *(const vbytes_any *)at, low_queries = *(const vbytes_any *)(at + QUAD_HALF);
      UNROLL for (int j = 0; j < AT_ONCE; j++) {
        const vbytes n = parts_at(ROWS, bytes[t + j][step / ROWS], step % ROWS);
        NATIVE_ADD_BYTES(high[j], n, high_queries);
        NATIVE_ADD_BYTES(low[j], n, low_queries);
      }
    }
    UNROLL for (int j = 0; j < AT_ONCE; j++) {
      const vfloat dots = __builtin_convertvector((high[j] << 8) + low[j], vfloat);
      totals[t + j] = fma_vector(dots, quad_scales_at(scales, quad, token + t + j), totals[t + j]);
    }
  }
}

// rows[r] lane t: the sum of the lanes of row r of v[t].
INLINE void sum_row_lanes(const int ROWS, const vfloat v[LANES], vfloat rows[4]) {
  vfloat fours[4];
  UNROLL for (int k = 0; k < 4; k++) {
    const vfloat *w = v + 4 * k;
    const vfloat a = SHUFFLED(w[0], w[1], EVEN_LANES) + SHUFFLED(w[0], w[1], ODD_LANES);
    const vfloat b = SHUFFLED(w[2], w[3], EVEN_LANES) + SHUFFLED(w[2], w[3], ODD_LANES);
    fours[k] = SHUFFLED(a, b, EVEN_LANES) + SHUFFLED(a, b, ODD_LANES);
  }
  // Quarter i of fours[k]: that quarter of tokens 4k to 4k + 3.
  const vfloat ab = SHUFFLED(fours[0], fours[1], EVEN_QUARTERS), ab_odd = SHUFFLED(fours[0], fours[1], ODD_QUARTERS);
  const vfloat cd = SHUFFLED(fours[2], fours[3], EVEN_QUARTERS), cd_odd = SHUFFLED(fours[2], fours[3], ODD_QUARTERS);
  const vfloat quarters[4] = {SHUFFLED(ab, cd, EVEN_QUARTERS), SHUFFLED(ab_odd, cd_odd, EVEN_QUARTERS),
                              SHUFFLED(ab, cd, ODD_QUARTERS), SHUFFLED(ab_odd, cd_odd, ODD_QUARTERS)};
  const int PARTS = 4 / ROWS;
  UNROLL for (int r = 0; r < ROWS; r++) {
    rows[r] = quarters[r * PARTS];
    UNROLL for (int p = 1; p < PARTS; p++) rows[r] = rows[r] + quarters[r * PARTS + p];
  }
}

#undef LOW_PAIRS
#undef HIGH_PAIRS
#undef LOW_TWOS
#undef HIGH_TWOS
#undef EVEN_LANES
#undef ODD_LANES
#undef EVEN_QUARTERS
#undef ODD_QUARTERS
#undef SHUFFLED

// A block of ROWS query rows, of which `stored` are wanted: scores[r * ATTN_TILE_TOKENS + t] = what is there, if
// `adds`, + scale (q . n) of the quads of `count` rows of keys.
INLINE void quad_scores_of(const int element, const int ROWS, int32_t stored, const int8_t *q, int64_t quads,
                           const char *const *keys, int32_t count, const float *scales, const char *const *next,
                           bool adds, float *scores) {
  const int64_t quad_bytes = QUAD_GROUPS * block_bytes(element);
  for (int32_t t = 0; t < count; t += LANES) {
    vfloat totals[LANES], rows[4];
    UNROLL for (int j = 0; j < LANES; j++) totals[j] = splat(0);
    for (int64_t k = 0; k < quads; k++) {
      _Alignas(64) uint8_t bytes[LANES][2][QUAD_HALF];
#pragma clang loop unroll(disable)
      for (int j = 0; j < LANES; j++) {
        load_quad(element, keys[t + j] + k * quad_bytes, bytes[j]);
      }
      quad_products(element, ROWS, q + k * quad_query_bytes(ROWS, 1), bytes, scales, k, t, next ? next + t : NULL,
                    totals);
    }
    sum_row_lanes(ROWS, totals, rows);
    UNROLL for (int r = 0; r < ROWS; r++) {
      float *out = scores + r * ATTN_TILE_TOKENS + t;
      if (r < stored) store(out, adds ? load(out) + rows[r] : rows[r]);
    }
  }
}

INLINE void quad_scores_element(const int element, int32_t rows, const quad_scratch *quads, bool adds,
                                const char *const *keys, int32_t count, const char *const *next, float *scores) {
  const int64_t n = quads->quads;
  const int8_t *q = quads->queries;
  for (int32_t r = 0; r < rows;) {
    const int block = quad_block(rows - r);
    float *out = scores + r * ATTN_TILE_TOKENS;
    switch (block) {
      case 1: quad_scores_of(element, 1, 1, q, n, keys, count, quads->scales, next, adds, out); break;
      case 2: quad_scores_of(element, 2, 2, q, n, keys, count, quads->scales, next, adds, out); break;
      default: quad_scores_of(element, 4, rows - r, q, n, keys, count, quads->scales, next, adds, out); break;
    }
    q += quad_query_bytes(block, n);
    r += block;
    next = NULL;
  }
}

#endif
