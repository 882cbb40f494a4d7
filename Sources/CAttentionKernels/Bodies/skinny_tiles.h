// Products of weights with few rows by matrix tiles. The rows are packed once, as columns in three pieces
// of bfloat16, which is all of a float32; weights of bfloat16 are read as tiles where they lie, others are
// split into as many pieces as hold them. All products of pieces that matter to a float32 are summed, in
// tiles over a short part of the width at a time: one sum after another over all of it would lose two
// digits.

enum {
  SKINNY_PIECES = 3,
  MOST_TILE_ROWS = 2 * TILE_ROWS,
  TILE_OUTPUTS = 2 * TILE_ROWS,  // of a block
  PART_WIDTH = 128,              // elements of the width that are summed in tiles
  PART_STRIDE = 2 * PART_WIDTH + 64,
  // Elements of the width in one pass over the weights: packed rows of that length leave room in the
  // second-level cache.
  WIDTH_AT_ONCE = 4096,
};

// The least number of rows for which tiles were measured to be faster than panels. float32 would need six
// products of pieces and as many instructions to split as the panels take in all.
INLINE int32_t least_tile_rows(int32_t element) {
  switch (element) {
    case ATTN_ELEMENT_BF16: return 3;
    case ATTN_ELEMENT_F16: return 12;
    case ATTN_ELEMENT_S8: return 8;
    default: return INT32_MAX;
  }
}

INLINE bool is_product_in_tiles(int32_t element, int32_t rows) {
  return rows >= least_tile_rows(element) && rows <= MOST_TILE_ROWS;
}

INLINE int64_t packed_tile_piece(int64_t width) { return attn_whole_steps(width) / 2 * TILE_BYTES; }

static int64_t skinny_tile_floats(int32_t rows, int64_t width) {
  return (rows + TILE_ROWS - 1) / TILE_ROWS * SKINNY_PIECES * packed_tile_piece(width) / 4;
}

// Pieces of 32 numbers of which each is cut off what the ones before it left.
INLINE void cut_pieces(const int pieces, const vfloat x[2], vwords out[SKINNY_PIECES]) {
  vfloat a = x[0], b = x[1];
  UNROLL for (int p = 0; p < pieces; p++) {
    out[p] = pieces_in_order(a, b);
    a = rest_of(a);
    b = rest_of(b);
  }
}

static void pack_tiles(const float *in, int64_t in_stride, int32_t rows, int64_t width, char *packed) {
  const int64_t piece = packed_tile_piece(width);
  for (int32_t first = 0; first < rows; first += TILE_ROWS) {
    char *block = packed + first / TILE_ROWS * SKINNY_PIECES * piece;
    for (int64_t i = 0; i < width; i += TILE_DEPTH) {
      vfloat pieces[SKINNY_PIECES][TILE_ROWS];  // pairs of elements of a row
      for (int r = 0; r < TILE_ROWS; r++) {
        vfloat x[2] = {splat(0), splat(0)};
        if (first + r < rows) {
          load_depth(ATTN_ELEMENT_F32, (const char *)(in + (first + r) * in_stride), i, width, x);
        }
        vwords cut[SKINNY_PIECES];
        cut_pieces(SKINNY_PIECES, x, cut);
        for (int p = 0; p < SKINNY_PIECES; p++) pieces[p][r] = (vfloat)cut[p];
      }
      for (int p = 0; p < SKINNY_PIECES; p++) {
        transpose(pieces[p]);
        char *to = block + p * piece + i / 2 * TILE_BYTES;
        for (int k = 0; k < TILE_ROWS; k++) store((float *)(to + k * TILE_BYTES), pieces[p][k]);
      }
    }
  }
}

// Pieces that hold an element of weights: f16 or one of eight bits.
INLINE int weight_pieces(const int element) {
  return element == ATTN_ELEMENT_F16 ? 2 : 1;
}

// `outputs` rows of at most PART_WIDTH elements in pieces, zeros up to whole tiles. Lines are prefetched
// with every 32 elements.
INLINE void split_weight_rows(const int element, const char *weights, int64_t row_bytes, int64_t outputs,
                              int64_t width, char *to, prefetcher *prefetch) {
  for (int64_t o = 0; o < TILE_OUTPUTS; o++) {
    char *row = to + o * PART_STRIDE;
    for (int64_t i = 0; i < width; i += TILE_DEPTH) {
      if (o < outputs) prefetch_some(prefetch);
      vfloat x[2] = {splat(0), splat(0)};
      if (o < outputs) {
        load_depth(element, weights + o * row_bytes, i, i + TILE_DEPTH <= width ? INT64_MAX : width, x);
      }
      vwords cut[SKINNY_PIECES];
      cut_pieces(weight_pieces(element), x, cut);
      UNROLL for (int p = 0; p < weight_pieces(element); p++) {
        store_words(row + p * TILE_OUTPUTS * PART_STRIDE + i * 2, cut[p]);
      }
    }
  }
}

INLINE void add_part(const int COLUMNS, const float *of_part, bool first, float *sums) {
  for (int o = 0; o < TILE_OUTPUTS * MOST_TILE_ROWS; o += MOST_TILE_ROWS) {
    UNROLL for (int r = 0; r < COLUMNS * TILE_ROWS; r += LANES) {
      const vfloat part = load(of_part + o + r);
      store(sums + o + r, first ? part : part + load(sums + o + r));
    }
  }
}

// Writes or adds the sums of a block, which lie output by output.
INLINE void store_tile_sums(const float *sums, int64_t stride, int64_t output, int64_t outputs,
                            int32_t rows, bool add, const skinny_target *target) {
  for (int64_t o = 0; o < outputs; o += TILE_ROWS) {
    const int64_t count = outputs - o < TILE_ROWS ? outputs - o : TILE_ROWS;
    for (int32_t first = 0; first < rows; first += TILE_ROWS) {
      vfloat block[TILE_ROWS];
      UNROLL for (int k = 0; k < TILE_ROWS; k++) block[k] = load(sums + (o + k) * stride + first);
      transpose(block);
      float factors[TILE_ROWS], addends[TILE_ROWS];
      for (int64_t k = 0; k < TILE_ROWS; k++) factors[k] = 1, addends[k] = 0;
      if (target->scales) memcpy(factors, target->scales + output + o, (size_t)count * 4);
      if (target->bias && !add) memcpy(addends, target->bias + output + o, (size_t)count * 4);
      for (int32_t r = 0; r < TILE_ROWS && first + r < rows; r++) {
        float *out = target->out + (first + r) * target->out_stride + output + o;
        const vfloat sum = fma_vector(block[r], load(factors), load(addends));
        if (count == TILE_ROWS) {
          store(out, add ? sum + load(out) : sum);
          continue;
        }
        for (int64_t k = 0; k < count; k++) out[k] = add ? sum[k] + out[k] : sum[k];
      }
    }
  }
}

INLINE void tile_product_of(const int element, const int COLUMNS, const char *weights, int64_t row_bytes,
                            const char *packed, int32_t rows, int64_t width,
                            const skinny_target *target, int64_t first, int64_t last) {
  const int A_PIECES = weight_pieces(element);
  const int64_t element_bytes = block_bytes(element) / ATTN_GROUP, piece = packed_tile_piece(width);
  char split[SKINNY_PIECES * TILE_OUTPUTS * PART_STRIDE] __attribute__((aligned(64)));
  float of_part[TILE_OUTPUTS * MOST_TILE_ROWS] __attribute__((aligned(64)));
  float sums[TILE_OUTPUTS * MOST_TILE_ROWS] __attribute__((aligned(64)));
  tile_operand b = {
      .row_bytes = TILE_BYTES,
      .block_bytes = SKINNY_PIECES * piece,
      .step_bytes = TILE_ROWS * TILE_BYTES,
      .piece_bytes = piece,
  };
  for (int64_t begin = 0; begin < width; begin += WIDTH_AT_ONCE) {
    const int64_t end = begin + WIDTH_AT_ONCE < width ? begin + WIDTH_AT_ONCE : width;
    for (int64_t output = first; output < last; output += TILE_OUTPUTS) {
      const int64_t outputs = last - output < TILE_OUTPUTS ? last - output : TILE_OUTPUTS;
      const char *at = weights + output * row_bytes + begin * element_bytes;
      // The next block's rows are fetched meanwhile.
      const char *next[TILE_OUTPUTS];
      int32_t next_count = 0;
      for (int64_t o = output + TILE_OUTPUTS; o < last && next_count < TILE_OUTPUTS; o++) {
        next[next_count++] = weights + o * row_bytes + begin * element_bytes;
      }
      prefetcher prefetch = {.rows = {next, next}, .row_bytes = {(end - begin) * element_bytes, 0},
                             .count = next_count};
      // bfloat16 is tiles already, where they are whole.
      const bool is_whole = element == ATTN_ELEMENT_BF16 && outputs == TILE_OUTPUTS;
      const int64_t parts = (end - begin + PART_WIDTH - 1) / PART_WIDTH;
      const int64_t calls = is_whole ? 2 * COLUMNS * piece_products(1, SKINNY_PIECES) : TILE_OUTPUTS;
      prefetch_in_steps(&prefetch, parts * (PART_WIDTH / TILE_DEPTH) * calls);
      for (int64_t k = begin; k < end; k += PART_WIDTH) {
        const int64_t part = end - k < PART_WIDTH ? end - k : PART_WIDTH;
        b.at = packed + k / 2 * TILE_BYTES;
        if (is_whole && part == PART_WIDTH) {
          const tile_operand a = {
              .at = at + (k - begin) * element_bytes,
              .row_bytes = row_bytes,
              .block_bytes = TILE_ROWS * row_bytes,
              .step_bytes = TILE_BYTES,
          };
          tile_block(2, COLUMNS, 1, SKINNY_PIECES, a, b, PART_WIDTH / TILE_DEPTH, true, of_part,
                     MOST_TILE_ROWS, &prefetch);
        } else {
          split_weight_rows(element, at + (k - begin) * element_bytes, row_bytes, outputs, part, split,
                            &prefetch);
          const tile_operand a = {
              .at = split,
              .row_bytes = PART_STRIDE,
              .block_bytes = TILE_ROWS * PART_STRIDE,
              .step_bytes = TILE_BYTES,
              .piece_bytes = TILE_OUTPUTS * PART_STRIDE,
          };
          tile_block(2, COLUMNS, A_PIECES, SKINNY_PIECES, a, b, (part + TILE_DEPTH - 1) / TILE_DEPTH, true,
                     of_part, MOST_TILE_ROWS, NULL);
        }
        add_part(COLUMNS, of_part, k == begin, sums);
      }
      store_tile_sums(sums, MOST_TILE_ROWS, output, outputs, rows, begin > 0, target);
    }
  }
}

static void skinny_product_tiles(const char *weights, int32_t element, int64_t weight_stride,
                                 const char *packed, int32_t rows, int64_t width,
                                 const skinny_target *target, int64_t first, int64_t last) {
  tiles_begin();
#define TILED_ELEMENT(ELEMENT)                                                                        \
  case ELEMENT:                                                                                       \
    if (rows <= TILE_ROWS) {                                                                          \
      tile_product_of(ELEMENT, 1, weights, stored_row_bytes(ELEMENT, weight_stride), packed, rows,    \
                      width, target, first, last);                                                    \
    } else {                                                                                          \
      tile_product_of(ELEMENT, 2, weights, stored_row_bytes(ELEMENT, weight_stride), packed, rows,    \
                      width, target, first, last);                                                    \
    }                                                                                                 \
    break;
  switch (element) {
    TILED_ELEMENT(ATTN_ELEMENT_F16)
    TILED_ELEMENT(ATTN_ELEMENT_BF16)
    TILED_ELEMENT(ATTN_ELEMENT_S8)
    default: break;
  }
#undef TILED_ELEMENT
  tiles_end();
}
