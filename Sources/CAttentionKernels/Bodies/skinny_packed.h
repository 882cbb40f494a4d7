// Products with packed rows: by tiles where they are faster, otherwise over panels of float32.

enum { NEVER_PACKED = 33 };  // more than the rows of any product

// The least number of rows that are packed rather than multiplied in place: where it was measured to be
// faster (Documentation/Kernels.md).
static int32_t skinny_least_packed_rows(int32_t element) {
#if HAS_TILES
  if (element == ATTN_ELEMENT_BF16) return least_tile_rows(element);
#endif
  if (LANES == 16 && attn_is_zen) return element == ATTN_ELEMENT_F32 ? 8 : NEVER_PACKED;
  if (element == ATTN_ELEMENT_F32) return LANES == 16 ? 6 : 4;
  if (LANES == 16) return 7;
  if (LANES == 8) return 7;
  return element == ATTN_ELEMENT_S8 ? 6 : 5;
}

static int64_t skinny_packed_floats(int32_t element, int32_t rows, int64_t width) {
#if HAS_TILES
  if (is_product_in_tiles(element, rows)) return skinny_tile_floats(rows, width);
#endif
  (void)element;
  return grouped_floats(rows, width);
}

static void skinny_pack(int32_t element, const float *in, int64_t in_stride, int32_t rows, int64_t width,
                        float *packed) {
#if HAS_TILES
  if (is_product_in_tiles(element, rows)) {
    pack_tiles(in, in_stride, rows, width, (char *)packed);
    return;
  }
#endif
  if (splits_pairs(element)) {
    pack_groups(ATTN_ELEMENT_BF16, in, in_stride, rows, width, packed);
  } else {
    pack_groups(ATTN_ELEMENT_F32, in, in_stride, rows, width, packed);
  }
}

static void skinny_product_packed(const void *weights, int32_t element, int64_t weight_stride_elements,
                                  const float *scales, const float *packed, int32_t rows,
                                  int64_t width, const float *bias, float *out, int64_t out_stride,
                                  int64_t first, int64_t last) {
  if (rows <= 0) return;
  const skinny_target target = {scales, bias, out, out_stride};
#if HAS_TILES
  if (is_product_in_tiles(element, rows)) {
    skinny_product_tiles(weights, element, weight_stride_elements, (const char *)packed, rows, width,
                         &target, first, last);
    return;
  }
#endif
  skinny_product_panels(weights, element, weight_stride_elements, packed, rows, width, &target, first,
                        last);
}
