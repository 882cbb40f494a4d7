// Matrix tiles: registers of 16 rows of 64 bytes, and the product of two of them. One product multiplies
// 16 rows of 32 bfloat16 with 16 rows of 16 pairs of them and adds 256 sums in float32: 8,192
// multiply-adds in 16 cycles, where vectors of 16 lanes do 512.
//
// Where the instructions are missing, tests compile the same bodies over an emulation
// (ATTN_EMULATED_TILES) that follows the definition of TDPBF16PS but for
// its flushing of denormals and its order of summation.

enum {
  TILE_ROWS = 16,
  TILE_BYTES = 64,  // of a row
  TILE_DEPTH = 32,  // bfloat16 elements that one product sums over
};

// Tiles are named by constants 0 ... 7.
#ifndef ATTN_EMULATED_TILES

#define TILE_ZERO(tile) _tile_zero(tile)
#define TILE_LOAD(tile, from, row_bytes) _tile_loadd(tile, from, (size_t)(row_bytes))
#define TILE_STORE(tile, to, row_bytes) _tile_stored(tile, to, (size_t)(row_bytes))
// sums[i][j] += left[i][2k] * right[k][2j] + left[i][2k + 1] * right[k][2j + 1] over k.
#define TILE_PRODUCT(sums, left, right) _tile_dpbf16ps(sums, left, right)

// Before a thread's first use of tiles, all of them whole; and after its last one.
INLINE void tiles_begin(void) {
  static const struct {
    uint8_t palette, start, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
  } whole __attribute__((aligned(64))) = {
      .palette = 1,
      .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
      .rows = {16, 16, 16, 16, 16, 16, 16, 16},
  };
  _tile_loadconfig(&whole);
}
INLINE void tiles_end(void) { _tile_release(); }

#else

static _Thread_local uint32_t emulated_tiles[8][TILE_ROWS][TILE_BYTES / 4];

static void emulated_tile_load(int tile, const void *from, int64_t row_bytes) {
  for (int i = 0; i < TILE_ROWS; i++) {
    memcpy(emulated_tiles[tile][i], (const char *)from + i * row_bytes, TILE_BYTES);
  }
}
static void emulated_tile_store(int tile, void *to, int64_t row_bytes) {
  for (int i = 0; i < TILE_ROWS; i++) {
    memcpy((char *)to + i * row_bytes, emulated_tiles[tile][i], TILE_BYTES);
  }
}
static void emulated_tile_product(int sums, int left, int right) {
  for (int i = 0; i < TILE_ROWS; i++) {
    float out[TILE_ROWS];
    memcpy(out, emulated_tiles[sums][i], TILE_BYTES);
    for (int k = 0; k < TILE_BYTES / 4; k++) {
      const uint32_t pair = emulated_tiles[left][i][k];
      const uint32_t *others = emulated_tiles[right][k];
      float low, high;
      const uint32_t low_bits = pair << 16, high_bits = pair & 0xffff0000u;
      memcpy(&low, &low_bits, 4);
      memcpy(&high, &high_bits, 4);
      for (int j = 0; j < TILE_ROWS; j++) {
        const uint32_t a = others[j] << 16, b = others[j] & 0xffff0000u;
        float x, y;
        memcpy(&x, &a, 4);
        memcpy(&y, &b, 4);
        out[j] += low * x;
        out[j] += high * y;
      }
    }
    memcpy(emulated_tiles[sums][i], out, TILE_BYTES);
  }
}
#define TILE_ZERO(tile) memset(emulated_tiles[tile], 0, sizeof emulated_tiles[tile])
#define TILE_LOAD(tile, from, row_bytes) emulated_tile_load(tile, from, row_bytes)
#define TILE_STORE(tile, to, row_bytes) emulated_tile_store(tile, to, row_bytes)
#define TILE_PRODUCT(sums, left, right) emulated_tile_product(sums, left, right)
INLINE void tiles_begin(void) {}
INLINE void tiles_end(void) {}

#endif
