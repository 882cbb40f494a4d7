// AVX2 with FMA and F16C.
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>
#define LANES 8
#define TABLE attn_table_avx2
#define TABLE_NAME "avx2"
#define HAS_FMA 1
#define HAS_HALF_CONVERSION 1
#define VECTOR_REGISTERS 16
#define NATIVE_MAX(a, b) ((vfloat)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define NATIVE_MULTIPLY_PAIRS(a, b) ((vint)_mm256_madd_epi16((__m256i)(a), (__m256i)(b)))
// Elements at `p` spread over wider lanes by a byte shuffle within 128 bits of the elements in both
// halves, into the lanes' UPPER or LOWER parts. The shuffles' indices are kept from the compiler, which
// would make extensions of them again.
#define NATIVE_SPREAD 1
#define SPREAD(elements, indices) \
  _mm256_shuffle_epi8((elements), spread_indices(spread_##indices))
#define TWICE(p) _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(p)))
#define NATIVE_SPREAD_16(p, PART) SPREAD(TWICE(p), 16_##PART)
#define NATIVE_SPREAD_8(p, PART) SPREAD(_mm256_set1_epi64x(*(const spread_word *)(p)), 8_##PART)
#define NATIVE_SPREAD_8_TO_16(p) SPREAD(TWICE(p), 8_TO_16)
typedef long long spread_word __attribute__((aligned(1), may_alias));
typedef char spread_table[32] __attribute__((aligned(32)));
#define NO (-128)
static const spread_table spread_16_UPPER = {NO, NO, 0, 1, NO, NO, 2,  3,  NO, NO, 4,  5,  NO, NO, 6,  7,
                                             NO, NO, 8, 9, NO, NO, 10, 11, NO, NO, 12, 13, NO, NO, 14, 15};
static const spread_table spread_8_UPPER = {NO, NO, NO, 0, NO, NO, NO, 1, NO, NO, NO, 2, NO, NO, NO, 3,
                                            NO, NO, NO, 4, NO, NO, NO, 5, NO, NO, NO, 6, NO, NO, NO, 7};
static const spread_table spread_8_LOWER = {0, NO, NO, NO, 1, NO, NO, NO, 2, NO, NO, NO, 3, NO, NO, NO,
                                            4, NO, NO, NO, 5, NO, NO, NO, 6, NO, NO, NO, 7, NO, NO, NO};
static const spread_table spread_8_TO_16 = {0, NO, 1, NO, 2,  NO, 3,  NO, 4,  NO, 5,  NO, 6,  NO, 7,  NO,
                                            8, NO, 9, NO, 10, NO, 11, NO, 12, NO, 13, NO, 14, NO, 15, NO};
#undef NO
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
static inline __attribute__((always_inline)) __m256i spread_indices(const char *table) {
  __m256i indices = *(const __m256i *)table;
  __asm__("" : "+x"(indices));
  return indices;
}
#include "Bodies/all.h"
#pragma clang attribute pop
#endif
