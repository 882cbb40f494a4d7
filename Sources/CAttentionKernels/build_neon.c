// NEON on arm64, with its fused multiply-add and half conversion.
#if defined(__aarch64__)
#define LANES 4
#define TABLE attn_table_neon
#define TABLE_NAME "neon"
#define HAS_FMA 1
#define HAS_HALF_CONVERSION 1
#define VECTOR_REGISTERS 32
#include "Bodies/all.h"
#endif
