// c = scale * c + a b for a block of rows of a and a few vectors of columns of b, accumulated in
// registers: the value product (a: weights, b: value rows) and, over transposed keys, the scores of
// many query rows (a: queries, b: key columns).

// Row k of b lies at rows[k] in a stored element, or, B_STRIDED, at base + k * stride floats.
enum { B_STRIDED = 64 };

// Tokens between two looks at the memory.
enum { PRODUCT_CHUNK = 8 };

typedef struct product_operand {
  int kind;                 // an attn_element, or B_STRIDED
  const char *const *rows;  // addresses of stored rows
  fetched_meanwhile fetch;
  const float *base;        // B_STRIDED
  int64_t stride;
} product_operand;

#if VECTOR_REGISTERS == 32
#define PRODUCT_ROWS 8
#define PRODUCT_VECTORS(rows) ((rows) <= 2 ? 8 : (rows) <= 6 ? 4 : 3)
#else
#define PRODUCT_ROWS 6
#define PRODUCT_VECTORS(rows) ((rows) <= 1 ? 8 : (rows) <= 2 ? 4 : (rows) <= 3 ? 3 : 2)
#endif

// Vectors of row k of b from `column` on. HALF: which half of a block of stored elements two vectors
// take where a block is four, or -1.
INLINE void load_product_row(const int kind, const int VECTORS, const int HALF, const product_operand *b,
                             int64_t column, int64_t k, vfloat *y) {
  const int64_t offset = kind == B_STRIDED ? 0 : column / ATTN_GROUP * block_bytes(kind);
  const int64_t inside = column % ATTN_GROUP;
  // Whole blocks of elements; product_vectors lets them begin where the elements' do.
  if (is_blocked(kind) && VECTORS % GROUP_VECTORS == 0) {
    UNROLL for (int v = 0; v < VECTORS; v += GROUP_VECTORS) {
      load_block(kind, b->rows[k] + offset, v * LANES, y + v);
    }
  } else if (HALF >= 0) {
    load_half_block(kind, b->rows[k] + offset, HALF, y);
  } else {
    UNROLL for (int v = 0; v < VECTORS; v++) {
      y[v] = kind == B_STRIDED ? load(b->base + column + k * b->stride + v * LANES)
                               : load_element(kind, b->rows[k] + offset, inside + v * LANES);
    }
  }
}

INLINE void add_product_row(const int kind, const int ROWS, const int VECTORS, const int HALF,
                            const float *a, int64_t a_stride, const product_operand *b, int64_t column,
                            int64_t k, const bool FETCHES, vfloat sums[PRODUCT_ROWS][8]) {
  if (FETCHES) {
    prefetch_lines(b->fetch.by_line + k, 1, column / ATTN_GROUP * block_bytes(kind),
                   VECTORS * LANES * block_bytes(kind) / ATTN_GROUP);
  }
  vfloat y[8];
  load_product_row(kind, VECTORS, HALF, b, column, k, y);
  UNROLL for (int r = 0; r < ROWS; r++) {
    const vfloat x = splat(a[r * a_stride + k]);
    UNROLL for (int v = 0; v < VECTORS; v++) sums[r][v] = fma_vector(x, y[v], sums[r][v]);
  }
}

INLINE void product_block_of(const int kind, const int ROWS, const int VECTORS, const int HALF,
                             const float *a, int64_t a_stride, int64_t begin, int64_t end,
                             const product_operand *operand, int64_t column, float *c, int64_t c_stride,
                             const float *scale) {
  enum { AT_ONCE = 4 };
  const product_operand b = *operand;
  vfloat sums[PRODUCT_ROWS][8];
  UNROLL for (int r = 0; r < ROWS; r++) {
    UNROLL for (int v = 0; v < VECTORS; v++) {
      sums[r][v] = scale ? load(c + r * c_stride + v * LANES) * splat(scale[r]) : splat(0);
    }
  }
  int64_t k = begin;
  if (FETCHES_BY_LINE && kind != B_STRIDED && b.fetch.by_line) {
#pragma clang loop unroll(disable)
    for (; k + AT_ONCE <= end; k += AT_ONCE) {
      UNROLL for (int i = 0; i < AT_ONCE; i++) {
        add_product_row(kind, ROWS, VECTORS, HALF, a, a_stride, &b, column, k + i, true, sums);
      }
    }
  }
  for (; k + PRODUCT_CHUNK <= end; k += PRODUCT_CHUNK) {
    if (b.fetch.by_row) prefetch_rows(b.fetch.by_row);
#pragma clang loop unroll(disable)
    for (int64_t j = 0; j < PRODUCT_CHUNK; j += AT_ONCE) {
      UNROLL for (int i = 0; i < AT_ONCE; i++) {
        add_product_row(kind, ROWS, VECTORS, HALF, a, a_stride, &b, column, k + j + i, false, sums);
      }
    }
  }
  if (b.fetch.by_row && k < end) prefetch_rows(b.fetch.by_row);
#pragma clang loop unroll(disable)
  for (; k < end; k++) add_product_row(kind, ROWS, VECTORS, HALF, a, a_stride, &b, column, k, false, sums);
  UNROLL for (int r = 0; r < ROWS; r++) {
    UNROLL for (int v = 0; v < VECTORS; v++) store(c + r * c_stride + v * LANES, sums[r][v]);
  }
}

#define PRODUCT_CASE(ROWS, VECTORS)                                                             \
  case ROWS * 16 + VECTORS:                                                                     \
    if (VECTORS > PRODUCT_VECTORS(ROWS)) break;                                                 \
    if (VECTORS == 2 && GROUP_VECTORS == 4 && is_blocked(kind)) {                               \
      if (column % ATTN_GROUP == 0) {                                                           \
        product_block_of(kind, ROWS, VECTORS, 0, a, a_stride, begin, end, b, column, c,         \
                         c_stride, scale);                                                      \
        break;                                                                                  \
      }                                                                                         \
      if (column % ATTN_GROUP == 2 * LANES) {                                                   \
        product_block_of(kind, ROWS, VECTORS, 1, a, a_stride, begin, end, b, column, c,         \
                         c_stride, scale);                                                      \
        break;                                                                                  \
      }                                                                                         \
    }                                                                                           \
    product_block_of(kind, ROWS, VECTORS, -1, a, a_stride, begin, end, b, column, c, c_stride,  \
                     scale);                                                                    \
    break;
#define PRODUCT_CASES(ROWS)                                                                     \
  PRODUCT_CASE(ROWS, 1) PRODUCT_CASE(ROWS, 2) PRODUCT_CASE(ROWS, 3) PRODUCT_CASE(ROWS, 4)       \
  PRODUCT_CASE(ROWS, 8)

INLINE void product_block_kind(const int kind, int rows, int vectors, const float *a,
                               int64_t a_stride, int64_t begin, int64_t end,
                               const product_operand *b, int64_t column, float *c,
                               int64_t c_stride, const float *scale) {
  switch (rows * 16 + vectors) {
    PRODUCT_CASES(1)
    PRODUCT_CASES(2)
    PRODUCT_CASES(3)
    PRODUCT_CASES(4)
    PRODUCT_CASES(5)
    PRODUCT_CASES(6)
#if PRODUCT_ROWS == 8
    PRODUCT_CASES(7)
    PRODUCT_CASES(8)
#endif
    default: break;
  }
}

static void product_block(int rows, int vectors, const float *a, int64_t a_stride, int64_t begin,
                          int64_t end, const product_operand *b, int64_t column, float *c,
                          int64_t c_stride, const float *scale) {
#define PRODUCT_KIND(KIND)                                                                     \
  product_block_kind(KIND, rows, vectors, a, a_stride, begin, end, b, column, c, c_stride, scale)
  if (b->kind == B_STRIDED) {
    PRODUCT_KIND(B_STRIDED);
  } else {
    FOR_ELEMENT(b->kind, PRODUCT_KIND)
  }
#undef PRODUCT_KIND
}

// How many vectors the next block of columns takes of the `left` ones. Of blocked elements whole
// blocks as long as there are any, where a block of columns has room for them.
INLINE int product_vectors(int kind, int rows, int64_t left) {
  int most = PRODUCT_VECTORS(rows);
  if (is_blocked(kind) && most >= GROUP_VECTORS) {
    most -= most % GROUP_VECTORS;
    if (left >= most) return most;
    if (left >= 4 && 4 % GROUP_VECTORS == 0) return 4;
    return left >= GROUP_VECTORS ? GROUP_VECTORS : (int)left;
  }
  if (is_blocked(kind) && most >= 2 && GROUP_VECTORS == 4) return left >= 2 ? 2 : 1;
  if (left >= most) return left == most + 1 && most == 3 ? 2 : most;
  return left >= 4 ? 4 : (int)left;
}

// Splits `rows` into blocks of at most `most`, as even as possible.
INLINE int even_block(int rows, int most) {
  int blocks = (rows + most - 1) / most;
  return (rows + blocks - 1) / blocks;
}

// Blocks of columns times blocks of rows: how often a product passes over its tokens.
INLINE int64_t product_passes(int rows, int64_t width) {
  const int block = even_block(rows, PRODUCT_ROWS);
  const int64_t columns = PRODUCT_VECTORS(block) * LANES;
  return (width + columns - 1) / columns * ((rows + block - 1) / block);
}
