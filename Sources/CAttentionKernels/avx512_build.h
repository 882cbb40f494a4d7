// What the AVX-512 builds have in common. The including file sets TABLE, TABLE_NAME, TARGET, the features
// that its functions may use, and HAS_PAIR_SUMS where VNNI is among them.
#include <immintrin.h>
#include <stdint.h>
#define LANES 16
#define HAS_FMA 1
#define HAS_HALF_CONVERSION 1
#define VECTOR_REGISTERS 32
#if !EMULATED_VECTORS
#define NATIVE_MAX(a, b) ((vfloat)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define NATIVE_MULTIPLY_PAIRS(a, b) ((vint)_mm512_madd_epi16((__m512i)(a), (__m512i)(b)))
#if HAS_PAIR_SUMS
// The same, added to sums, and that with one pair, at an address, for all lanes. Written out because the
// compiler takes the instruction apart again where it expects a shorter wait for the sum.
#define NATIVE_ADD_PAIRS(sum, a, b) __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b))
#define NATIVE_ADD_PAIR_AT(sum, a, b) \
  __asm__("vpdpwssd %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(a), "m"(*(const pair_of_shorts *)(b)))
#endif
// Entry `index` modulo 16 of a table, lane by lane.
#define NATIVE_LOOKUP(index, table) \
  ((vfloat)_mm512_permutexvar_ps((__m512i)(index), (__m512)(table)))
#endif
#pragma clang attribute push(__attribute__((target(TARGET))), apply_to = function)
#include "Bodies/all.h"
#pragma clang attribute pop
