#include "stored_rows.h"

#include <math.h>
#include <string.h>

const custom_context test_context = {1.0f / 64};

void custom_decode(const void *context, const void *rows, int64_t row_bytes, int64_t first_token,
                   int32_t count, int32_t width, float *out) {
  const float unit = ((const custom_context *)context)->unit;
  for (int32_t t = 0; t < count; t++) {
    const int8_t *row = (const int8_t *)rows + t * row_bytes;
    for (int32_t i = 0; i < width; i++) {
      out[(int64_t)t * width + i] =
          row[i] == -128 ? NAN : (float)row[i] * unit + (float)((first_token + t) & 1) * unit;
    }
  }
}

static float half_at(const char *p) {
  uint16_t half;
  memcpy(&half, p, 2);
  return reference_decode_f16(half);
}

// Element `i` of half bytes that are packed 32 elements at a time.
static int packed(const char *row, int64_t width, int64_t i, int64_t block_bytes) {
  const int64_t first = i / 32 * 32, count = width - first < 32 ? width - first : 32;
  const uint8_t *block = (const uint8_t *)row + i / 32 * block_bytes;
  return i - first < count / 2 ? block[i - first] & 15 : block[i - first - count / 2] >> 4;
}

void reference_decode_row(int32_t element, const char *row, int64_t width, int64_t token,
                          float *out) {
  for (int64_t i = 0; i < width; i++) {
    switch (element) {
      case ATTN_ELEMENT_F32: memcpy(&out[i], row + 4 * i, 4); break;
      case ATTN_ELEMENT_F16: out[i] = half_at(row + 2 * i); break;
      case ATTN_ELEMENT_BF16: {
        uint16_t half;
        memcpy(&half, row + 2 * i, 2);
        out[i] = reference_decode_bf16(half);
        break;
      }
      case ATTN_ELEMENT_FP8: out[i] = reference_decode_fp8((uint8_t)row[i]); break;
      case ATTN_ELEMENT_INT8: {
        const char *group = row + i / 32 * 34;
        out[i] = half_at(group) * (float)(int8_t)group[2 + i % 32];
        break;
      }
      case ATTN_ELEMENT_INT4: {
        const char *group = row + i / 32 * 20;
        out[i] = (float)((double)half_at(group) * packed(row + 4, width, i, 20) + half_at(group + 2));
        break;
      }
      default: {
        int8_t q = row[i];
        out[i] = q == -128 ? NAN : ((float)q + (float)(token & 1)) * test_context.unit;
      }
    }
  }
}

void reference_decode_group_row(int32_t element, const char *group, int64_t token, int64_t width,
                                float *out) {
  for (int64_t i = 0; i < width; i++) {
    const float scale = half_at(group + 2 * i);
    if (element == ATTN_ELEMENT_INT8C) {
      out[i] = scale * (float)(int8_t)group[2 * width + token * width + i];
    } else {
      const char *row = group + 4 * width + token * width / 2;
      out[i] = (float)((double)scale * packed(row, width, i, 16) + half_at(group + 2 * width + 2 * i));
    }
  }
}

int64_t written_row_bytes(int32_t element, int64_t width) {
  return element == ATTN_ELEMENT_CUSTOM ? width : attn_row_bytes(element, width);
}

void write_row(int32_t element, const float *values, int64_t width, char *row) {
  if (element != ATTN_ELEMENT_CUSTOM) {
    attn_encode_row(element, values, width, row);
    return;
  }
  for (int64_t i = 0; i < width; i++) {
    row[i] = !isfinite(values[i]) ? (char)-128 : (char)(int8_t)(values[i] * 60);
  }
}
