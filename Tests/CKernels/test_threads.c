// Several threads on one stream, each with a range of tokens and a partial of its own, as callers share
// out the work.
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "support.h"

enum { THREADS = 4, TOKENS = 300, WIDTH = 64, ROWS = 12 };

typedef struct part {
  const attn_stream *stream;
  const attn_queries *queries;
  attn_range range;
  attn_partial partial;
} part;

static void *attend_part(void *argument) {
  part *p = argument;
  const size_t bytes = attn_workspace_bytes(ROWS, WIDTH, WIDTH);
  void *workspace = aligned_alloc(64, (bytes + 63) / 64 * 64);
  attn_partial_reset(&p->partial, ROWS, WIDTH);
  attn_attend(p->stream, p->queries, &p->range, 1, &p->partial, workspace);
  free(workspace);
  return NULL;
}

void test_threads(void) {
  static uint16_t keys[TOKENS * WIDTH], values[TOKENS * WIDTH];
  static float queries[ROWS * WIDTH], state[THREADS + 1][ROWS * (WIDTH + 2)];
  uint64_t random = 9;
  for (int i = 0; i < TOKENS * WIDTH; i++) {
    keys[i] = reference_encode_f16(random_float(&random));
    values[i] = reference_encode_f16(random_float(&random));
  }
  for (int i = 0; i < ROWS * WIDTH; i++) queries[i] = random_float(&random);
  const attn_stream stream = {.keys = keys, .values = values, .key_row_bytes = 2 * WIDTH,
                              .value_row_bytes = 2 * WIDTH, .key_width = WIDTH,
                              .value_width = WIDTH, .key_element = ATTN_ELEMENT_F16,
                              .value_element = ATTN_ELEMENT_F16};
  const attn_queries call = {.queries = queries, .query_stride = WIDTH, .rows = ROWS, .scale = 0.2f};
  part parts[THREADS + 1];
  attn_partial partials[THREADS];
  pthread_t threads[THREADS];
  for (int i = 0; i <= THREADS; i++) {
    float *base = state[i];
    parts[i] = (part){.stream = &stream, .queries = &call,
                      .range = {TOKENS * i / THREADS, TOKENS * (i + 1) / THREADS},
                      .partial = {base, WIDTH, base + ROWS * WIDTH, base + ROWS * (WIDTH + 1)}};
  }
  parts[THREADS].range = (attn_range){0, TOKENS};
  for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, attend_part, &parts[i]);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  attend_part(&parts[THREADS]);
  for (int i = 0; i < THREADS; i++) partials[i] = parts[i].partial;
  static float split[ROWS * WIDTH], whole[ROWS * WIDTH];
  attn_merge(partials, THREADS, ROWS, WIDTH, NULL, split, WIDTH);
  attn_merge(&parts[THREADS].partial, 1, ROWS, WIDTH, NULL, whole, WIDTH);
  float worst = 0;
  for (int i = 0; i < ROWS * WIDTH; i++) worst = fmaxf(worst, fabsf(split[i] - whole[i]));
  CHECK(worst < 2e-6f, "four threads and one differ by %g", worst);
}
