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
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "Bodies/all.h"
#pragma clang attribute pop
#endif
