/* Copyright (c) 2026 the mfresnet authors
 * SPDX-License-Identifier: MIT
 *
 * The loops of the limiter (11) over the cells of a rank; limiter.py has the formulas. Fields are
 * (cells, n); theta and lowest, the number of the lowest point, are (cells); theta is 1 in a cell
 * if and only if L is the identity there.
 */
#include <math.h>
#define W 8 /* cells at a time in the search for the lowest points */

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__)
#define VECTORISED __attribute__((target_clones("arch=haswell", "default")))
#else
#define VECTORISED
#endif

typedef struct {
  int cells, n, points;
  const int *start, *column; /* the basis at the points, compressed rows */
  const double *entry;
  const double *one;    /* the constant one, (n) */
  const double *weight; /* diagonal of the mass matrix over |K|, (cells, n) */
  double kept, empty;
} space;

static double dot(int n, const double *w, const double *a, const double *b)
{
  double sum = 0.0;
  for (int i = 0; i < n; i++) sum += w[i] * a[i] * b[i];
  return sum;
}

static double at(const space *s, int point, const double *u)
{
  double sum = 0.0;
  for (int e = s->start[point]; e < s->start[point + 1]; e++) sum += s->entry[e] * u[s->column[e]];
  return sum;
}

/* 1 / (m - mu), zero where theta is */
static double over_gap(const space *s, double theta, double mean)
{
  return mean > s->empty ? theta / (s->kept * mean) : 0.0;
}

/* Write L(u), with memory for them also theta and the lowest points; return the number of limited
 * cells. */
VECTORISED int limit(const space *s, const double *u, double *y, double *theta, short *lowest)
{
  const int n = s->n;
  int count = 0;
  double v[n][W];
  for (int first = 0; first < s->cells; first += W) {
    const int here = s->cells - first < W ? s->cells - first : W;
    double mean[W] = {0.0}, least[W], low[W] = {0.0};
    for (int k = 0; k < W; k++) {
      const long cell = (long)(first + (k < here ? k : 0)) * n;
      for (int i = 0; i < n; i++) v[i][k] = u[cell + i];
      mean[k] = dot(n, s->weight + cell, s->one, u + cell);
      least[k] = INFINITY;
    }
    for (int point = 0; point < s->points; point++) {
      double value[W] = {0.0};
      for (int e = s->start[point]; e < s->start[point + 1]; e++) {
        const double entry = s->entry[e], *row = v[s->column[e]];
        for (int k = 0; k < W; k++) value[k] += entry * row[k];
      }
      if (lowest)
        for (int k = 0; k < W; k++) low[k] = value[k] < least[k] ? point : low[k];
      for (int k = 0; k < W; k++) least[k] = value[k] < least[k] ? value[k] : least[k];
    }
    for (int k = 0; k < here; k++) {
      const long cell = (long)(first + k) * n;
      double part = 1.0, rest = 0.0;
      if (least[k] < 0.0) {
        count++;
        part = mean[k] > s->empty ? s->kept * mean[k] / (mean[k] - least[k]) : 0.0;
        rest = (1.0 - part) * mean[k];
      }
      if (lowest) {
        theta[first + k] = part;
        lowest[first + k] = (short)low[k];
      }
      for (int i = 0; i < n; i++) y[cell + i] = part * u[cell + i] + rest * s->one[i];
    }
  }
  return count;
}

/* Write L'(u) du where L is not the identity. */
void tangent(const space *s, const double *u, const double *theta, const short *lowest,
             const double *du, double *dy)
{
  const int n = s->n;
  for (int c = 0; c < s->cells; c++) {
    if (theta[c] == 1.0) continue;
    const long cell = (long)c * n;
    const double *w = s->weight + cell, m = dot(n, w, s->one, u + cell);
    const double dm = dot(n, w, s->one, du + cell), gap = dm - at(s, lowest[c], du + cell);
    const double change = (s->kept * dm - theta[c] * gap) * over_gap(s, theta[c], m);
    const double rest = (1.0 - theta[c]) * dm - change * m;
    for (int i = 0; i < n; i++)
      dy[cell + i] = theta[c] * du[cell + i] + change * u[cell + i] + rest * s->one[i];
  }
}

/* Replace psi by its image under the transpose of L'(u) in L2 and, when there is du, dpsi by the
 * change of that along du and dpsi. */
void transpose(const space *s, const double *u, const double *theta, const short *lowest,
               double *psi, const double *du, double *dpsi)
{
  const int n = s->n;
  for (int c = 0; c < s->cells; c++) {
    if (theta[c] == 1.0) continue;
    const long cell = (long)c * n;
    const int first = s->start[lowest[c]], last = s->start[lowest[c] + 1];
    const double *w = s->weight + cell, t = theta[c], m = dot(n, w, s->one, u + cell);
    const double over = over_gap(s, t, m);
    const double one = dot(n, w, s->one, psi + cell);
    const double share = (dot(n, w, psi + cell, u + cell) - m * one) * over;
    if (du) {
      const double dm = dot(n, w, s->one, du + cell), gap = dm - at(s, lowest[c], du + cell);
      const double change = (s->kept * dm - t * gap) * over;
      const double done = dot(n, w, s->one, dpsi + cell);
      const double dshare = (dot(n, w, dpsi + cell, u + cell) - m * done +
                             dot(n, w, psi + cell, du + cell) - dm * one - share * gap) * over;
      const double rest = (1.0 - t) * done + (s->kept - t) * dshare - change * (one + share);
      for (int i = 0; i < n; i++)
        dpsi[cell + i] = t * dpsi[cell + i] + change * psi[cell + i] + rest * s->one[i];
      for (int e = first; e < last; e++)
        dpsi[cell + s->column[e]] += (change * share + t * dshare) * s->entry[e] / w[s->column[e]];
    }
    const double rest = (1.0 - t) * one + (s->kept - t) * share;
    for (int i = 0; i < n; i++) psi[cell + i] = t * psi[cell + i] + rest * s->one[i];
    for (int e = first; e < last; e++)
      psi[cell + s->column[e]] += t * share * s->entry[e] / w[s->column[e]];
  }
}
