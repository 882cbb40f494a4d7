// The quantised elements: rows and groups against their definitions, error bounds, NaN, and the same
// bytes from every build.
#include <math.h>
#include <string.h>

#include "stored_rows.h"

float reference_decode_fp8(uint8_t byte) {
  int exponent = byte >> 3 & 15, mantissa = byte & 7;
  if ((byte & 0x7f) == 0x7f) return NAN;
  double value = exponent == 0 ? ldexp(mantissa, -9) : ldexp(mantissa + 8, exponent - 10);
  return (float)(byte & 0x80 ? -value : value);
}

// The nearest of all 127 magnitudes, the even one of two.
static uint8_t reference_encode_fp8(float value) {
  uint8_t sign = signbit(value) ? 0x80 : 0;
  if (!isfinite(value)) return sign | 0x7f;
  double magnitude = fabs((double)value), best = INFINITY;
  uint8_t found = 0;
  for (int byte = 0; byte < 0x7f; byte++) {
    double distance = fabs(magnitude - reference_decode_fp8((uint8_t)byte));
    if (distance < best || (distance == best && byte % 2 == 0)) {
      best = distance;
      found = (uint8_t)byte;
    }
  }
  return sign | found;
}

static bool same_float(float a, float b, float tolerance) {
  return isnan(a) ? isnan(b) : fabsf(a - b) <= tolerance * fabsf(a);
}

static void test_fp8(void) {
  uint8_t bytes[256], encoded[1000];
  float floats[1000];
  for (int i = 0; i < 256; i++) bytes[i] = (uint8_t)i;
  attn_decode_row(ATTN_ELEMENT_FP8, bytes, 256, floats);
  int wrong = 0;
  for (int i = 0; i < 256; i++) wrong += !same_float(reference_decode_fp8((uint8_t)i), floats[i], 0);
  CHECK(wrong == 0, "fp8 decodes: %d of 256 wrong", wrong);
  uint64_t state = 3;
  wrong = 0;
  for (int round = 0; round < 40; round++) {
    for (int i = 0; i < 1000; i++) {
      float value = ldexpf(random_float(&state), (int)random_below(&state, 24) - 13);
      // Values, midpoints and the floats beside them.
      if (round % 4 == 1) value = reference_decode_fp8((uint8_t)(i % 126));
      if (round % 4 == 2) {
        value = (reference_decode_fp8((uint8_t)(i % 126)) + reference_decode_fp8((uint8_t)(i % 126 + 1))) / 2;
      }
      if (round % 4 == 3) value = i % 3 == 0 ? 447.0f + (float)(i % 40) : i % 3 == 1 ? -1e9f : 1e-5f;
      if (round % 8 > 3) value = nextafterf(value, round % 2 ? 1e9f : -1e9f);
      if (i == 999) value = INFINITY;
      if (i == 998) value = NAN;
      floats[i] = value;
    }
    attn_encode_row(ATTN_ELEMENT_FP8, floats, 1000, encoded);
    for (int i = 0; i < 1000; i++) {
      wrong += isfinite(floats[i]) ? encoded[i] != reference_encode_fp8(floats[i])
                                   : (encoded[i] & 0x7f) != 0x7f;
    }
  }
  CHECK(wrong == 0, "fp8 encodes: %d wrong", wrong);
}

// Values with a spread that differs from group to group; `flat` makes a group of one value.
static void fill(float *values, int64_t count, uint64_t *state, bool flat) {
  float spread = ldexpf(1, (int)random_below(state, 20) - 10);
  float centre = random_float(state) * spread * (float)random_below(state, 4);
  for (int64_t i = 0; i < count; i++) {
    if (i % 32 == 0) spread = ldexpf(1, (int)random_below(state, 20) - 10);
    values[i] = flat ? centre : centre + spread * random_float(state);
  }
}

static void test_rows(int32_t element, int64_t width, uint64_t *state) {
  float *values = malloc(4 * (size_t)width), *got = malloc(4 * (size_t)(width + 1));
  float *want = malloc(4 * (size_t)width);
  const int64_t size = attn_row_bytes(element, width);
  char *row = malloc((size_t)size + 1), *other = malloc((size_t)size);
  fill(values, width, state, random_below(state, 8) == 0);
  const int64_t spoilt = random_below(state, 3) == 0 ? random_below(state, width) : -1;
  if (spoilt >= 0) values[spoilt] = random_below(state, 2) ? NAN : -INFINITY;
  row[size] = 77;
  got[width] = -7;
  attn_encode_row(element, values, width, row);
  attn_decode_row(element, row, width, got);
  reference_decode_row(element, row, width, 0, want);
  bool as_written = true, near = true, contained = true;
  for (int64_t g = 0; g < width; g += 32) {
    const int64_t end = g + 32 < width ? g + 32 : width;
    float least = INFINITY, most = -INFINITY;
    for (int64_t i = g; i < end; i++) {
      least = fminf(least, values[i]);
      most = fmaxf(most, values[i]);
    }
    const bool is_spoilt = spoilt >= g && spoilt < end;
    // Half a step, and what rounding scale and zero to f16 adds.
    const float largest = fmaxf(fabsf(least), fabsf(most));
    const float bound = element == ATTN_ELEMENT_INT8
                            ? largest / 127 * 0.5f + largest * 0x1p-11f + 0x1p-18f
                            : (most - least) / 15 * 0.5f + largest * 0x1p-10f + 0x1p-20f;
    for (int64_t i = g; i < end; i++) {
      as_written &= same_float(want[i], got[i], 0x1p-22f);
      if (is_spoilt) {
        contained &= isnan(got[i]);
      } else {
        near &= fabsf(got[i] - values[i]) <= bound;
      }
    }
  }
  CHECK(as_written && near && contained && row[size] == 77 && got[width] == -7,
        "element %d, width %ld:%s%s%s", element, (long)width, as_written ? "" : " layout",
        near ? "" : " error", contained ? "" : " NaN");
  const char *isa = attn_isa_name();
  attn_isa_select("baseline");
  attn_encode_row(element, values, width, other);
  attn_isa_select(isa);
  CHECK(memcmp(row, other, (size_t)size) == 0, "element %d, width %ld: other bytes than baseline's",
        element, (long)width);
  free(values), free(got), free(want), free(row), free(other);
}

static void test_group(int32_t element, int64_t tokens, int64_t width, uint64_t *state) {
  const int64_t tail_row = 2 * width + 2 * random_below(state, 3);
  const int64_t size = attn_group_bytes(element, tokens, width);
  char *tail = calloc((size_t)tokens, (size_t)tail_row), *group = malloc((size_t)size + 1);
  char *other = malloc((size_t)size);
  float *values = malloc(4 * (size_t)(tokens * width)), *got = malloc(4 * (size_t)width);
  float *want = malloc(4 * (size_t)width);
  fill(values, tokens * width, state, false);
  const int64_t spoilt = random_below(state, 3) == 0 ? random_below(state, width) : -1;
  if (spoilt >= 0) values[random_below(state, tokens) * width + spoilt] = INFINITY;
  for (int64_t t = 0; t < tokens; t++) {
    attn_encode_row(ATTN_ELEMENT_F16, values + t * width, width, tail + t * tail_row);
    reference_decode_row(ATTN_ELEMENT_F16, tail + t * tail_row, width, 0, values + t * width);
  }
  group[size] = 77;
  attn_encode_group(element, tail, tail_row, tokens, width, group);
  bool as_written = true, near = true, contained = true;
  for (int64_t t = 0; t < tokens; t++) {
    attn_decode_group_row(element, group, t, width, got);
    reference_decode_group_row(element, group, t, width, want);
    for (int64_t i = 0; i < width; i++) {
      float least = INFINITY, most = -INFINITY;
      for (int64_t u = 0; u < tokens; u++) {
        least = fminf(least, values[u * width + i]);
        most = fmaxf(most, values[u * width + i]);
      }
      const float largest = fmaxf(fabsf(least), fabsf(most));
      const float bound = element == ATTN_ELEMENT_INT8C
                              ? largest / 127 * 0.5f + largest * 0x1p-11f + 0x1p-18f
                              : (most - least) / 15 * 0.5f + largest * 0x1p-10f + 0x1p-20f;
      as_written &= same_float(want[i], got[i], 0x1p-22f);
      if (i == spoilt) {
        contained &= isnan(got[i]);
      } else {
        near &= fabsf(got[i] - values[t * width + i]) <= bound;
      }
    }
  }
  CHECK(as_written && near && contained && group[size] == 77, "element %d, %ld x %ld:%s%s%s",
        element, (long)tokens, (long)width, as_written ? "" : " layout", near ? "" : " error",
        contained ? "" : " NaN");
  const char *isa = attn_isa_name();
  attn_isa_select("baseline");
  attn_encode_group(element, tail, tail_row, tokens, width, other);
  attn_isa_select(isa);
  CHECK(memcmp(group, other, (size_t)size) == 0,
        "element %d, %ld x %ld: other bytes than baseline's", element, (long)tokens, (long)width);
  free(tail), free(group), free(other), free(values), free(got), free(want);
}

void test_quantised(void) {
  static const int64_t widths[] = {2, 8, 24, 32, 40, 64, 72, 80, 96, 128, 192, 256, 576, 1024};
  uint64_t state = 5;
  test_fp8();
  for (int w = 0; w < 14; w++) {
    for (int i = 0; i < 12; i++) {
      test_rows(ATTN_ELEMENT_INT8, widths[w], &state);
      test_rows(ATTN_ELEMENT_INT4, widths[w], &state);
    }
    for (int64_t tokens = 1; tokens <= 128; tokens *= 2) {
      test_group(ATTN_ELEMENT_INT8C, tokens, widths[w], &state);
      test_group(ATTN_ELEMENT_INT4C, tokens, widths[w], &state);
    }
  }
}
