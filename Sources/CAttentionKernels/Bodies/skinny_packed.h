// Products with packed rows: by tiles where there are any, otherwise over panels of float32.

// The least number of rows that are packed rather than multiplied in place: where it was measured to be
// faster (Documentation/Kernels.md).
static int32_t skinny_least_packed_rows(int32_t element) {
#if HAS_TILES
  (void)element;
  return SKINNY_TILE_ROWS;
#else
  return element == ATTN_ELEMENT_F32 ? 4 : element == ATTN_ELEMENT_S8 ? 6 : 5;
#endif
}

static int64_t skinny_packed_floats(int32_t rows, int64_t width) {
#if HAS_TILES
  if (is_skinny_in_tiles(rows)) return skinny_tile_floats(rows, width);
#endif
  return grouped_floats(rows, width);
}

static void skinny_pack(const float *in, int64_t in_stride, int32_t rows, int64_t width, float *packed) {
#if HAS_TILES
  if (is_skinny_in_tiles(rows)) {
    pack_tiles(in, in_stride, rows, width, (char *)packed);
    return;
  }
#endif
  pack_groups(in, in_stride, rows, width, packed);
}

static void skinny_product_packed(const void *weights, int32_t element, int64_t weight_stride_elements,
                                  const float *scales, const float *packed, int32_t rows,
                                  int64_t width, const float *bias, float *out, int64_t out_stride,
                                  int64_t first, int64_t last) {
  if (rows <= 0) return;
  const skinny_target target = {scales, bias, out, out_stride};
#if HAS_TILES
  if (is_skinny_in_tiles(rows)) {
    skinny_product_tiles(weights, element, weight_stride_elements, (const char *)packed, rows, width,
                         &target, first, last);
    return;
  }
#endif
  skinny_product_panels(weights, element, weight_stride_elements, packed, rows, width, &target, first,
                        last);
}
