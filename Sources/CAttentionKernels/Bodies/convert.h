// Element conversions of whole arrays, round to nearest even.

// f32 -> f16. Without the instruction: for results that are normal, add half a unit of the last
// kept bit (and the tie's parity) and shift; for denormal ones, let an addition do the rounding by
// bringing the value to the exponent whose last bit is 2^-24.
INLINE vuint16 narrow_f16(vfloat x) {
#if HAS_HALF_CONVERSION
  typedef _Float16 vhalf __attribute__((vector_size(LANES * 2)));
  return (vuint16)__builtin_convertvector(x, vhalf);
#else
  vuint bits = (vuint)x;
  vuint sign = (bits >> 16) & 0x8000u;
  vuint magnitude = bits & 0x7fffffffu;
  vuint normal = (magnitude - (112u << 23) + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  vuint tiny = (vuint)((vfloat)magnitude + splat(0.5f)) - 0x3f000000u;
  vuint is_tiny = (vuint)(magnitude < (113u << 23));
  vuint is_large = (vuint)(magnitude >= 0x47800000u);
  vuint is_nan = (vuint)(magnitude > 0x7f800000u);
  vuint large = 0x7c00u | (is_nan & (0x200u | ((magnitude >> 13) & 0x3ffu)));
  vuint half = (is_tiny & tiny) | (~is_tiny & normal);
  half = (is_large & large) | (~is_large & half);
  return __builtin_convertvector(half | sign, vuint16);
#endif
}

INLINE vuint16 narrow_bf16(vfloat x) {
  vuint bits = (vuint)x;
  vuint is_nan = (vuint)((bits & 0x7fffffffu) > 0x7f800000u);
  vuint rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  vuint quiet = (bits >> 16) | 0x40u;
  return __builtin_convertvector((is_nan & quiet) | (~is_nan & rounded), vuint16);
}

// Both sides may begin at any byte, as rows do.
#define CONVERSION(NAME, FROM, TO, EXPRESSION)                 \
  static void NAME(const void *in, void *out, int64_t count) { \
    for (int64_t i = 0; i < count; i += LANES) {               \
      FROM from[LANES] = {0};                                  \
      TO to[LANES];                                            \
      const bool whole = i + LANES <= count;                   \
      const size_t n = (size_t)(whole ? LANES : count - i);    \
      const char *begin = (const char *)in + i * (int64_t)sizeof(FROM); \
      char *end = (char *)out + i * (int64_t)sizeof(TO);       \
      if (!whole) memcpy(from, begin, n * sizeof(FROM));       \
      const void *source = whole ? begin : (const void *)from; \
      void *target = whole ? end : (void *)to;                 \
      EXPRESSION;                                              \
      if (!whole) memcpy(end, to, n * sizeof(TO));             \
    }                                                          \
  }

CONVERSION(encode_f16, float, uint16_t, *(vuint16_any *)target = narrow_f16(load(source)))
CONVERSION(encode_bf16, float, uint16_t, *(vuint16_any *)target = narrow_bf16(load(source)))
CONVERSION(decode_f16, uint16_t, float, store(target, widen_f16(*(const vuint16_any *)source)))
CONVERSION(decode_bf16, uint16_t, float, store(target, (vfloat)load_upper_halves(source)))
