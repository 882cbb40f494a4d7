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
// Lane i: byte i of `a` and byte i of `b` (16 bytes each), as 16-bit integers.
#define NATIVE_PAIR_BYTES(a, b) ((vshort)pair_bytes_avx512((__m128i)(a), (__m128i)(b)))
#if HAS_PAIR_SUMS
// The same, added to sums, and that with one pair, at an address, for all lanes. Written out because the
// compiler takes the instruction apart again where it expects a shorter wait for the sum.
#define NATIVE_ADD_PAIRS(sum, a, b) __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b))
#define NATIVE_ADD_PAIR_AT(sum, a, b) \
  __asm__("vpdpwssd %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(a), "m"(*(const pair_of_shorts *)(b)))
// Products of four unsigned bytes with signed ones, added.
#define NATIVE_ADD_BYTES(sum, a, b) __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b))
#endif
// Entry `index` modulo 16 of a table, lane by lane.
#define NATIVE_LOOKUP(index, table) \
  ((vfloat)_mm512_permutexvar_ps((__m512i)(index), (__m512)(table)))
#endif
#pragma clang attribute push(__attribute__((target(TARGET))), apply_to = function)
#if !EMULATED_VECTORS
static inline __attribute__((always_inline)) __m512i pair_bytes_avx512(__m128i a, __m128i b) {
  // Lane i takes byte i of either, both of which lie in all four quarters.
  const __m512i first = _mm512_set_epi32(
      (int)0xff0fff0f, (int)0xff0eff0e, (int)0xff0dff0d, (int)0xff0cff0c, (int)0xff0bff0b, (int)0xff0aff0a,
      (int)0xff09ff09, (int)0xff08ff08, (int)0xff07ff07, (int)0xff06ff06, (int)0xff05ff05, (int)0xff04ff04,
      (int)0xff03ff03, (int)0xff02ff02, (int)0xff01ff01, (int)0xff00ff00);
  const __m512i low = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(a), first);
  return _mm512_mask_shuffle_epi8(low, 0xccccccccccccccccull, _mm512_broadcast_i32x4(b), first);
}
#endif
#include "Bodies/all.h"
#pragma clang attribute pop
