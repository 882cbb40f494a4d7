// The portable build: 128-bit vectors, SSE2 on x86-64 and NEON on arm64.
#define LANES 4
#define TABLE attn_table_baseline
#if defined(__aarch64__)
#define TABLE_NAME "neon"
#define HAS_FMA 1
#define HAS_HALF_CONVERSION 1
#else
#define TABLE_NAME "baseline"
#define HAS_FMA 0
#define HAS_HALF_CONVERSION 0
#endif
#define VECTOR_REGISTERS 16
#include "Bodies/all.h"
