// What the kernel tests share: counting, a small generator, and stored rows of every element.
#ifndef KERNEL_TEST_SUPPORT_H
#define KERNEL_TEST_SUPPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "attention_kernels.h"

extern int passed, failed;

#define CHECK(condition, ...)                                   \
  do {                                                          \
    if (condition) {                                            \
      passed++;                                                 \
    } else {                                                    \
      failed++;                                                 \
      if (failed <= 40) {                                       \
        printf("FAILED [%s] %s:%d: ", attn_isa_name(), __FILE__, __LINE__); \
        printf(__VA_ARGS__);                                    \
        printf("\n");                                           \
      }                                                         \
    }                                                           \
  } while (0)

static inline uint64_t next_random(uint64_t *state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
static inline int64_t random_below(uint64_t *state, int64_t n) {
  return (int64_t)(next_random(state) % (uint64_t)n);
}
// In -1 ..< 1.
static inline float random_float(uint64_t *state) {
  return (float)((double)(next_random(state) >> 11) * 0x1p-52 - 1.0);
}

// Scalar conversions by definition, against which the vector ones are held.
float reference_decode_f16(uint16_t half);
uint16_t reference_encode_f16(float value);
float reference_decode_bf16(uint16_t half);
uint16_t reference_encode_bf16(float value);
float reference_decode_fp8(uint8_t byte);

void test_builds(void);
void test_threads(void);
void test_elements(void);
void test_quantised(void);
void test_attend(void);
void test_products(void);

#endif
