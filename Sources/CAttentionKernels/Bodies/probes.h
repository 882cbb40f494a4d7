// What this machine can do: the read bandwidth, the multiply-add rate and the instruction rate of one core.

static uint64_t probe_read(const void *data, size_t bytes) {
  typedef uint64_t words __attribute__((vector_size(LANES * 4)));
  typedef uint64_t words_any __attribute__((vector_size(LANES * 4), aligned(1), may_alias));
  const char *p = data;
  words sums[8] = {{0}};
  enum { STEP = 8 * LANES * 4, AHEAD = 4096 };
  size_t i = 0;
  for (; i + STEP <= bytes; i += STEP) {
    UNROLL for (int j = 0; j < STEP; j += 64) __builtin_prefetch(p + i + j + AHEAD, 0, 3);
    UNROLL for (int j = 0; j < 8; j++) {
      sums[j] += *(const words_any *)(p + i + (size_t)j * LANES * 4);
    }
  }
  uint64_t total = 0;
  for (int j = 0; j < 8; j++) {
    for (int k = 0; k < LANES / 2; k++) total += sums[j][k];
  }
  for (; i + 8 <= bytes; i += 8) {
    uint64_t word;
    memcpy(&word, p + i, 8);
    total += word;
  }
  return total;
}

static float probe_fma(int64_t iterations, int64_t *flops) {
  enum { CHAINS = VECTOR_REGISTERS == 32 ? 24 : 12 };
  vfloat sums[CHAINS];
  UNROLL for (int j = 0; j < CHAINS; j++) sums[j] = splat((float)j);
  // Factors the compiler cannot know, chosen so that the sums stay bounded.
  volatile float factor = 0.5f, addend = 0.25f;
  vfloat a = splat(factor), b = splat(addend);
  for (int64_t i = 0; i < iterations; i++) {
    UNROLL for (int j = 0; j < CHAINS; j++) sums[j] = fma_vector(sums[j], a, b);
  }
  *flops = iterations * CHAINS * LANES * 2;
  vfloat total = splat(0);
  UNROLL for (int j = 0; j < CHAINS; j++) total = total + sums[j];
  return sum_lanes(total);
}

// Additions of one to six registers, three of them vectors, none of which waits for another: they take
// the slots in which a core issues instructions, and nothing else. Multiply-adds leave most slots free,
// so that their rate hides another thread on the same core. Returns the number of instructions.
static int64_t probe_issue(int64_t rounds) {
#if EMULATED_VECTORS
#define KEEP_VECTOR(v) __asm__ volatile("" : "+m"(v))
#elif defined(__x86_64__)
#define KEEP_VECTOR(v) __asm__ volatile("" : "+x"(v))
#else
#define KEEP_VECTOR(v) __asm__ volatile("" : "+w"(v))
#endif
#define KEEP_WORD(w) __asm__ volatile("" : "+r"(w))
  enum { REPEATS = 8 };
  uint64_t words[3] = {0};
  vint vectors[3] = {{0}}, one = vectors[0] + 1;
  KEEP_VECTOR(one);
  for (int64_t i = 0; i < rounds; i++) {
    UNROLL for (int j = 0; j < REPEATS * 3; j++) {
      words[j % 3] += 1;
      KEEP_WORD(words[j % 3]);
      vectors[j % 3] += one;
      KEEP_VECTOR(vectors[j % 3]);
    }
  }
#undef KEEP_VECTOR
#undef KEEP_WORD
  return rounds * REPEATS * 6;
}
