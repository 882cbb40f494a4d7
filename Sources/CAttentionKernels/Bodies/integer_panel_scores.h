// Scores of many query rows against INT8 and INT4 keys: what integer_scores.h computes, laid out as
// panel_products.h lays it out. Query rows lie side by side in the lanes, two neighbouring elements of
// each in one, so that a broadcast pair of key integers meets 16 rows by one multiplication of pairs.
// Sums of integers are exact and end with their group of 32 elements, whose scale leads to float32.

enum {
  KEY_PIECE_TOKENS = 12,  // tokens whose integers lie together
  KEY_PIECE_SHORTS = KEY_PIECE_TOKENS * ATTN_GROUP,  // of one group of elements
  // Groups of one vector of rows that a block of scores takes at a time: 16 to 20 KiB of queries stay in the
  // first-level cache, beside the keys.
  KEY_PIECE_DEPTH = 20,
};

// The query rows of a call. A panel of n vectors (two, or one where at most LANES rows are left) begins
// at row `first`, a multiple of PANEL_ROWS.
typedef struct integer_panel_queries {
  // Elements 2k and 2k + 1 of row first + v * LANES + j at
  // rows[first * width + ((k * n + v) * LANES + j) * 2], rows past the last being zeros.
  int16_t *rows;
  float *sums;     // of group g's integers at sums[first * groups + (g * n + v) * LANES + j]
  float *factors;  // row by row: what leads from its integers to the scaled row
} integer_panel_queries;

// The nearest integers of 32 numbers of 32,767 at most.
INLINE vshort round_shorts(vfloat first, vfloat second) {
  typedef int16_t half_vshort __attribute__((vector_size(LANES * 2)));
  const half_vshort a = __builtin_convertvector((vint)(first + splat(0x1.8p23f)), half_vshort);
  const half_vshort b = __builtin_convertvector((vint)(second + splat(0x1.8p23f)), half_vshort);
  return __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
                                 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
}

static void pack_integer_queries(const attn_queries *queries, int64_t width, integer_panel_queries *out) {
  const int64_t groups = width / ATTN_GROUP;
  const vshort ones = (vshort){0} + 1;
  for (int32_t first = 0; first < queries->rows; first += PANEL_ROWS) {
    const int vectors = panel_vectors(queries->rows, first);
    for (int v = 0; v < vectors; v++) {
      const float *q[LANES];
      float forward[LANES];
      for (int j = 0; j < LANES; j++) {
        const int32_t row = first + v * LANES + j;
        const bool exists = row < queries->rows;
        q[j] = queries->queries + (exists ? row : 0) * queries->query_stride;
        vint largest = {0};
        for (int64_t i = 0; i < width; i += LANES) largest = larger_magnitude(largest, load(q[j] + i));
        const float most = largest_of(largest);
        forward[j] = exists ? to_shorts(most) : 0;
        out->factors[row] = exists ? from_shorts(most) * queries->scale : 0;
      }
      for (int64_t g = 0; g < groups; g++) {
        vfloat block[LANES];
        for (int j = 0; j < LANES; j++) {
          const float *x = q[j] + g * ATTN_GROUP;
          const vfloat factor = splat(forward[j]);
          block[j] = (vfloat)round_shorts(load(x) * factor, load(x + LANES) * factor);
        }
        transpose(block);
        vint sum = {0};
        for (int k = 0; k < ATTN_GROUP / 2; k++) {
          sum += multiply_pairs((vshort)block[k], ones);
          int16_t *to = out->rows + first * width + ((g * ATTN_GROUP / 2 + k) * vectors + v) * SHORTS;
          *(vshort_any *)to = (vshort)block[k];
        }
        store(out->sums + first * groups + (g * vectors + v) * LANES, __builtin_convertvector(sum, vfloat));
      }
    }
  }
}

// Integers of `groups` groups of KEY_PIECE_TOKENS rows, from byte `offset` of each: group by group, and in
// it token by token.
INLINE void widen_key_piece_of(const int element, const char *const *rows, int64_t offset,
                               int64_t groups, int16_t *out) {
  for (int t = 0; t < KEY_PIECE_TOKENS; t++) {
    const char *block = rows[t] + offset;
    int16_t *to = out + t * ATTN_GROUP;
    for (int64_t g = 0; g < groups; g++, block += block_bytes(element), to += KEY_PIECE_SHORTS) {
      *(vshort_any *)to = load_shorts(element, block, 0);
    }
  }
}

static void widen_key_piece(int element, const char *const *rows, int64_t first_group, int64_t groups,
                            int16_t *out) {
  if (element == ATTN_ELEMENT_INT4) {
    widen_key_piece_of(ATTN_ELEMENT_INT4, rows, first_group * ATTN_INT4_GROUP_BYTES, groups, out);
  } else {
    widen_key_piece_of(ATTN_ELEMENT_INT8, rows, first_group * ATTN_INT8_GROUP_BYTES, groups, out);
  }
}

// Some groups of a piece of keys and of a panel of queries, each at the first of them.
typedef struct integer_panel_step {
  const int16_t *keys, *queries;
  const float *scales, *zeros;  // of group g and token t at [g * INTEGER_TOKENS + t]
  const float *sums, *factors;
  int64_t groups;
} integer_panel_step;

// scores[t * ATTN_ROW_BLOCK + v * LANES ...] = (first ? 0 : scores) + the step's share, for
// KEY_PIECE_TOKENS / VECTORS tokens.
INLINE void integer_panel_scores_of(const int VECTORS, const bool HAS_ZEROS, const integer_panel_step *step,
                                    bool first, float *scores, prefetcher *prefetch) {
  const int TOKENS = KEY_PIECE_TOKENS / VECTORS;
  vfloat sums[KEY_PIECE_TOKENS];
  UNROLL for (int i = 0; i < KEY_PIECE_TOKENS; i++) sums[i] = splat(0);
  const int16_t *keys = step->keys, *queries = step->queries;
  const float *scales = step->scales, *zeros = step->zeros, *totals = step->sums;
  for (int64_t g = 0; g < step->groups; g++) {
    prefetch_some(prefetch);
    vint dots[KEY_PIECE_TOKENS];
    UNROLL for (int i = 0; i < KEY_PIECE_TOKENS; i++) dots[i] = (vint){0};
    UNROLL for (int k = 0; k < ATTN_GROUP / 2; k++) {
      vshort q[PANEL_VECTORS];
      UNROLL for (int v = 0; v < VECTORS; v++) {
        q[v] = *(const vshort_any *)(queries + (k * VECTORS + v) * SHORTS);
      }
      UNROLL for (int t = 0; t < TOKENS; t++) {
        const int16_t *n = keys + t * ATTN_GROUP + 2 * k;
        if (VECTORS == 1) {
          dots[t] = add_pair_at(dots[t], q[0], n);
          continue;
        }
        const vshort pair = (vshort)((vint){0} + *(const pair_of_shorts *)n);
        UNROLL for (int v = 0; v < VECTORS; v++) {
          dots[t * VECTORS + v] = add_pairs(dots[t * VECTORS + v], q[v], pair);
        }
      }
    }
    UNROLL for (int t = 0; t < TOKENS; t++) {
      UNROLL for (int v = 0; v < VECTORS; v++) {
        vfloat *sum = sums + t * VECTORS + v;
        *sum = fma_vector(__builtin_convertvector(dots[t * VECTORS + v], vfloat), splat(scales[t]), *sum);
        if (HAS_ZEROS) *sum = fma_vector(load(totals + v * LANES), splat(zeros[t]), *sum);
      }
    }
    keys += KEY_PIECE_SHORTS;
    queries += ATTN_GROUP / 2 * VECTORS * SHORTS;
    scales += INTEGER_TOKENS;
    zeros += INTEGER_TOKENS;
    totals += VECTORS * LANES;
  }
  UNROLL for (int t = 0; t < TOKENS; t++) {
    UNROLL for (int v = 0; v < VECTORS; v++) {
      float *to = scores + t * ATTN_ROW_BLOCK + v * LANES;
      const vfloat before = first ? splat(0) : load(to);
      store(to, fma_vector(sums[t * VECTORS + v], load(step->factors + v * LANES), before));
    }
  }
}

// The same for the whole piece.
static void integer_panel_scores(int vectors, bool has_zeros, integer_panel_step step, bool first,
                                 float *scores, prefetcher *prefetch) {
  if (vectors == 1) {
    if (has_zeros) {
      integer_panel_scores_of(1, true, &step, first, scores, prefetch);
    } else {
      integer_panel_scores_of(1, false, &step, first, scores, prefetch);
    }
    return;
  }
  enum { TOKENS = KEY_PIECE_TOKENS / 2 };
  for (int half = 0; half < 2; half++) {
    if (has_zeros) {
      integer_panel_scores_of(2, true, &step, first, scores, prefetch);
    } else {
      integer_panel_scores_of(2, false, &step, first, scores, prefetch);
    }
    step.keys += TOKENS * ATTN_GROUP;
    step.scales += TOKENS;
    step.zeros += TOKENS;
    scores += TOKENS * ATTN_ROW_BLOCK;
  }
}
