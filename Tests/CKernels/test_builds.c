// The check that a build passes before it is chosen, and its cost.
#include <string.h>
#include <time.h>

#include "../../Sources/CAttentionKernels/self_check.h"
#include "support.h"

static void wrong_merge(const attn_partial *partials, int32_t count, int32_t rows,
                        int32_t value_width, const float *sink_logits, float *out,
                        int64_t out_stride) {
  attn_table_baseline.merge(partials, count, rows, value_width, sink_logits, out, out_stride);
  out[(rows - 1) * out_stride + value_width - 1] += 1e-3f;
}

void test_builds(void) {
  attn_kernel_table doctored = attn_table_baseline;
  CHECK(attn_agrees_with_baseline(&doctored), "the baseline disagrees with itself");
  doctored.merge = wrong_merge;
  CHECK(!attn_agrees_with_baseline(&doctored), "one wrong element was not seen");
#if ATTN_HAS_X86_BUILDS
  // Processor time, so that a busy machine does not count; the best of three.
  double best = 1;
  const char *const name = attn_isa_at(attn_isa_count() - 1);
  const attn_kernel_table *const builds[] = {&attn_table_baseline, &attn_table_avx2, &attn_table_avx512,
                                             &attn_table_avx512vnni, &attn_table_amx};
  const attn_kernel_table *last = NULL;
  for (int i = 0; i < 5; i++) {
    if (strcmp(builds[i]->name, name) == 0) last = builds[i];
  }
  for (int i = 0; i < 3; i++) {
    clock_t begin = clock();
    CHECK(attn_agrees_with_baseline(last), "%s disagrees with the baseline", last->name);
    double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    if (seconds < best) best = seconds;
  }
  printf("%-9s checks itself in %.2f ms\n", last->name, best * 1e3);
#if !__has_feature(address_sanitizer)
  CHECK(best < 0.005, "the check takes %.2f ms", best * 1e3);
#endif
#endif
}
