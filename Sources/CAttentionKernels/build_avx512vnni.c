// AVX-512 with VNNI: a product of pairs of 16-bit integers and the sum behind it, which the bodies write
// as two operations, become one instruction, and there is one for products of bytes.
#if defined(__x86_64__)
#define TABLE attn_table_avx512vnni
#define TABLE_NAME "avx512vnni"
#define TARGET "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c"
#define HAS_PAIR_SUMS 1
#include "avx512_build.h"
#endif
