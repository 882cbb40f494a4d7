// Rows and groups into the quantised elements.

// f32 -> e4m3, round to nearest even, finite values held at +-448, infinities and NaN as NaN.
INLINE vuint8 narrow_fp8(vfloat x) {
  vuint bits = (vuint)x;
  vuint sign = (bits >> 24) & 0x80u;
  vuint magnitude = bits & 0x7fffffffu;
  // Half a unit of the last kept bit, and the tie's parity; then the exponents' biases.
  vuint normal = ((magnitude + 0x7ffffu + ((magnitude >> 20) & 1u)) >> 20) - (120u << 3);
  // Below 2^-6 an addition does the rounding: 2^14 has 2^-9 as its last bit.
  vuint tiny = (vuint)((vfloat)magnitude + splat(0x1p14f)) - 0x46800000u;
  vuint is_tiny = (vuint)(magnitude < 0x3c800000u);
  vuint is_large = (vuint)(magnitude > 0x43e00000u);
  vuint is_nan = (vuint)(magnitude >= 0x7f800000u);
  vuint byte = (is_tiny & tiny) | (~is_tiny & normal);
  byte = (is_large & 0x7eu) | (~is_large & byte);
  byte = (is_nan & 0x7fu) | (~is_nan & byte);
  return __builtin_convertvector(byte | sign, vuint8);
}

// A float in f16, and what that stores.
INLINE float half_rounded(float x, char *out) {
  vuint16 half = narrow_f16(splat(x));
  uint16_t bits = half[0];
  memcpy(out, &bits, 2);
  return widen_f16(half)[0];
}

// The integer nearest to x, ties to even, held within low ... high; for |x| below 2^22. A step of
// its own, so that no build fuses the multiplication before it.
INLINE vint nearest_within(vfloat x, float low, float high) {
  x = select_vector(x < splat(low), splat(low), x);
  x = select_vector(x > splat(high), splat(high), x);
  return (vint)(x + splat(0x1.8p23f)) - 0x4b400000;
}

INLINE float inverse_of(float scale) { return scale > 0 ? 1 / scale : 0; }

// Half bytes of a block of `count` numbers.
INLINE void pack_numbers(const int8_t *numbers, int64_t count, char *out) {
  const int64_t half = count / 2;
  for (int64_t i = 0; i < half; i++) out[i] = (char)(numbers[i] | numbers[i + half] << 4);
}

// One group of an INT8 or INT4 row, `count` <= ATTN_GROUP elements.
static char *encode_row_group(int element, const float *in, int64_t count, char *out) {
  enum { VECTORS = ATTN_GROUP / LANES };
  float padded[ATTN_GROUP];
  for (int64_t i = 0; i < ATTN_GROUP; i++) padded[i] = in[i < count ? i : count - 1];
  vfloat x[VECTORS], least = load(padded), most = load(padded), spoilt = splat(0);
  for (int v = 0; v < VECTORS; v++) {
    x[v] = load(padded + v * LANES);
    least = select_vector(x[v] < least, x[v], least);
    most = select_vector(x[v] > most, x[v], most);
    spoilt = spoilt + x[v] * splat(0);
  }
  const float high = max_lanes(most), low = -max_lanes(-least);
  const bool is_finite = sum_lanes(spoilt) == 0;
  int8_t numbers[ATTN_GROUP];
  float zero = 0, scale;
  if (element == ATTN_ELEMENT_INT8) {
    const float largest = high > -low ? high : -low;
    scale = half_rounded(is_finite ? largest / 127 : NAN, out);
    out += 2;
  } else {
    scale = half_rounded(is_finite ? (high - low) / 15 : NAN, out);
    zero = half_rounded(is_finite ? low : NAN, out + 2);
    out += 4;
  }
  const vfloat inverse = splat(inverse_of(scale));
  for (int v = 0; v < VECTORS; v++) {
    vfloat steps = (x[v] - splat(zero)) * inverse;
    vint number = element == ATTN_ELEMENT_INT8 ? nearest_within(steps, -127, 127)
                                               : nearest_within(steps, 0, 15);
    if (!is_finite) number = (vint){0};
    *(vint8_any *)(numbers + v * LANES) = __builtin_convertvector(number, vint8);
  }
  if (element == ATTN_ELEMENT_INT8) {
    memcpy(out, numbers, (size_t)count);
    return out + count;
  }
  pack_numbers(numbers, count, out);
  return out + count / 2;
}

static void encode_row(int32_t element, const float *in, int64_t width, void *out) {
  switch (element) {
    case ATTN_ELEMENT_F32: memcpy(out, in, sizeof(float) * (size_t)width); break;
    case ATTN_ELEMENT_F16: encode_f16(in, out, width); break;
    case ATTN_ELEMENT_BF16: encode_bf16(in, out, width); break;
    case ATTN_ELEMENT_FP8: {
      uint8_t *bytes = out;
      int64_t i = 0;
      for (; i + LANES <= width; i += LANES) *(vuint8_any *)(bytes + i) = narrow_fp8(load(in + i));
      for (; i < width; i++) bytes[i] = narrow_fp8(splat(in[i]))[0];
      break;
    }
    case ATTN_ELEMENT_INT8:
    case ATTN_ELEMENT_INT4: {
      char *group = out;
      for (int64_t i = 0; i < width; i += ATTN_GROUP) {
        int64_t count = width - i < ATTN_GROUP ? width - i : ATTN_GROUP;
        group = encode_row_group(element, in + i, count, group);
      }
      break;
    }
    default: break;
  }
}

static void decode_row(int32_t element, const void *row, int64_t width, float *out) {
  // Whole vectors in place; a last one by way of a copy, since rows are widened to whole vectors.
  const int64_t whole = width / ATTN_GROUP * ATTN_GROUP;
  float rest[ATTN_GROUP];
#define DECODE_ELEMENT(ELEMENT)                                                           \
  do {                                                                                    \
    widen_row(ELEMENT, row, whole, out);                                                  \
    const char *last = (const char *)row + whole / ATTN_GROUP * block_bytes(ELEMENT);     \
    if (whole < width) widen_row(ELEMENT, last, width - whole, rest);                     \
  } while (0)
  FOR_ELEMENT(element, DECODE_ELEMENT)
#undef DECODE_ELEMENT
  if (whole < width) memcpy(out + whole, rest, sizeof(float) * (size_t)(width - whole));
}

// `count` <= LANES channels of an f16 row, the last repeated.
INLINE vfloat load_channels(const char *row, int64_t count) {
  if (count == LANES) return widen_f16(*(const vuint16_any *)row);
  uint16_t halves[LANES];
  memcpy(halves, row, (size_t)count * 2);
  for (int64_t i = count; i < LANES; i++) halves[i] = halves[count - 1];
  return widen_f16(*(const vuint16_any *)halves);
}

// NaN where an element is NaN or infinite.
static float largest_magnitude(const float *in, int64_t width) {
  vfloat most = splat(0), spoilt = splat(0);
  int64_t i = 0;
  for (; i + LANES <= width; i += LANES) {
    vfloat x = load(in + i);
    most = select_vector(x > most, x, most);
    most = select_vector(-x > most, -x, most);
    spoilt = spoilt + x * splat(0);
  }
  float largest = max_lanes(most), probe = sum_lanes(spoilt);
  for (; i < width; i++) {
    const float magnitude = in[i] < 0 ? -in[i] : in[i];
    largest = magnitude > largest ? magnitude : largest;
    probe += in[i] * 0;
  }
  return probe == 0 ? largest : NAN;
}

static void encode_s8(const float *in, int64_t width, float scale, void *out) {
  const vfloat inverse = splat(inverse_of(scale));
  int8_t *bytes = out;
  int64_t i = 0;
  for (; i + LANES <= width; i += LANES) {
    vint number = nearest_within(load(in + i) * inverse, -127, 127);
    *(vint8_any *)(bytes + i) = __builtin_convertvector(number, vint8);
  }
  for (; i < width; i++) bytes[i] = (int8_t)nearest_within(splat(in[i]) * inverse, -127, 127)[0];
}

static void decode_s8(const void *row, float scale, int64_t width, float *out) {
  const int8_t *bytes = row;
  int64_t i = 0;
  for (; i + LANES <= width; i += LANES) {
    store(out + i, load_element(ATTN_ELEMENT_S8, row, i) * splat(scale));
  }
  for (; i < width; i++) out[i] = (float)bytes[i] * scale;
}

// How the numbers of LANES channels of a group follow from their values.
typedef struct channel_steps {
  vfloat zero, inverse;
  vint finite;
} channel_steps;

// What `count` <= LANES channels span over the tokens; writes their scales and zeros.
static channel_steps span_channels(bool has_zeros, const char *tail, int64_t tail_row_bytes,
                                   int64_t tokens, int64_t count, char *scales, char *zeros) {
  vfloat least = load_channels(tail, count), most = least, spoilt = splat(0);
  for (int64_t t = 0; t < tokens; t++) {
    vfloat x = load_channels(tail + t * tail_row_bytes, count);
    least = select_vector(x < least, x, least);
    most = select_vector(x > most, x, most);
    spoilt = spoilt + x * splat(0);
  }
  channel_steps steps = {.zero = splat(0), .finite = spoilt == splat(0)};
  vfloat span = has_zeros ? (most - least) / splat(15)
                          : select_vector(most > -least, most, -least) / splat(127);
  const vuint16 scale_half = narrow_f16(select_vector(steps.finite, span, splat(NAN)));
  memcpy(scales, &scale_half, (size_t)count * 2);
  if (has_zeros) {
    const vuint16 zero_half = narrow_f16(select_vector(steps.finite, least, splat(NAN)));
    memcpy(zeros, &zero_half, (size_t)count * 2);
    steps.zero = select_vector(steps.finite, widen_f16(zero_half), splat(0));
  }
  const vfloat scale = widen_f16(scale_half);
  const vint has_scale = scale > splat(0);
  steps.inverse =
      select_vector(has_scale, splat(1) / select_vector(has_scale, scale, splat(1)), splat(0));
  return steps;
}

static void encode_group(int32_t element, const void *tail, int64_t tail_row_bytes, int64_t tokens,
                         int64_t width, void *group) {
  if (tokens <= 0) return;
  const bool has_zeros = element == ATTN_ELEMENT_INT4C;
  char *scales = group, *zeros = scales + 2 * width;
  char *rows = scales + attn_group_header_bytes(element, width);
  const int64_t row_bytes = has_zeros ? width / 2 : width;
  // As many channels at a time as are packed together.
  for (int64_t block = 0; block < width; block += ATTN_GROUP) {
    const int64_t channels = width - block < ATTN_GROUP ? width - block : ATTN_GROUP;
    channel_steps steps[GROUP_VECTORS];
    for (int64_t i = 0; i < channels; i += LANES) {
      const int64_t count = channels - i < LANES ? channels - i : LANES;
      steps[i / LANES] = span_channels(has_zeros, (const char *)tail + 2 * (block + i),
                                       tail_row_bytes, tokens, count, scales + 2 * (block + i),
                                       zeros + 2 * (block + i));
    }
    for (int64_t t = 0; t < tokens; t++) {
      const char *from = (const char *)tail + t * tail_row_bytes + 2 * block;
      int8_t numbers[ATTN_GROUP];
      for (int64_t i = 0; i < channels; i += LANES) {
        const channel_steps *s = &steps[i / LANES];
        vfloat x = load_channels(from + 2 * i, channels - i < LANES ? channels - i : LANES);
        x = (select_vector(s->finite, x, splat(0)) - s->zero) * s->inverse;
        vint number = nearest_within(x, has_zeros ? 0 : -127, has_zeros ? 15 : 127);
        *(vint8_any *)(numbers + i) = __builtin_convertvector(number, vint8);
      }
      char *row = rows + t * row_bytes;
      if (has_zeros) {
        pack_numbers(numbers, channels, row + block / 2);
      } else {
        memcpy(row + block, numbers, (size_t)channels);
      }
    }
  }
}
