// Conversions: every f16 and bf16 pattern, and many floats, against scalar definitions.
#include <math.h>
#include <string.h>

#include "support.h"

static uint32_t bits_of(float x) {
  uint32_t b;
  memcpy(&b, &x, 4);
  return b;
}
static float float_of(uint32_t b) {
  float x;
  memcpy(&x, &b, 4);
  return x;
}

float reference_decode_f16(uint16_t half) {
  int exponent = half >> 10 & 31, mantissa = half & 1023;
  double value = exponent == 31 ? (mantissa ? NAN : INFINITY)
                 : exponent == 0 ? ldexp(mantissa, -24)
                                 : ldexp(mantissa + 1024, exponent - 25);
  return (float)(half & 0x8000 ? -value : value);
}

uint16_t reference_encode_f16(float value) {
  uint16_t sign = (uint16_t)(bits_of(value) >> 16 & 0x8000);
  if (value == 0) return sign;
  if (isnan(value)) return sign | 0x7e00;
  double magnitude = fabs((double)value);
  if (magnitude >= 65520) return sign | 0x7c00;
  int exponent;
  frexp(magnitude, &exponent);  // magnitude in [0.5, 1) 2^exponent
  if (exponent < -13) exponent = -13;
  double units = nearbyint(ldexp(magnitude, 11 - exponent));  // ties to even
  return sign | (uint16_t)((exponent + 13) * 1024 + (int)units);
}

float reference_decode_bf16(uint16_t half) { return float_of((uint32_t)half << 16); }

uint16_t reference_encode_bf16(float value) {
  uint32_t b = bits_of(value);
  if (isnan(value)) return (uint16_t)(b >> 16 | 0x40);
  uint32_t low = b & 0xffff, high = b >> 16;
  if (low > 0x8000 || (low == 0x8000 && (high & 1))) high++;
  return (uint16_t)high;
}

static bool same_half(uint16_t a, uint16_t b, bool is_nan, uint16_t infinity) {
  if (is_nan) return (a & 0x7fff) > infinity;
  return a == b;
}

void test_elements(void) {
  enum { ALL = 65536 };
  static uint16_t halves[ALL], encoded[ALL];
  static float floats[ALL];
  for (int i = 0; i < ALL; i++) halves[i] = (uint16_t)i;
  int wrong = 0;
  attn_decode_f16(halves, floats, ALL);
  for (int i = 0; i < ALL; i++) {
    float r = reference_decode_f16((uint16_t)i);
    wrong += isnan(r) ? !isnan(floats[i]) : bits_of(r) != bits_of(floats[i]);
  }
  CHECK(wrong == 0, "decode_f16: %d of 65536 wrong", wrong);
  attn_decode_bf16(halves, floats, ALL);
  wrong = 0;
  for (int i = 0; i < ALL; i++) {
    wrong += bits_of(reference_decode_bf16((uint16_t)i)) != bits_of(floats[i]);
  }
  CHECK(wrong == 0, "decode_bf16: %d of 65536 wrong", wrong);

  // Floats: random patterns, all f16 values and their neighbours and midpoints.
  uint64_t state = 7;
  int wrong16 = 0, wrong_b = 0;
  for (int round = 0; round < 40; round++) {
    for (int i = 0; i < ALL; i++) {
      if (round < 5) {
        float v = reference_decode_f16((uint16_t)i);
        floats[i] = float_of(bits_of(v) + (uint32_t)(round - 2));
      } else if (round < 8) {
        uint16_t up = (i & 0x7fff) < 0x7bff ? (uint16_t)(i + 1) : (uint16_t)i;
        float middle = (reference_decode_f16((uint16_t)i) + reference_decode_f16(up)) / 2;
        floats[i] = float_of(bits_of(middle) + (uint32_t)(round - 6));
      } else if (round < 11) {
        floats[i] = float_of(((uint32_t)i << 16 | 0x8000) + (uint32_t)(round - 9));
      } else if (round < 25) {
        floats[i] = ldexpf(random_float(&state), (int)random_below(&state, 44) - 27);
      } else {
        floats[i] = float_of((uint32_t)next_random(&state));
      }
    }
    attn_encode_f16(floats, encoded, ALL);
    for (int i = 0; i < ALL; i++) {
      wrong16 += !same_half(encoded[i], reference_encode_f16(floats[i]), isnan(floats[i]), 0x7c00);
    }
    attn_encode_bf16(floats, encoded, ALL);
    for (int i = 0; i < ALL; i++) {
      wrong_b += !same_half(encoded[i], reference_encode_bf16(floats[i]), isnan(floats[i]), 0x7f80);
    }
  }
  CHECK(wrong16 == 0, "encode_f16: %d wrong", wrong16);
  CHECK(wrong_b == 0, "encode_bf16: %d wrong", wrong_b);

  // Any count, nothing written past it.
  for (int n = 0; n < 40; n++) {
    float in[40], out[41];
    uint16_t half[41];
    for (int i = 0; i < 40; i++) in[i] = (float)i;
    half[n] = 0xabcd;
    out[n] = -7;
    attn_encode_f16(in, half, n);
    attn_decode_f16(half, out, n);
    bool ok = half[n] == 0xabcd && out[n] == -7;
    for (int i = 0; i < n; i++) ok &= out[i] == in[i];
    attn_encode_bf16(in, half, n);
    attn_decode_bf16(half, out, n);
    ok &= half[n] == 0xabcd && out[n] == -7;
    for (int i = 0; i < n; i++) ok &= out[i] == in[i];
    CHECK(ok, "round trip of %d elements", n);
  }
}
