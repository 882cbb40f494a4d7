// The exponential of a vector and what is built on it.

// exp(x) with an error below 2 units in the last place: x = n ln 2 + r with |r| <= ln 2 / 2, a
// polynomial for exp(r), and n added to the exponent. 0 below -87 (exp(-infinity) included), held
// at exp(88) above 88, NaN for NaN.
INLINE vfloat exp_vector(vfloat x) {
  const float rounder = 0x1.8p23f;  // adding it rounds to an integer in the low mantissa bits
  vint underflow = x < splat(-87.0f);
  vfloat bounded = select_vector(x > splat(88.0f), splat(88.0f), x);
  vfloat shifted = fma_vector(bounded, splat(0x1.715476p0f), splat(rounder));
  vfloat n = shifted - splat(rounder);
  vfloat r = fma_vector(n, splat(-0x1.62e4p-1f), bounded);
  r = fma_vector(n, splat(-0x1.7f7d1cp-20f), r);
  vfloat p = splat(1.9875691500e-4f);
  p = fma_vector(p, r, splat(1.3981999507e-3f));
  p = fma_vector(p, r, splat(8.3334519073e-3f));
  p = fma_vector(p, r, splat(4.1665795894e-2f));
  p = fma_vector(p, r, splat(1.6666665459e-1f));
  p = fma_vector(p, r, splat(5.0000001201e-1f));
  p = fma_vector(p, r * r, r) + splat(1.0f);
  vfloat power = (vfloat)(((vuint)shifted + 127u) << 23);
  return (vfloat)(~underflow & (vint)(p * power));
}

INLINE float exp_scalar(float x) { return exp_vector(splat(x))[0]; }

// c tanh(x / c). Near zero, where 1 - 2 / (exp(2y) + 1) cancels, an odd polynomial.
INLINE vfloat soft_cap_vector(vfloat x, float cap) {
  vfloat y = x / splat(cap);
  vfloat far = splat(1.0f) - splat(2.0f) / (exp_vector(y + y) + splat(1.0f));
  // Below -43.5 exp(2y) is 0, which gives exactly -1.
  vfloat y2 = y * y;
  vfloat q = splat(-17.0f / 315.0f);
  q = fma_vector(q, y2, splat(2.0f / 15.0f));
  q = fma_vector(q, y2, splat(-1.0f / 3.0f));
  vfloat near = fma_vector(q * y2, y, y);
  return select_vector(y2 < splat(0.03f), near, far) * splat(cap);
}
