// Numbers as sums of bfloat16 pieces, which is what tiles multiply. A piece holds eight bits of a
// number: bfloat16, FP8 and integers of eight bits are one piece, binary16 (eleven bits) is exactly two,
// float32 exactly three. The first two cut off a
// number hold it to 2^-15, two that are rounded to 2^-17.
//
// Of the products of the pieces those are summed that are not below the last piece's error: with two
// pieces each a0 b0 + a0 b1 + a1 b0.

typedef uint16_t vwords __attribute__((vector_size(64)));
typedef uint16_t vwords_any __attribute__((vector_size(64), aligned(1), may_alias));

INLINE vfloat upper_half(vfloat x) { return (vfloat)((vuint)x & 0xffff0000u); }

// What a piece cut off `x` leaves.
INLINE vfloat rest_of(vfloat x) { return x - upper_half(x); }

// To the nearest piece; not of NaN or infinity, whose patterns it may change.
INLINE vfloat nearest_piece(vfloat x) { return (vfloat)((vuint)x + 0x8000u); }

// The pieces (upper halves) of 32 numbers, one after another.
INLINE vwords pieces_in_order(vfloat a, vfloat b) {
  return __builtin_shufflevector((vwords)a, (vwords)b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25,
                                 27, 29, 31, 33, 35, 37, 39, 41, 43, 45, 47, 49, 51, 53, 55, 57, 59, 61,
                                 63);
}

// A shift that the compiler does not see through: it would make one shuffle of the pieces below, which
// takes three instructions of the processor instead of two, two of them in the only unit for shuffles.
#if EMULATED_VECTORS
#define KEEP_SHIFTED(x)
#else
#define KEEP_SHIFTED(x) __asm__("" : "+v"(x))
#endif

// The pieces of two times 16 numbers in turn.
INLINE vwords pieces_in_turn(vfloat a, vfloat b) {
  vuint low = (vuint)a >> 16;
  KEEP_SHIFTED(low);
  return (vwords)(low | (vuint)upper_half(b));
}

INLINE void store_words(void *to, vwords words) { *(vwords_any *)to = words; }

// Pieces that the elements of a cached row take: exactly, but for INT8 and INT4, of which scales and zeros
// make longer numbers (cut, error below 2^-15); 0 where tiles are not used.
INLINE int pieces_of(const int element) {
  switch (element) {
    case ATTN_ELEMENT_BF16:
    case ATTN_ELEMENT_FP8: return 1;
    case ATTN_ELEMENT_F16:
    case ATTN_ELEMENT_INT8:
    case ATTN_ELEMENT_INT4: return 2;
    default: return 0;
  }
}

// 32 elements of a row, zeros behind the last.
INLINE void load_depth(const int element, const char *row, int64_t index, int64_t width, vfloat x[2]) {
  const int64_t left = width - index;
  if (left >= TILE_DEPTH && is_blocked(element)) {
    load_block(element, row, index, x);
    return;
  }
  UNROLL for (int v = 0; v < 2; v++) {
    const int64_t count = left - v * LANES;
    x[v] = count >= LANES ? load_element(element, row, index + v * LANES)
           : count > 0    ? load_element_tail(element, row, index + v * LANES, count)
                          : splat(0);
  }
}
