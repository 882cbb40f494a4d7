// Vectors of LANES floats and what is done with them.

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

typedef float vfloat __attribute__((vector_size(LANES * 4)));
typedef int32_t vint __attribute__((vector_size(LANES * 4)));
typedef uint32_t vuint __attribute__((vector_size(LANES * 4)));
typedef uint16_t vuint16 __attribute__((vector_size(LANES * 2)));
typedef int16_t vint16 __attribute__((vector_size(LANES * 2)));
typedef int8_t vint8 __attribute__((vector_size(LANES)));
typedef uint8_t vuint8 __attribute__((vector_size(LANES)));
typedef float vfloat_any __attribute__((vector_size(LANES * 4), aligned(1), may_alias));
typedef uint32_t vuint_any __attribute__((vector_size(LANES * 4), aligned(1), may_alias));
typedef uint16_t vuint16_any __attribute__((vector_size(LANES * 2), aligned(1), may_alias));
typedef int8_t vint8_any __attribute__((vector_size(LANES), aligned(1), may_alias));
typedef uint8_t vuint8_any __attribute__((vector_size(LANES), aligned(1), may_alias));
typedef float quad __attribute__((vector_size(16)));
typedef float quad_any __attribute__((vector_size(16), aligned(1), may_alias));

INLINE vfloat splat(float x) {
#if LANES == 16
  return (vfloat){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
#elif LANES == 8
  return (vfloat){x, x, x, x, x, x, x, x};
#else
  return (vfloat){x, x, x, x};
#endif
}
INLINE vfloat load(const float *p) { return *(const vfloat_any *)p; }
INLINE void store(float *p, vfloat v) { *(vfloat_any *)p = v; }

INLINE vfloat fma_vector(vfloat a, vfloat b, vfloat c) {
#if HAS_FMA
  return __builtin_elementwise_fma(a, b, c);
#else
  return a * b + c;
#endif
}

INLINE vfloat select_vector(vint mask, vfloat yes, vfloat no) {
  return (vfloat)((mask & (vint)yes) | (~mask & (vint)no));
}

// b where a is not greater, so a NaN in b stays.
INLINE vfloat max_vector(vfloat a, vfloat b) {
#ifdef NATIVE_MAX
  return NATIVE_MAX(a, b);
#else
  return select_vector(a > b, a, b);
#endif
}

// Sums a vector's lanes modulo 4.
INLINE quad fold(vfloat v) {
#if LANES == 16
  typedef float eight __attribute__((vector_size(32)));
  eight e = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
            __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  return __builtin_shufflevector(e, e, 0, 1, 2, 3) + __builtin_shufflevector(e, e, 4, 5, 6, 7);
#elif LANES == 8
  return __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
#else
  return v;
#endif
}

// The lane sums of four vectors.
INLINE quad sum_four(vfloat v0, vfloat v1, vfloat v2, vfloat v3) {
  quad a = fold(v0), b = fold(v1), c = fold(v2), d = fold(v3);
  quad ab = __builtin_shufflevector(a, b, 0, 4, 1, 5) + __builtin_shufflevector(a, b, 2, 6, 3, 7);
  quad cd = __builtin_shufflevector(c, d, 0, 4, 1, 5) + __builtin_shufflevector(c, d, 2, 6, 3, 7);
  return __builtin_shufflevector(ab, cd, 0, 1, 4, 5) + __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}

// The lane sums of LANES vectors, in their order: the first step adds two vectors' halves in one vector,
// the next their quarters, and so on.
INLINE vfloat sum_each(const vfloat *v) {
#if LANES == 16
  vfloat a[8];
  UNROLL for (int j = 0; j < 8; j++) {
    a[j] = __builtin_shufflevector(v[j], v[j + 8], 0, 1, 2, 3, 4, 5, 6, 7, 24, 25, 26, 27, 28, 29, 30, 31) +
           __builtin_shufflevector(v[j], v[j + 8], 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23);
  }
  vfloat b[4];
  UNROLL for (int j = 0; j < 4; j++) {
    b[j] = __builtin_shufflevector(a[j], a[j + 4], 0, 1, 2, 3, 20, 21, 22, 23, 8, 9, 10, 11, 28, 29, 30, 31) +
           __builtin_shufflevector(a[j], a[j + 4], 4, 5, 6, 7, 16, 17, 18, 19, 12, 13, 14, 15, 24, 25, 26, 27);
  }
  vfloat c[2];
  UNROLL for (int j = 0; j < 2; j++) {
    c[j] = __builtin_shufflevector(b[2 * j], b[2 * j + 1], 0, 1, 18, 19, 4, 5, 22, 23, 8, 9, 26, 27, 12, 13, 30, 31) +
           __builtin_shufflevector(b[2 * j], b[2 * j + 1], 2, 3, 16, 17, 6, 7, 20, 21, 10, 11, 24, 25, 14, 15, 28, 29);
  }
  return __builtin_shufflevector(c[0], c[1], 0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30) +
         __builtin_shufflevector(c[0], c[1], 1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31);
#elif LANES == 8
  vfloat a[4];
  UNROLL for (int j = 0; j < 4; j++) {
    a[j] = __builtin_shufflevector(v[j], v[j + 4], 0, 1, 2, 3, 12, 13, 14, 15) +
           __builtin_shufflevector(v[j], v[j + 4], 4, 5, 6, 7, 8, 9, 10, 11);
  }
  vfloat b[2];
  UNROLL for (int j = 0; j < 2; j++) {
    b[j] = __builtin_shufflevector(a[2 * j], a[2 * j + 1], 0, 1, 10, 11, 4, 5, 14, 15) +
           __builtin_shufflevector(a[2 * j], a[2 * j + 1], 2, 3, 8, 9, 6, 7, 12, 13);
  }
  return __builtin_shufflevector(b[0], b[1], 0, 2, 8, 10, 4, 6, 12, 14) +
         __builtin_shufflevector(b[0], b[1], 1, 3, 9, 11, 5, 7, 13, 15);
#else
  return sum_four(v[0], v[1], v[2], v[3]);
#endif
}

// The lanes of two vectors that follow each other: first all even ones, then all odd ones.
INLINE void split_pairs(vfloat v[2]) {
  const vfloat a = v[0], b = v[1];
#if LANES == 16
  v[0] = __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  v[1] = __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#elif LANES == 8
  v[0] = __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
  v[1] = __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
#else
  v[0] = __builtin_shufflevector(a, b, 0, 2, 4, 6);
  v[1] = __builtin_shufflevector(a, b, 1, 3, 5, 7);
#endif
}

INLINE float sum_lanes(vfloat v) {
  quad q = fold(v);
  return (q[0] + q[2]) + (q[1] + q[3]);
}

INLINE quad max_quad(quad a, quad b) {
  typedef int32_t int_quad __attribute__((vector_size(16)));
  int_quad greater = a > b;
  return (quad)((greater & (int_quad)a) | (~greater & (int_quad)b));
}

INLINE float max_lanes(vfloat v) {
#if LANES == 16
  quad low = max_quad(__builtin_shufflevector(v, v, 0, 1, 2, 3),
                      __builtin_shufflevector(v, v, 4, 5, 6, 7));
  quad high = max_quad(__builtin_shufflevector(v, v, 8, 9, 10, 11),
                       __builtin_shufflevector(v, v, 12, 13, 14, 15));
  quad q = max_quad(low, high);
#elif LANES == 8
  quad q = max_quad(__builtin_shufflevector(v, v, 0, 1, 2, 3),
                    __builtin_shufflevector(v, v, 4, 5, 6, 7));
#else
  quad q = v;
#endif
  q = max_quad(q, __builtin_shufflevector(q, q, 2, 3, 2, 3));
  q = max_quad(q, __builtin_shufflevector(q, q, 1, 1, 1, 1));
  return q[0];
}

// Transposes LANES x LANES in registers: log2(LANES) perfect shuffles.
INLINE void transpose(vfloat v[LANES]) {
  vfloat w[LANES];
  UNROLL for (int stage = 1; stage < LANES; stage *= 2) {
    UNROLL for (int i = 0; i < LANES / 2; i++) {
      vfloat a = v[i], b = v[i + LANES / 2];
#if LANES == 16
      w[2 * i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7,
                                         23);
      w[2 * i + 1] = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29,
                                             14, 30, 15, 31);
#elif LANES == 8
      w[2 * i] = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
      w[2 * i + 1] = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
      w[2 * i] = __builtin_shufflevector(a, b, 0, 4, 1, 5);
      w[2 * i + 1] = __builtin_shufflevector(a, b, 2, 6, 3, 7);
#endif
    }
    UNROLL for (int i = 0; i < LANES; i++) v[i] = w[i];
  }
}
