// Copyright (c) 2026 the mfresnet authors
// SPDX-License-Identifier: MIT
//
// Activations of whole arrays, W numbers at a time: the C library takes one at a time.
//
// With e = exp(x) - 1, x = 2 |u| for tanh: x = k log 2 + r, |r| <= log(2) / 2, and
//
//   e = 2^k p + (2^k - 1) ,  p = exp(r) - 1 by its Taylor polynomial of degree 14,
//   tanh u = +- e / (e + 2) ,   1 - tanh^2 u = 4 (e + 1) / (e + 2)^2 .

#include <stdint.h>
#include <string.h>

typedef double vec __attribute__((vector_size(8 * W), aligned(8)));
typedef int64_t bits __attribute__((vector_size(8 * W), aligned(8)));

#define INLINE static inline __attribute__((always_inline))

static const double ROUND = 0x1.8p52; // adding it leaves an integer in the lowest bits
static const double LOG2_HIGH = 0x1.62e42fee00000p-1, LOG2_LOW = 0x1.a39ef35793c76p-33;
static const double MOST = 80.0; // from there on tanh is 1, and e squared is finite

INLINE vec magnitude(vec u) { return (vec)((bits)u & INT64_MAX); }

// exp(x) - 1 for 0 <= x; NaN stays.
INLINE vec exponential(vec x) {
  bits large = x > MOST;
  x = (vec)(((bits)x & ~large) | ((bits)(MOST + (vec){0}) & large));
  vec shifted = x * 0x1.71547652b82fep0 + ROUND;
  vec k = shifted - ROUND;
  vec r = x - k * LOG2_HIGH - k * LOG2_LOW;
  vec p = r * (1.0 / 87178291200.0) + 1.0 / 6227020800.0;
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  p = p * (r * r) + r;
  vec power = (vec)(((bits)shifted + 1023) << 52);
  return power * p + (power - 1.0);
}

INLINE vec tanh_value(vec u) {
  vec e = exponential(2.0 * magnitude(u));
  return (vec)((bits)(e / (e + 2.0)) | ((bits)u & INT64_MIN));
}

INLINE vec tanh_slope(vec u) {
  vec e = exponential(2.0 * magnitude(u)), sum = e + 2.0;
  return 4.0 * (e + 1.0) / (sum * sum);
}

// 1 / (1 + exp(-u)) = 1/2 + tanh(u / 2) / 2 without the loss of digits below zero
INLINE vec sigmoid_value(vec u) {
  vec e = exponential(magnitude(u)), one = {0};
  bits below = u < 0.0;
  one = one + 1.0;
  vec top = (vec)(((bits)(e + 1.0) & ~below) | ((bits)one & below));
  return top / (e + 2.0);
}

INLINE vec sigmoid_slope(vec u) {
  vec e = exponential(magnitude(u)), sum = e + 2.0;
  return (e + 1.0) / (sum * sum);
}

#define OF_ARRAY(name)                                                                             \
  void name##_of(int64_t n, const double *u, double *result) {                                     \
    int64_t i = 0;                                                                                 \
    for (; i + W <= n; i += W) *(vec *)(result + i) = name(*(const vec *)(u + i));                 \
    if (i < n) {                                                                                   \
      vec rest = {0};                                                                              \
      memcpy(&rest, u + i, 8 * (n - i));                                                           \
      rest = name(rest);                                                                           \
      memcpy(result + i, &rest, 8 * (n - i));                                                      \
    }                                                                                              \
  }

OF_ARRAY(tanh_value)
OF_ARRAY(tanh_slope)
OF_ARRAY(sigmoid_value)
OF_ARRAY(sigmoid_slope)

// a = b + s c, the loop that the bandwidth of the memory is measured with.
void triad(int64_t n, double *a, const double *b, const double *c, double s) {
  for (int64_t i = 0; i < n; ++i) a[i] = b[i] + s * c[i];
}
