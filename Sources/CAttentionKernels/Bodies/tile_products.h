// Blocks of sums in tiles: c (+)= a . b, over operands that lie in pieces of bfloat16. Of `a` a tile has
// 16 rows of 32 elements, of `b` 16 columns of the same, two elements of a column side by side.

// Where an operand's tiles lie, in bytes.
typedef struct tile_operand {
  const char *at;
  int64_t row_bytes;    // from row to row of a tile
  int64_t block_bytes;  // from 16 rows of a (columns of b) to the next
  int64_t step_bytes;   // from 32 elements to the next
  int64_t piece_bytes;  // from piece to piece
} tile_operand;

INLINE const char *tile_at(const tile_operand *o, int block, int64_t step, int piece) {
  return o->at + block * o->block_bytes + step * o->step_bytes + piece * o->piece_bytes;
}

#define LOAD_TILE(tile, operand, block, step, piece) \
  TILE_LOAD(tile, tile_at(operand, block, step, piece), (operand)->row_bytes)

// A product, and a few lines of what follows: lines asked for in bursts hold up the loads of tiles behind them.
#define PRODUCT_AND_FETCH(sum, left, right) \
  TILE_PRODUCT(sum, left, right);           \
  if (prefetch) prefetch_some(prefetch);

// Products of pieces that a step of 32 elements sums for one tile.
INLINE int piece_products(const int A_PIECES, const int B_PIECES) {
  const int MOST = A_PIECES > B_PIECES ? A_PIECES : B_PIECES;
  int count = 0;
  for (int i = 0; i < A_PIECES; i++) count += B_PIECES < MOST - i ? B_PIECES : MOST - i;
  return count;
}

// Tiles 0 ... 3 are the sums of block (i, j), row by row; the first `rows` by `columns` of two by two.
INLINE void square_products(const int ROWS, const int COLUMNS, prefetcher *prefetch) {
  PRODUCT_AND_FETCH(0, 4, 6)
  if (COLUMNS > 1) { PRODUCT_AND_FETCH(1, 4, 7) }
  if (ROWS > 1) { PRODUCT_AND_FETCH(2, 5, 6) }
  if (ROWS > 1 && COLUMNS > 1) { PRODUCT_AND_FETCH(3, 5, 7) }
}

INLINE void load_left(const int ROWS, const tile_operand *a, int64_t step, const int piece) {
  LOAD_TILE(4, a, 0, step, piece);
  if (ROWS > 1) LOAD_TILE(5, a, 1, step, piece);
}

INLINE void load_right(const int COLUMNS, const tile_operand *b, int64_t step, const int piece) {
  LOAD_TILE(6, b, 0, step, piece);
  if (COLUMNS > 1) LOAD_TILE(7, b, 1, step, piece);
}

// One step of up to two by two blocks. With `A_PIECES` and `B_PIECES` pieces the products of pieces i
// and j with i + j < max(A_PIECES, B_PIECES) are summed.
INLINE void square_step(const int ROWS, const int COLUMNS, const int A_PIECES, const int B_PIECES,
                        const tile_operand *a, const tile_operand *b, int64_t step, prefetcher *prefetch) {
  const int MOST = A_PIECES > B_PIECES ? A_PIECES : B_PIECES;
  UNROLL for (int i = 0; i < A_PIECES; i++) {
    load_left(ROWS, a, step, i);
    const int LAST = B_PIECES < MOST - i ? B_PIECES : MOST - i;
    // With two pieces each the second round finds the right side's first piece at hand.
    UNROLL for (int j = LAST - 1; j >= 0; j--) {
      if (i == 0 || j != 0 || LAST > 1) load_right(COLUMNS, b, step, j);
      square_products(ROWS, COLUMNS, prefetch);
    }
  }
}

// Four blocks of rows by one of columns, or one of rows by four of columns. Sums follow on themselves
// after four products; the side of four is read again for every piece of the other.
#define LINE_OF_FOUR(LOAD, SUM) \
  LOAD(0, 0) SUM(0, 0) LOAD(1, 1) SUM(1, 1) LOAD(2, 0) SUM(2, 0) LOAD(3, 1) SUM(3, 1)

INLINE void rows_step(const int A_PIECES, const int B_PIECES, const tile_operand *a,
                      const tile_operand *b, int64_t step, prefetcher *prefetch) {
  LOAD_TILE(6, b, 0, step, 0);
  if (B_PIECES > 1) LOAD_TILE(7, b, 0, step, 1);
#define LOAD_ROWS(block, side) LOAD_TILE(4 + side, a, block, step, piece);
#define SUM_FIRST(block, side) PRODUCT_AND_FETCH(block, 4 + side, 6)
#define SUM_SECOND(block, side) PRODUCT_AND_FETCH(block, 4 + side, 7)
  if (A_PIECES > 1) {
    enum { piece = 1 };
    LINE_OF_FOUR(LOAD_ROWS, SUM_FIRST)
  }
  enum { piece = 0 };
  if (B_PIECES > 1) { LINE_OF_FOUR(LOAD_ROWS, SUM_SECOND) }
  LINE_OF_FOUR(LOAD_ROWS, SUM_FIRST)
#undef LOAD_ROWS
#undef SUM_FIRST
#undef SUM_SECOND
}

INLINE void columns_step(const int A_PIECES, const int B_PIECES, const tile_operand *a,
                         const tile_operand *b, int64_t step, prefetcher *prefetch) {
  LOAD_TILE(4, a, 0, step, 0);
  if (A_PIECES > 1) LOAD_TILE(5, a, 0, step, 1);
#define LOAD_COLUMNS(block, side) LOAD_TILE(6 + side, b, block, step, piece);
#define SUM_FIRST(block, side) PRODUCT_AND_FETCH(block, 4, 6 + side)
#define SUM_SECOND(block, side) PRODUCT_AND_FETCH(block, 5, 6 + side)
  if (B_PIECES > 1) {
    enum { piece = 1 };
    LINE_OF_FOUR(LOAD_COLUMNS, SUM_FIRST)
  }
  enum { piece = 0 };
  if (A_PIECES > 1) { LINE_OF_FOUR(LOAD_COLUMNS, SUM_SECOND) }
  LINE_OF_FOUR(LOAD_COLUMNS, SUM_FIRST)
#undef LOAD_COLUMNS
#undef SUM_FIRST
#undef SUM_SECOND
}

// Sums of ROWS by COLUMNS blocks (2 or 1 by 2 or 1, 4 by 1, 1 by 4) of 16 by 16 over `steps` times 32
// elements, begun anew or added to those at `c`. Lines are prefetched with every product.
INLINE void tile_block(const int ROWS, const int COLUMNS, const int A_PIECES, const int B_PIECES,
                       tile_operand a, tile_operand b, int64_t steps, bool first, float *c,
                       int64_t stride, prefetcher *prefetch) {
  float *at[4];
  UNROLL for (int i = 0; i < 4; i++) {
    at[i] = c + (ROWS == 4      ? i * TILE_ROWS * stride
                 : COLUMNS == 4 ? i * TILE_ROWS
                                : i / 2 * TILE_ROWS * stride + i % 2 * TILE_ROWS);
  }
  const int64_t row_bytes = stride * 4;
#define EACH_SUM(BODY)                                      \
  BODY(0)                                                   \
  if (COLUMNS > 1 || ROWS == 4) { BODY(1) }                 \
  if (ROWS > 1 || COLUMNS == 4) { BODY(2) }                 \
  if (ROWS * COLUMNS == 4) { BODY(3) }
#define BEGIN_SUM(i) TILE_ZERO(i);
#define FETCH_SUM(i) TILE_LOAD(i, at[i], row_bytes);
#define LEAVE_SUM(i) TILE_STORE(i, at[i], row_bytes);
  if (first) {
    EACH_SUM(BEGIN_SUM)
  } else {
    EACH_SUM(FETCH_SUM)
  }
  for (int64_t s = 0; s < steps; s++) {
    if (ROWS == 4) {
      rows_step(A_PIECES, B_PIECES, &a, &b, s, prefetch);
    } else if (COLUMNS == 4) {
      columns_step(A_PIECES, B_PIECES, &a, &b, s, prefetch);
    } else {
      square_step(ROWS, COLUMNS, A_PIECES, B_PIECES, &a, &b, s, prefetch);
    }
  }
  EACH_SUM(LEAVE_SUM)
#undef EACH_SUM
#undef BEGIN_SUM
#undef FETCH_SUM
#undef LEAVE_SUM
}
