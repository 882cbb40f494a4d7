// AVX-512 with VNNI and matrix tiles of bfloat16 (AMX). With ATTN_EMULATED_TILES, for tests, the same over an
// emulation of the tiles, and over AVX2 unless the compiler is told to use AVX-512.
#if defined(__x86_64__)
#define TABLE attn_table_amx
#define HAS_TILES 1
#ifdef ATTN_EMULATED_TILES
#define TABLE_NAME "amx-emulated"
#ifndef __AVX512BW__
#define EMULATED_VECTORS 1
#endif
#define TARGET "avx2,fma,f16c"
#else
#define TABLE_NAME "amx"
#define HAS_PAIR_SUMS 1
#define TARGET "amx-tile,amx-bf16,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c"
#endif
#include "avx512_build.h"
#endif
