/* Copyright (c) 2026 the mfresnet authors
 * SPDX-License-Identifier: MIT
 *
 * The loops of the limiters (11) over the cells of a rank; limiter.py has the formulas. Fields are
 * (cells, n), as is slope, the derivative of the deficit E in the degrees of freedom over the
 * weights; theta is (cells), 1 if L is the identity in a cell: there slope is not written. The
 * kinds differ in E only.
 */
#include <math.h>
#define W 8 /* cells at a time where values at points are needed */

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
  double kept, empty, over;
  double width, narrow; /* w and 1 / w, zero where E = max(0, -mu) */
} space;

typedef double lanes[W]; /* one number of W cells */

static double dot(int n, const double *w, const double *a, const double *b)
{
  double sum = 0.0;
  for (int i = 0; i < n; i++) sum += w[i] * a[i] * b[i];
  return sum;
}

/* 1 / (m + E), zero where theta is */
static double over_sum(const space *s, double theta, double mean)
{
  return mean > s->empty ? theta / (s->kept * mean) : 0.0;
}

/* Write W cells from the one numbered first on, or copies of it after the last, and their means. */
static inline void load(const space *s, const double *u, int first, lanes *v, double *mean)
{
  for (int k = 0; k < W; k++) {
    const long cell = (long)(first + (first + k < s->cells ? k : 0)) * s->n;
    for (int i = 0; i < s->n; i++) v[i][k] = u[cell + i];
    mean[k] = dot(s->n, s->weight + cell, s->one, u + cell);
  }
}

static inline void at(const space *s, int point, const lanes *v, double *value)
{
  for (int k = 0; k < W; k++) value[k] = 0.0;
  for (int e = s->start[point]; e < s->start[point + 1]; e++)
    for (int k = 0; k < W; k++) value[k] += s->entry[e] * v[s->column[e]][k];
}

static inline void scatter(const space *s, int point, const double *a, lanes *g)
{
  for (int e = s->start[point]; e < s->start[point + 1]; e++)
    for (int k = 0; k < W; k++) g[s->column[e]][k] += s->entry[e] * a[k];
}

/* The place of r in the bend of e, from 0 to 2. */
static double bend(const space *s, double r)
{
  const double p = 1.0 + (r - 1.0) * s->narrow;
  return p < 0.0 ? 0.0 : p > 2.0 ? 2.0 : p;
}

/* e(r) of (25), at least max(0, r - 1), and its derivatives from the place in the bend. */
static double excess(const space *s, double r)
{
  const double p = bend(s, r), beyond = r - 1.0 - s->width;
  return s->width * (p * p) * (p * p) * ((p - 3.0) * (p - 3.0) + 1.0) / 32.0 +
         (beyond > 0.0 ? beyond : 0.0);
}
static double excess_first(double p) { return p * p * p * (3.0 * p * p - 15.0 * p + 20.0) / 16.0; }
static double excess_second(const space *s, double p)
{
  return 15.0 / 16.0 * p * p * (2.0 - p) * (2.0 - p) * s->narrow;
}

/* Whether numbers that are not negative are all zero. */
static inline _Bool none(const double *a)
{
  double sum = 0.0;
  for (int k = 0; k < W; k++) sum += a[k];
  return sum == 0.0;
}

static double sixth(double a) { return a * a * (a * a) * (a * a); }
static double eighth_root(double a) { return sqrt(sqrt(sqrt(a))); }

/* Write the smooth E of W cells with these values at the points, of which the least has the
 * largest e. With g write its derivatives in the degrees of freedom and, for_mean, in the mean;
 * with also dvalue and dmean their changes. */
static inline void smooth(const space *s, const lanes *value, const double *mean,
                          const double *least, double *deficit, lanes *g, double *for_mean,
                          const lanes *dvalue, const double *dmean, lanes *dg, double *dfor_mean)
{
  const int points = s->points;
  lanes over, top, scale, sum = {0.0}, over_root, dnorm = {0.0}, a, part[points];
  double most = 0.0;
  for (int k = 0; k < W; k++) {
    over[k] = mean[k] > s->empty ? 1.0 / mean[k] : 0.0;
    top[k] = excess(s, 1.0 - least[k] * over[k]);
    scale[k] = top[k] > 0.0 ? 1.0 / top[k] : 0.0;
    most = top[k] > most ? top[k] : most;
    deficit[k] = 0.0;
  }
  if (most == 0.0) return;
  for (int point = 0; point < points; point++)
    for (int k = 0; k < W; k++) {
      const double x = excess(s, 1.0 - value[point][k] * over[k]) * scale[k];
      sum[k] += x * x * sixth(x);
      if (g) part[point][k] = x;
    }
  for (int k = 0; k < W; k++) {
    const double norm = top[k] * eighth_root(sum[k]);
    deficit[k] = s->over * mean[k] * norm;
    if (!g) continue;
    over_root[k] = sum[k] > 0.0 ? 1.0 / eighth_root(sum[k]) : 0.0;
    for_mean[k] = s->over * norm;
  }
  if (!g) return;
  for (int i = 0; i < s->n; i++)
    for (int k = 0; k < W; k++) g[i][k] = 0.0;
  for (int point = 0; point < points; point++) {
    if (none(part[point])) continue;
    for (int k = 0; k < W; k++) {
      const double u = value[point][k] * over[k], x = part[point][k] * over_root[k];
      const double b = s->over * x * sixth(x) * excess_first(bend(s, 1.0 - u));
      part[point][k] = x;
      a[k] = -b;
      for_mean[k] += b * u;
      if (dvalue) dnorm[k] += b * (u * dmean[k] - dvalue[point][k]) * over[k];
    }
    scatter(s, point, a, g);
  }
  if (!dvalue) return;
  for (int i = 0; i < s->n; i++)
    for (int k = 0; k < W; k++) dg[i][k] = 0.0;
  for (int k = 0; k < W; k++) dfor_mean[k] = 0.0;
  for (int point = 0; point < points; point++) {
    if (none(part[point])) continue;
    for (int k = 0; k < W; k++) {
      const double u = value[point][k] * over[k], x = part[point][k], p = bend(s, 1.0 - u);
      const double dr = (u * dmean[k] - dvalue[point][k]) * over[k], first = excess_first(p);
      const double turn = 7.0 * (first * dr - x * dnorm[k] / s->over) * over_root[k] * scale[k];
      const double b = s->over * sixth(x) * (turn * first + x * excess_second(s, p) * dr);
      a[k] = -b;
      dfor_mean[k] += b * u;
    }
    scatter(s, point, a, dg);
  }
}

/* Write the least values of W cells and the numbers of their points, with values all of them. */
static inline void search(const space *s, const lanes *v, double *least, double *lowest,
                          lanes *values)
{
  lanes lo, number = {0.0};
  for (int k = 0; k < W; k++) lo[k] = INFINITY;
  for (int point = 0; point < s->points; point++) {
    lanes value;
    at(s, point, v, value);
    if (lowest)
      for (int k = 0; k < W; k++) number[k] = value[k] < lo[k] ? point : number[k];
    for (int k = 0; k < W; k++) lo[k] = value[k] < lo[k] ? value[k] : lo[k];
    if (values)
      for (int k = 0; k < W; k++) values[point][k] = value[k];
  }
  for (int k = 0; k < W; k++) least[k] = lo[k];
  for (int k = 0; lowest && k < W; k++) lowest[k] = number[k];
}

/* Write L(u), with memory for them also theta and slope; return the number of limited cells. */
VECTORISED int limit(const space *s, const double *u, double *y, double *theta, double *slope)
{
  const int n = s->n;
  const _Bool bent = s->width > 0.0;
  int count = 0;
  lanes v[n], g[n], values[bent ? s->points : 1];
  for (int first = 0; first < s->cells; first += W) {
    lanes mean, least, low = {0.0}, deficit, for_mean;
    load(s, u, first, v, mean);
    if (bent)
      search(s, v, least, 0, values);
    else if (theta)
      search(s, v, least, low, 0);
    else
      search(s, v, least, 0, 0);
    for (int k = 0; k < W; k++) deficit[k] = least[k] < 0.0 ? -least[k] : 0.0;
    if (bent) smooth(s, values, mean, least, deficit, theta ? g : 0, for_mean, 0, 0, 0, 0);
    for (int k = 0; k < W && first + k < s->cells; k++) {
      const long cell = (long)(first + k) * n;
      const _Bool filled = mean[k] > s->empty;
      double part = 1.0, rest = 0.0;
      if (filled ? deficit[k] > 0.0 : least[k] < 0.0) {
        count++;
        part = filled ? s->kept * mean[k] / (mean[k] + deficit[k]) : 0.0;
        rest = (1.0 - part) * mean[k];
      }
      for (int i = 0; i < n; i++) y[cell + i] = part * u[cell + i] + rest * s->one[i];
      if (!theta) continue;
      theta[first + k] = part;
      if (part == 1.0) continue;
      if (bent && filled) {
        for (int i = 0; i < n; i++)
          slope[cell + i] = g[i][k] / s->weight[cell + i] + for_mean[k] * s->one[i];
        continue;
      }
      for (int i = 0; i < n; i++) slope[cell + i] = 0.0;
      for (int e = s->start[(int)low[k]]; filled && e < s->start[(int)low[k] + 1]; e++)
        slope[cell + s->column[e]] = -s->entry[e] / s->weight[cell + s->column[e]];
    }
  }
  return count;
}

/* Write L'(u) du where L is not the identity. */
void tangent(const space *s, const double *u, const double *theta, const double *slope,
             const double *du, double *dy)
{
  const int n = s->n;
  for (int c = 0; c < s->cells; c++) {
    if (theta[c] == 1.0) continue;
    const long cell = (long)c * n;
    const double *w = s->weight + cell, m = dot(n, w, s->one, u + cell);
    const double dm = dot(n, w, s->one, du + cell), more = dm + dot(n, w, slope + cell, du + cell);
    const double change = (s->kept * dm - theta[c] * more) * over_sum(s, theta[c], m);
    const double rest = (1.0 - theta[c]) * dm - change * m;
    for (int i = 0; i < n; i++)
      dy[cell + i] = theta[c] * du[cell + i] + change * u[cell + i] + rest * s->one[i];
  }
}

/* Write the change of slope along du in W cells, over the weights: (W, n). */
static inline void turn(const space *s, const double *u, const double *du, int first,
                        double *dslope)
{
  const int n = s->n, points = s->points;
  lanes v[n], dv[n], value[points], dvalue[points], g[n], dg[n], mean, dmean, least, deficit,
      for_mean, dfor_mean;
  load(s, u, first, v, mean);
  load(s, du, first, dv, dmean);
  search(s, v, least, 0, value);
  for (int point = 0; point < points; point++) at(s, point, dv, dvalue[point]);
  smooth(s, value, mean, least, deficit, g, for_mean, dvalue, dmean, dg, dfor_mean);
  for (int k = 0; k < W && first + k < s->cells; k++)
    for (int i = 0; i < n; i++)
      dslope[k * n + i] = deficit[k] > 0.0 ? dg[i][k] / s->weight[(long)(first + k) * n + i] +
                                               dfor_mean[k] * s->one[i]
                                         : 0.0;
}

/* Replace psi by its image under the transpose of L'(u) in L2 and, when there is du, dpsi by the
 * change of that along du and dpsi. */
VECTORISED void transpose(const space *s, const double *u, const double *theta,
                          const double *slope, double *psi, const double *du, double *dpsi)
{
  const int n = s->n;
  double turned[W * n];
  int known = -W;
  for (int i = 0; i < W * n; i++) turned[i] = 0.0;
  for (int c = 0; c < s->cells; c++) {
    if (theta[c] == 1.0) continue;
    const long cell = (long)c * n;
    const double *w = s->weight + cell, *g = slope + cell, t = theta[c];
    const double m = dot(n, w, s->one, u + cell), over = over_sum(s, t, m);
    const double one = dot(n, w, s->one, psi + cell);
    const double share = (dot(n, w, psi + cell, u + cell) - m * one) * over;
    if (du) {
      const double dm = dot(n, w, s->one, du + cell), more = dm + dot(n, w, g, du + cell);
      const double change = (s->kept * dm - t * more) * over;
      const double done = dot(n, w, s->one, dpsi + cell);
      const double dshare = (dot(n, w, dpsi + cell, u + cell) - m * done +
                             dot(n, w, psi + cell, du + cell) - dm * one - share * more) * over;
      const double rest = (1.0 - t) * done + (s->kept - t) * dshare - change * (one + share);
      const double both = change * share + t * dshare;
      if (s->width > 0.0 && c >= known + W) turn(s, u, du, known = c, turned);
      const double *dg = turned + (s->width > 0.0 ? (c - known) * n : 0);
      for (int i = 0; i < n; i++)
        dpsi[cell + i] = t * dpsi[cell + i] + change * psi[cell + i] + rest * s->one[i] -
                         both * g[i] - t * share * dg[i];
    }
    const double rest = (1.0 - t) * one + (s->kept - t) * share;
    for (int i = 0; i < n; i++)
      psi[cell + i] = t * psi[cell + i] + rest * s->one[i] - t * share * g[i];
  }
}
