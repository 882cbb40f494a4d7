// The portable build: 128-bit vectors of whatever the target always has (SSE2 on x86-64, NEON on
// arm64), no fused multiply-add, halves converted by integer arithmetic. What others are held against.
#define LANES 4
#define TABLE attn_table_baseline
#define TABLE_NAME "baseline"
#define HAS_FMA 0
#define HAS_HALF_CONVERSION 0
#define VECTOR_REGISTERS 16
#include "Bodies/all.h"
