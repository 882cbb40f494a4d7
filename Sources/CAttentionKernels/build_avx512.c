// AVX-512 (F, BW, DQ, VL).
#if defined(__x86_64__)
#define TABLE attn_table_avx512
#define TABLE_NAME "avx512"
#define TARGET "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"
#include "avx512_build.h"
#endif
