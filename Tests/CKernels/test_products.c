// Skinny products against float64 sums, and the probes.
#include <math.h>
#include <string.h>

#include "../../Sources/CAttentionKernels/kernel_table.h"
#include "support.h"

// `packed`: by way of packed rows, instead of in place.
static void test_skinny(int32_t element, int rows, int64_t width, int64_t outputs, bool with_bias,
                        bool packed, uint64_t *state) {
  int64_t weight_stride = width + random_below(state, 5), in_stride = width + 3;
  const size_t size = element == ATTN_ELEMENT_F32 ? 4 : element == ATTN_ELEMENT_S8 ? 1 : 2;
  float *weights = malloc((size_t)(outputs * weight_stride) * 4);
  char *stored = malloc((size_t)(outputs * weight_stride) * size);
  float *in = malloc((size_t)(rows * in_stride) * 4), *bias = malloc((size_t)outputs * 4);
  float *scales = malloc((size_t)outputs * 4);
  for (int64_t i = 0; i < outputs; i++) scales[i] = 0.01f + random_float(state) * 0.005f;
  float *out = malloc((size_t)(rows * outputs) * 4);
  for (int64_t i = 0; i < outputs * weight_stride; i++) weights[i] = random_float(state);
  for (int64_t i = 0; i < outputs * weight_stride; i++) {
    if (element == ATTN_ELEMENT_F32) {
      memcpy(stored + i * 4, &weights[i], 4);
    } else if (element == ATTN_ELEMENT_S8) {
      const int8_t number = (int8_t)(weights[i] * 128);
      stored[i] = (char)number;
      weights[i] = (float)number * scales[i / weight_stride];
    } else {
      uint16_t h = element == ATTN_ELEMENT_F16 ? reference_encode_f16(weights[i])
                                               : reference_encode_bf16(weights[i]);
      memcpy(stored + i * 2, &h, 2);
      weights[i] =
          element == ATTN_ELEMENT_F16 ? reference_decode_f16(h) : reference_decode_bf16(h);
    }
  }
  for (int64_t i = 0; i < rows * in_stride; i++) in[i] = random_float(state);
  for (int64_t i = 0; i < outputs; i++) bias[i] = random_float(state);
  for (int64_t i = 0; i < rows * outputs; i++) out[i] = -77;
  int64_t first = random_below(state, outputs), last = first + random_below(state, outputs - first + 1);
  const float *factors = element == ATTN_ELEMENT_S8 ? scales : NULL;
  const float *addends = with_bias ? bias : NULL;
  if (packed) {
    const size_t bytes = (size_t)attn_skinny_packed_floats(element, rows, width) * 4;
    float *operand = malloc(bytes);
    memset(operand, 0xff, bytes);
    attn_skinny_pack(element, in, in_stride, rows, width, operand);
    attn_skinny_product_packed(stored, element, weight_stride, factors, operand, rows, width, addends,
                               out, outputs, first, last);
    free(operand);
  } else {
    attn_skinny_product(stored, element, weight_stride, factors, in, in_stride, rows, width, addends,
                        out, outputs, first, last);
  }
  double worst = 0;
  bool untouched = true;
  for (int r = 0; r < rows; r++) {
    for (int64_t o = 0; o < outputs; o++) {
      if (o < first || o >= last) {
        untouched &= out[r * outputs + o] == -77;
        continue;
      }
      double sum = with_bias ? bias[o] : 0;
      for (int64_t i = 0; i < width; i++) {
        sum += (double)in[r * in_stride + i] * weights[o * weight_stride + i];
      }
      worst = fmax(worst, fabs(sum - out[r * outputs + o]));
    }
  }
  CHECK(worst <= 2e-6 * sqrt((double)width) + 1e-6 && untouched,
        "skinny product%s: element %d, %d rows, width %ld, outputs %ld ..< %ld: error %g",
        packed ? ", packed" : "", element, rows, (long)width, (long)first, (long)last, worst);
  free(weights);
  free(stored);
  free(in);
  free(bias);
  free(scales);
  free(out);
}

// What is not finite in a row or a weight stays in that row's or that output's results.
static void test_no_mixing(int32_t element, uint64_t *state) {
  enum { WIDTH = 70, OUTPUTS = 45 };
  static float weights[OUTPUTS * WIDTH], in[32 * WIDTH], out[32 * OUTPUTS];
  static uint16_t halves[OUTPUTS * WIDTH];
  static int8_t integers[OUTPUTS * WIDTH];
  static float scales[OUTPUTS];
  const void *stored = element == ATTN_ELEMENT_F32  ? (const void *)weights
                       : element == ATTN_ELEMENT_S8 ? (const void *)integers
                                                    : (const void *)halves;
  for (int rows = 1; rows <= 32; rows++) {
    for (int i = 0; i < OUTPUTS * WIDTH; i++) weights[i] = random_float(state);
    for (int i = 0; i < rows * WIDTH; i++) in[i] = random_float(state);
    const int bad_row = (int)random_below(state, rows), bad_output = (int)random_below(state, OUTPUTS);
    in[bad_row * WIDTH + random_below(state, WIDTH)] = rows % 2 ? NAN : INFINITY;
    weights[bad_output * WIDTH + random_below(state, WIDTH)] = INFINITY;
    for (int i = 0; i < OUTPUTS * WIDTH; i++) {
      halves[i] = element == ATTN_ELEMENT_F16 ? reference_encode_f16(weights[i])
                                              : reference_encode_bf16(weights[i]);
      integers[i] = (int8_t)(1 + random_below(state, 127));
    }
    // What is not finite of 8-bit weights is their output's scale.
    for (int o = 0; o < OUTPUTS; o++) scales[o] = o == bad_output ? INFINITY : 1;
    float *operand = malloc((size_t)attn_skinny_packed_floats(element, rows, WIDTH) * 4);
    attn_skinny_pack(element, in, WIDTH, rows, WIDTH, operand);
    attn_skinny_product_packed(stored, element, WIDTH, element == ATTN_ELEMENT_S8 ? scales : NULL, operand,
                               rows, WIDTH, NULL, out, OUTPUTS, 0, OUTPUTS);
    free(operand);
    bool right = true;
    for (int r = 0; r < rows; r++) {
      for (int o = 0; o < OUTPUTS; o++) {
        const float value = out[r * OUTPUTS + o];
        right &= r == bad_row ? !isfinite(value) : o == bad_output ? !isfinite(value) : isfinite(value);
      }
    }
    CHECK(right, "skinny product, packed: element %d, %d rows, what is not finite stays where it belongs",
          element, rows);
  }
}

void test_products(void) {
  static const int64_t widths[] = {1, 5, 8, 24, 64, 100, 576, 1000};
  static const int32_t elements[] = {ATTN_ELEMENT_F32, ATTN_ELEMENT_F16, ATTN_ELEMENT_BF16,
                                     ATTN_ELEMENT_S8};
  const bool is_zen = attn_is_zen;
  uint64_t state = 11;
  for (int rows = 1; rows <= 32; rows++) {
    for (int w = 0; w < 8; w++) {
      attn_is_zen = w % 2;
      test_skinny(elements[random_below(&state, 4)], rows, widths[w],
                  1 + random_below(&state, 40), random_below(&state, 2), false, &state);
      for (int e = 0; e < 4; e++) {
        test_skinny(elements[e], rows, widths[w], 1 + random_below(&state, 80),
                    random_below(&state, 2), true, &state);
      }
    }
  }
  // Wider than what is passed over at a time, so that sums are added to; rows that take one pass and
  // several, more of them than the weights are read once for; outputs that fill no block or group.
  static const int32_t many[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 32, 33, 40};
  for (int i = 0; i < 13; i++) {
    test_skinny(elements[i % 4], many[i], 2001 + 500 * i, 20 + 3 * i, true, false, &state);
  }
  for (int zen = 0; zen < 2; zen++) {
    attn_is_zen = zen;
    test_skinny(ATTN_ELEMENT_BF16, 32, 2500, 53, true, true, &state);
    test_skinny(ATTN_ELEMENT_S8, 17, 2049, 30, true, true, &state);
    test_skinny(ATTN_ELEMENT_BF16, 12, 3001, 49, false, true, &state);
    test_skinny(ATTN_ELEMENT_F16, 28, 2501, 50, true, true, &state);
    test_skinny(ATTN_ELEMENT_F32, 5, 7000, 61, false, true, &state);
    test_skinny(ATTN_ELEMENT_F32, 6, 6000, 49, true, true, &state);
    test_skinny(ATTN_ELEMENT_F32, 12, 3000, 75, false, true, &state);
    test_skinny(ATTN_ELEMENT_F32, 16, 2200, 77, true, true, &state);
    test_skinny(ATTN_ELEMENT_F32, 25, 2200, 41, true, true, &state);
    test_skinny(ATTN_ELEMENT_F32, 32, 2200, 60, false, true, &state);
    test_no_mixing(ATTN_ELEMENT_F32, &state);
    test_no_mixing(ATTN_ELEMENT_F16, &state);
    test_no_mixing(ATTN_ELEMENT_BF16, &state);
    test_no_mixing(ATTN_ELEMENT_S8, &state);
  }
  attn_is_zen = is_zen;
  // The read probe sees every byte: its checksum is the sum of the 64-bit words.
  enum { BYTES = 64 * 37 };
  uint64_t *data = malloc(BYTES), sum = 0;
  for (int i = 0; i < BYTES / 8; i++) sum += data[i] = next_random(&state);
  CHECK(attn_probe_read(data, BYTES) == sum, "read probe's checksum");
  free(data);
  int64_t flops = 0;
  float result = attn_probe_fma(1000, &flops);
  CHECK(flops > 1000 && isfinite(result), "multiply-add probe");
  CHECK(attn_probe_issue(0) == 0 && attn_probe_issue(1000) >= 1000, "issue probe");
}
