// Stored elements: where element i of a row lies, and the loads that widen LANES of them to float32.
// The row formats are described in attention_kernels.h.

// f16 -> f32. Without the instruction: shift exponent and mantissa into place and rescale by
// 2^112, which also normalises denormals; infinities and NaN get their exponent afterwards.
INLINE vfloat widen_f16(vuint16 half) {
#if HAS_HALF_CONVERSION
  typedef _Float16 vhalf __attribute__((vector_size(LANES * 2)));
  return __builtin_convertvector((vhalf)half, vfloat);
#else
  vuint bits = __builtin_convertvector(half, vuint);
  vuint sign = (bits & 0x8000u) << 16;
  vuint magnitude = (bits & 0x7fffu) << 13;
  vuint special = (vuint)(magnitude >= (0x7c00u << 13)) & 0x7f800000u;
  vfloat scaled = (vfloat)magnitude * 0x1p112f;
  return (vfloat)((vuint)scaled | special | sign);
#endif
}

// Where vectors are wider than the unit that extends small elements to lanes, spreading them by a byte
// shuffle (NATIVE_SPREAD) is faster: 0.5 cycles a vector where the extension takes 1.35 (Zen 3).

// LANES 16-bit elements in the upper halves of the lanes.
INLINE vuint load_upper_halves(const char *p) {
#ifdef NATIVE_SPREAD
  return (vuint)NATIVE_SPREAD_16(p, UPPER);
#else
  return __builtin_convertvector(*(const vuint16_any *)p, vuint) << 16;
#endif
}

// LANES bytes, zero extended.
INLINE vuint load_bytes(const char *p) {
#ifdef NATIVE_SPREAD
  return (vuint)NATIVE_SPREAD_8(p, LOWER);
#else
  return __builtin_convertvector(*(const vuint8_any *)p, vuint);
#endif
}

// LANES signed bytes as numbers times INTEGER_UNIT, which their scale makes up for.
#ifdef NATIVE_SPREAD
#define INTEGER_UNIT 0x1p24f
#else
#define INTEGER_UNIT 1
#endif
INLINE vfloat load_scaled_integers(const char *p) {
#ifdef NATIVE_SPREAD
  return __builtin_convertvector((vint)NATIVE_SPREAD_8(p, UPPER), vfloat);
#else
  return __builtin_convertvector(*(const vint8_any *)p, vfloat);
#endif
}

// LANES signed bytes.
INLINE vfloat load_integers(const char *p) {
#ifdef NATIVE_SPREAD
  return __builtin_convertvector((vint)NATIVE_SPREAD_8(p, UPPER) >> 24, vfloat);
#else
  return __builtin_convertvector(*(const vint8_any *)p, vfloat);
#endif
}

// e4m3 -> f32 by way of f16, which has the same layout with one more bit of exponent: the
// exponents' biases differ by 8. Magnitude 0x7f, the only NaN, becomes one.
INLINE vfloat widen_fp8(vuint8 byte) {
  // Sign, exponent and fraction where binary16 has them, one bit of the exponent free; NaN, which has
  // all other bits set, carries into that bit.
  const vuint16 bits = (vuint16)__builtin_convertvector((vint8)byte, vint16) << 7 & 0xbfff;
  return widen_f16(bits | ((bits + 0x80) & 0x4000)) * 0x1p8f;
}

// The half at `p` in every lane.
INLINE vfloat splat_half(const char *p) {
  uint16_t half;
  memcpy(&half, p, 2);
  return widen_f16((vuint16){0} + half);
}

// The halves at `p` and behind it, each in every lane.
INLINE void splat_two_halves(const char *p, vfloat *first, vfloat *second) {
#if HAS_HALF_CONVERSION
  typedef _Float16 four_halves __attribute__((vector_size(8)));
  uint32_t pair;
  memcpy(&pair, p, 4);
  typedef uint32_t two_words __attribute__((vector_size(8)));
  quad both = __builtin_convertvector((four_halves)(two_words){pair, 0}, quad);
  *first = splat(both[0]);
  *second = splat(both[1]);
#else
  *first = splat_half(p);
  *second = splat_half(p + 2);
#endif
}

// Half bytes, packed 32 at a time into 16 bytes: byte j of a block of n holds element j in its low
// half and element j + n / 2 in its high one. Only the last block of a row has fewer than 32.
enum { PACKED_BYTES = ATTN_GROUP / 2, GROUP_VECTORS = ATTN_GROUP / LANES };

// LANES numbers 0 ... 15 from element `inside` of a whole block.
INLINE vfloat widen_nibbles(const char *block, const int inside) {
  const vuint words = load_bytes(block + inside % PACKED_BYTES);
  return __builtin_convertvector((vint)(inside >= PACKED_BYTES ? words >> 4 : words & 15u), vfloat);
}

// Number `i` of a block of `count`.
INLINE int packed_number(const char *block, int64_t count, int64_t i) {
  const int64_t half = count / 2;
  return i < half ? (uint8_t)block[i] & 15 : (uint8_t)block[i - half] >> 4;
}

// Rows of half bytes without scales, of quantised groups of INT4C.
enum { ELEMENT_PACKED = 32 };

// Formats that cost an instruction an element vector to read, or none.
INLINE bool is_plain(const int element) {
  return element == ATTN_ELEMENT_F32 || element == ATTN_ELEMENT_F16 || element == ATTN_ELEMENT_BF16;
}

// Whether elements are read 32 at a time: they share a scale with their neighbours or bytes with each
// other.
INLINE bool is_blocked(const int element) {
  return element == ATTN_ELEMENT_INT8 || element == ATTN_ELEMENT_INT4 || element == ELEMENT_PACKED;
}

// Bytes of a whole block of 32 elements.
INLINE int64_t block_bytes(const int element) {
  switch (element) {
    case ATTN_ELEMENT_F32: return 4 * ATTN_GROUP;
    case ATTN_ELEMENT_FP8:
    case ATTN_ELEMENT_S8: return ATTN_GROUP;
    case ATTN_ELEMENT_INT8: return ATTN_INT8_GROUP_BYTES;
    case ATTN_ELEMENT_INT4: return ATTN_INT4_GROUP_BYTES;
    case ELEMENT_PACKED: return PACKED_BYTES;
    default: return 2 * ATTN_GROUP;
  }
}

// Bytes of a row of `width` elements.
INLINE int64_t stored_row_bytes(const int element, int64_t width) {
  return element == ELEMENT_PACKED ? width / 2 : attn_row_bytes(element, width);
}

// The 32 elements from `index`, a multiple of 32, of a row of blocks that are whole there.
INLINE void load_block(const int element, const char *row, int64_t index,
                       vfloat y[GROUP_VECTORS]) {
  const char *block = row + index / ATTN_GROUP * block_bytes(element);
  if (element == ATTN_ELEMENT_INT8) {
    const vfloat scale = splat_half(block) * splat(1 / INTEGER_UNIT);
    UNROLL for (int v = 0; v < GROUP_VECTORS; v++) {
      y[v] = load_scaled_integers(block + 2 + v * LANES) * scale;
    }
  } else if (element == ATTN_ELEMENT_INT4) {
    vfloat scale, zero;
    splat_two_halves(block, &scale, &zero);
#ifdef NATIVE_LOOKUP
    // What the 16 numbers stand for, once a block.
    const vfloat numbers = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const vfloat table = fma_vector(numbers, scale, zero);
    const vuint words = __builtin_convertvector(*(const vuint8_any *)(block + 4), vuint);
    y[0] = NATIVE_LOOKUP(words, table);
    y[1] = NATIVE_LOOKUP(words >> 4, table);
    return;
#endif
    UNROLL for (int v = 0; v < GROUP_VECTORS; v++) {
      y[v] = fma_vector(widen_nibbles(block + 4, v * LANES), scale, zero);
    }
  } else {
    UNROLL for (int v = 0; v < GROUP_VECTORS; v++) y[v] = widen_nibbles(block, v * LANES);
  }
}

// Two of the four vectors of a whole block: the first or the second half.
INLINE void load_half_block(const int element, const char *block, const int half, vfloat y[2]) {
  const int first = half * 2 * LANES;
  vfloat scale = splat(1), zero = splat(0);
  if (element == ATTN_ELEMENT_INT8) scale = splat_half(block) * splat(1 / INTEGER_UNIT);
  if (element == ATTN_ELEMENT_INT4) splat_two_halves(block, &scale, &zero);
  UNROLL for (int v = 0; v < 2; v++) {
    if (element == ATTN_ELEMENT_INT8) {
      y[v] = load_scaled_integers(block + 2 + first + v * LANES) * scale;
    } else if (element == ATTN_ELEMENT_INT4) {
      y[v] = fma_vector(widen_nibbles(block + 4, first + v * LANES), scale, zero);
    } else {
      y[v] = widen_nibbles(block, first + v * LANES);
    }
  }
}

// LANES elements from `index`, a multiple of LANES, of a row; of half bytes only where their block is
// whole.
INLINE vfloat load_element(const int element, const char *row, int64_t index) {
  const char *block = row + index / ATTN_GROUP * block_bytes(element);
  const int64_t inside = index % ATTN_GROUP;
  switch (element) {
    case ATTN_ELEMENT_F32: return *(const vfloat_any *)(row + index * 4);
    case ATTN_ELEMENT_F16: return widen_f16(*(const vuint16_any *)(row + index * 2));
    case ATTN_ELEMENT_BF16: return (vfloat)load_upper_halves(row + index * 2);
    case ATTN_ELEMENT_FP8: return widen_fp8(*(const vuint8_any *)(row + index));
    case ATTN_ELEMENT_S8: return load_integers(row + index);
    case ATTN_ELEMENT_INT8:
      return load_scaled_integers(block + 2 + inside) * (splat_half(block) * splat(1 / INTEGER_UNIT));
    case ATTN_ELEMENT_INT4:
      return fma_vector(inside >= PACKED_BYTES ? widen_nibbles(block + 4 + inside - PACKED_BYTES,
                                                               PACKED_BYTES)
                                               : widen_nibbles(block + 4 + inside, 0),
                        splat_half(block), splat_half(block + 2));
    default:
      return inside >= PACKED_BYTES ? widen_nibbles(block + inside - PACKED_BYTES, PACKED_BYTES)
                                    : widen_nibbles(block + inside, 0);
  }
}

// The first `count` < LANES of them, zeros after; never reads past the row. Not of half bytes.
INLINE vfloat load_element_tail(const int element, const char *row, int64_t index, int64_t count) {
  char buffer[LANES * 4 + 2] = {0};
  if (element == ATTN_ELEMENT_INT8) {
    // As the first elements of a group of their own.
    const char *block = row + index / ATTN_GROUP * block_bytes(element);
    memcpy(buffer, block, 2);
    memcpy(buffer + 2, block + 2 + index % ATTN_GROUP, (size_t)count);
  } else {
    const int64_t bytes = block_bytes(element) / ATTN_GROUP;
    memcpy(buffer, row + index * bytes, (size_t)(count * bytes));
  }
  return load_element(element, buffer, 0);
}

// The `count` < 32 elements of the block that ends an INT4 row.
static void widen_last_int4(const char *block, int64_t count, float *out) {
  const float scale = splat_half(block)[0], zero = splat_half(block + 2)[0];
  for (int64_t i = 0; i < count; i++) {
    float number = (float)packed_number(block + 4, count, i);
    out[i] = fma_vector(splat(number), splat(scale), splat(zero))[0];
  }
}

// BODY with `element`, the element of a cached row, as a constant, so that the loads fold.
#define FOR_ELEMENT(element, BODY)                          \
  switch (element) {                                        \
    case ATTN_ELEMENT_F32: BODY(ATTN_ELEMENT_F32); break;   \
    case ATTN_ELEMENT_F16: BODY(ATTN_ELEMENT_F16); break;   \
    case ATTN_ELEMENT_BF16: BODY(ATTN_ELEMENT_BF16); break; \
    case ATTN_ELEMENT_FP8: BODY(ATTN_ELEMENT_FP8); break;   \
    case ATTN_ELEMENT_INT8: BODY(ATTN_ELEMENT_INT8); break; \
    case ATTN_ELEMENT_INT4: BODY(ATTN_ELEMENT_INT4); break; \
    default: break;                                         \
  }
