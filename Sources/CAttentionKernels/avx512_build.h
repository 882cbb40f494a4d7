// What the AVX-512 builds have in common. The including file sets TABLE, TABLE_NAME and TARGET, the
// features that its functions may use.
#include <immintrin.h>
#include <stdint.h>
#define LANES 16
#define HAS_FMA 1
#define HAS_HALF_CONVERSION 1
#define VECTOR_REGISTERS 32
#if !EMULATED_VECTORS
#define NATIVE_MAX(a, b) ((vfloat)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define NATIVE_MULTIPLY_PAIRS(a, b) ((vint)_mm512_madd_epi16((__m512i)(a), (__m512i)(b)))
// Entry `index` modulo 16 of a table, lane by lane.
#define NATIVE_LOOKUP(index, table) \
  ((vfloat)_mm512_permutexvar_ps((__m512i)(index), (__m512)(table)))
#endif
#pragma clang attribute push(__attribute__((target(TARGET))), apply_to = function)
#include "Bodies/all.h"
#pragma clang attribute pop
