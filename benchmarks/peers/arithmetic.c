/* Copyright (c) 2026 the mfresnet authors
 * SPDX-License-Identifier: MIT
 *
 * Multiplications and additions in registers alone: what the arithmetic of one core gives. Twelve
 * chains, more than a multiplication with addition takes steps times those that begin in one. */

typedef double vector __attribute__((vector_size(8 * W)));

#define EACH(f) f(0) f(1) f(2) f(3) f(4) f(5) f(6) f(7) f(8) f(9) f(10) f(11)

/* Return the sum of 12 W chains x <- a x + b of length n. */
double chains(long n, double a, double b) {
#define START(i) vector x##i = {0.125 * (i + 1)};
#define STEP(i) x##i = x##i * a + b;
#define ADD(i) for (int j = 0; j < W; j++) sum += x##i[j];
  double sum = 0.0;
  EACH(START)
  for (long k = 0; k < n; k++) {
    EACH(STEP)
  }
  EACH(ADD)
  return sum;
}
