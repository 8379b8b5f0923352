// Copyright (c) 2026 the mfresnet authors
// SPDX-License-Identifier: MIT
//
// The stages of the transport equation in one pass over the cells each, W cells at a time.
//
// A header of tables made by tables.py stands before this text:
//
//   W lanes, D dimension, ND degrees of freedom, NQ points and NT facet points of a cell,
//   TENSOR whether it is a product of N1 points a line, NM factors of the inverse mass a cell.
//
// Fields are [block][degree of freedom][lane]; a vector register holds the same degree of freedom
// of W cells. What belongs to facet points is [block][facet point][lane], as each cell sees its own
// facets from inside, so that the outflow of a cell is c f with c >= 0, and what flows in is the
// outflow of the cell behind the facet: eq. (5) at a facet point is
//
//   flux out of the cell = g - g' ,   g = c f ,   g' that of the cell behind,
//
// and its transpose is c (psi' - psi). `behind` says where the other side of a facet point is:
// behind the blocks come those of cells of other ranks, then the boundary points of the mesh.

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#ifdef __AVX__
#include <immintrin.h>
#endif

typedef double vec __attribute__((vector_size(8 * W), aligned(8)));

#define INLINE static inline __attribute__((always_inline))
#define APART static __attribute__((noinline)) // of the second order: compiled once, not all over
#define UNROLL _Pragma("GCC unroll 8")
#define LINE 8  // numbers of a line of the cache
#define AHEAD 2 // blocks between what is asked for and what is done

INLINE vec load(const double *p) { return *(const vec *)p; }
INLINE void store(double *p, vec v) { *(vec *)p = v; }

// The same, and `past` the caches, which is worth it for what is read when they hold other things.
INLINE void put(double *p, vec v, bool past) {
#if defined __AVX512F__ && W == 8
  if (past) {
    _mm512_stream_pd(p, (__m512d)v);
    return;
  }
#elif defined __AVX__ && W == 4
  if (past) {
    _mm256_stream_pd(p, (__m256d)v);
    return;
  }
#endif
  store(p, v);
}

// Ask for a line, as far as the second cache: the first one has few requests under way.
INLINE void ask(const void *p) { __builtin_prefetch(p, 0, 2); }

// Ask for n vectors that are needed soon: there are more streams than the hardware follows.
INLINE void fetch(const double *p, int64_t n) {
  for (int64_t i = 0; i < n * W; i += LINE) ask(p + i);
}

// What stands behind facet point `t` of a block, in g of one class.
INLINE vec behind(const double *g, const int32_t *at) {
  vec v;
  UNROLL for (int l = 0; l < W; ++l) v[l] = g[at[l]];
  return v;
}

#if TENSOR
#define NL (NT / (2 * D)) // facet points of a facet, lines of points in a direction

#define LINES(j)                                                                                   \
  for (int a = 0, s = j == 0 ? 1 : j == 1 ? N1 : N1 * N1; a < NL / s; ++a)                         \
    for (int b = 0; b < s; ++b)

// t: traces of x.
INLINE void traces(const vec *x, vec *t) {
  for (int j = 0; j < D; ++j) LINES(j) {
      const vec *line = x + a * s * N1 + b;
      vec low = END[0][0] * line[0], high = END[1][0] * line[0];
      UNROLL for (int m = 1; m < N1; ++m) {
        low += END[0][m] * line[m * s];
        high += END[1][m] * line[m * s];
      }
      t[2 * j * NL + a * s + b] = low;
      t[(2 * j + 1) * NL + a * s + b] = high;
    }
}

// r += inverse of the reference mass times the transpose of the traces, weighted.
INLINE void add_lift(const vec *t, vec *r) {
  for (int j = 0; j < D; ++j) LINES(j) {
      vec low = t[2 * j * NL + a * s + b], high = t[(2 * j + 1) * NL + a * s + b];
      vec *line = r + a * s * N1 + b;
      UNROLL for (int m = 0; m < N1; ++m) line[m * s] += LIFT[0][m] * low + LIFT[1][m] * high;
    }
}

// r += the weak divergence in direction j of q at the points.
INLINE void add_divergence(int j, const vec *q, vec *r) {
  LINES(j) {
    const vec *from = q + a * s * N1 + b;
    vec *line = r + a * s * N1 + b;
    UNROLL for (int i = 0; i < N1; ++i) {
      vec sum = line[i * s];
      UNROLL for (int m = 0; m < N1; ++m) sum += WEAK[i][m] * from[m * s];
      line[i * s] = sum;
    }
  }
}

// g: the derivative in direction j at the points.
INLINE void gradient(int j, const vec *x, vec *g) {
  LINES(j) {
    const vec *line = x + a * s * N1 + b;
    UNROLL for (int i = 0; i < N1; ++i) {
      vec sum = SLOPE[i][0] * line[0];
      UNROLL for (int m = 1; m < N1; ++m) sum += SLOPE[i][m] * line[m * s];
      g[a * s * N1 + b + i * s] = sum;
    }
  }
}

INLINE void values(const vec *x, vec *v) {
  for (int i = 0; i < ND; ++i) v[i] = x[i];
}

// r: what r at the points is as a field.
INLINE void gather_points(const vec *q, vec *r) {
  for (int i = 0; i < ND; ++i) r[i] = q[i];
}

#else

// y (rows) += table (rows, columns) x, four rows at a time.
#define TIMES(rows, columns, table, x, y)                                                          \
  for (int q_ = 0; q_ < rows; ++q_) {                                                              \
    vec sum_ = y[q_];                                                                              \
    for (int i_ = 0; i_ < columns; ++i_) sum_ += table[q_][i_] * x[i_];                            \
    y[q_] = sum_;                                                                                  \
  }

INLINE void zero(int n, vec *x) {
  for (int i = 0; i < n; ++i) x[i] = (vec){0};
}

INLINE void traces(const vec *x, vec *t) {
  zero(NT, t);
  TIMES(NT, ND, TRACE, x, t)
}

INLINE void add_lift(const vec *t, vec *r) { TIMES(ND, NT, LIFT, t, r) }

INLINE void add_divergence(int j, const vec *q, vec *r) { TIMES(ND, NQ, WEAK[j], q, r) }

INLINE void gradient(int j, const vec *x, vec *g) {
  zero(NQ, g);
  TIMES(NQ, ND, SLOPE[j], x, g)
}

INLINE void values(const vec *x, vec *v) {
  zero(NQ, v);
  TIMES(NQ, ND, VALUE, x, v)
}

INLINE void gather_points(const vec *q, vec *r) {
  zero(ND, r);
  TIMES(ND, NQ, COLLECT, q, r)
}
#endif

INLINE vec inverse_mass(const struct operator_ *o, int64_t block, int i) {
  return load(o->inverse + (block * NM + (NM == 1 ? 0 : i)) * W);
}

INLINE void load_all(int n, const double *from, vec *x) {
  for (int i = 0; i < n; ++i) x[i] = load(from + i * W);
}

// g = c (traces of x), plus what is there; without c the traces.
static void make_traces(const struct operator_ *o, int64_t first, int64_t last, int classes,
                 struct field x, const double *c, int add, double *g) {
  for (int64_t block = first; block < last; ++block)
    for (int k = 0; k < classes; ++k) {
      vec f[ND], t[NT];
      load_all(ND, x.of + k * x.stride + block * ND * W, f);
      traces(f, t);
      double *to = g + k * o->sides + block * NT * W;
      for (int i = 0; i < NT; ++i) {
        if (c) t[i] *= load(c + (block * NT + i) * W);
        if (add) t[i] += load(to + i * W);
        store(to + i * W, t[i]);
      }
    }
}

// r += reference form of A f in one block, from x at the points and g - g'.
INLINE void add_volume(const struct operator_ *o, int64_t block, const double *flow, const vec *v,
                       vec *r) {
  for (int j = 0; j < D; ++j) {
    vec q[NQ];
    for (int i = 0; i < NQ; ++i)
      q[i] = load(flow + j * o->points + (block * NQ + i) * W) * v[i];
    add_divergence(j, q, r);
  }
}

INLINE void subtract_facets(const struct operator_ *o, int64_t block, const double *g, vec *r) {
  vec t[NT];
  for (int i = 0; i < NT; ++i) {
    int64_t at = (block * NT + i) * W;
    t[i] = behind(g, o->behind + at) - load(g + at);
  }
  add_lift(t, r);
}

// Ask for the fields of class k, the coefficients and what stands at facet points.
INLINE void fetch_field(int64_t block, int k, struct field x) {
  if (x.of) fetch(x.of + k * x.stride + block * ND * W, ND);
}

INLINE void fetch_coefficients(const struct operator_ *o, int64_t block, struct coefficients a) {
  for (int j = 0; j < D; ++j) fetch(a.flow + j * o->points + block * NQ * W, NQ);
  fetch(a.out + block * NT * W, NT);
}

INLINE void fetch_sides(const struct operator_ *o, int64_t block, const double *g) {
  const int32_t *at = o->behind + block * NT * W;
  fetch(g + block * NT * W, NT);
  fetch((const double *)(at + AHEAD * NT * W), NT / 2);
  for (int i = 0; i < NT * W; i += 4) ask(g + at[i]);
}

// Whether what is written goes past the caches.
static bool goes_past(const struct operator_ *o, const double *one, const double *two) {
  return o->past && ((uintptr_t)one | (uintptr_t)two) % sizeof(vec) == 0;
}

INLINE void stage_at(const struct operator_ *o, int64_t first, int64_t last, int classes,
                     struct coefficients a, struct field x, struct field base, double h,
                     struct field out, const double *g, double *next, bool past) {
  for (int64_t block = first; block < last; ++block)
    for (int k = 0; k < classes; ++k) {
      if (past && block + AHEAD < last) {
        if (k == 0) fetch_coefficients(o, block + AHEAD, a);
        fetch_field(block + AHEAD, k, x);
        fetch_field(block + AHEAD, k, base);
        fetch_sides(o, block + AHEAD, g + k * o->sides);
      }
      vec f[ND], v[NQ], r[ND] = {{0}};
      load_all(ND, x.of + k * x.stride + block * ND * W, f);
      values(f, v);
      add_volume(o, block, a.flow, v, r);
      subtract_facets(o, block, g + k * o->sides, r);
      const double *from = base.of ? base.of + k * base.stride + block * ND * W : 0;
      double *to = out.of + k * out.stride + block * ND * W;
      for (int i = 0; i < ND; ++i) {
        r[i] *= h * inverse_mass(o, block, i);
        if (from) r[i] += load(from + i * W);
        put(to + i * W, r[i], past);
      }
      if (next) {
        vec t[NT];
        traces(r, t);
        double *there = next + k * o->sides + block * NT * W;
        for (int i = 0; i < NT; ++i)
          put(there + i * W, t[i] * load(a.out + (block * NT + i) * W), past);
      }
    }
}

// out = base + h A x, and the outflows of `out` where they are wanted.
static void stage(const struct operator_ *o, int64_t first, int64_t last, int classes,
                  struct coefficients a, struct field x, struct field base, double h,
                  struct field out, const double *g, double *next) {
  if (goes_past(o, out.of, next))
    stage_at(o, first, last, classes, a, x, base, h, out, g, next, true);
  else
    stage_at(o, first, last, classes, a, x, base, h, out, g, next, false);
}

APART void points_apart(const vec *x, vec *v) { values(x, v); }
APART void volume_apart(const struct operator_ *o, int64_t block, const double *flow, const vec *v,
                        vec *r) {
  add_volume(o, block, flow, v, r);
}
APART void facets_apart(const struct operator_ *o, int64_t block, const double *g, vec *r) {
  subtract_facets(o, block, g, r);
}

// out = base + h (A dx + A' x): g holds the outflows c dx + dc x.
static void stage_tangent(const struct operator_ *o, int64_t first, int64_t last, int classes,
                   struct coefficients a, struct coefficients da, struct field x, struct field dx,
                   struct field base, double h, struct field out, const double *g) {
  for (int64_t block = first; block < last; ++block)
    for (int k = 0; k < classes; ++k) {
      vec f[ND], v[NQ], r[ND] = {{0}};
      load_all(ND, dx.of + k * dx.stride + block * ND * W, f);
      points_apart(f, v);
      volume_apart(o, block, a.flow, v, r);
      load_all(ND, x.of + k * x.stride + block * ND * W, f);
      points_apart(f, v);
      volume_apart(o, block, da.flow, v, r);
      facets_apart(o, block, g + k * o->sides, r);
      const double *from = base.of + k * base.stride + block * ND * W;
      double *to = out.of + k * out.stride + block * ND * W;
      for (int i = 0; i < ND; ++i)
        store(to + i * W, load(from + i * W) + h * inverse_mass(o, block, i) * r[i]);
    }
}

// B psi in one block: derivatives at the points, and the jumps of the traces.
INLINE void slopes_and_jumps(const struct operator_ *o, int64_t block, const vec *psi,
                             const double *g, vec slope[D][NQ], vec *jump) {
  for (int j = 0; j < D; ++j) gradient(j, psi, slope[j]);
  for (int i = 0; i < NT; ++i) {
    int64_t at = (block * NT + i) * W;
    jump[i] = behind(g, o->behind + at) - load(g + at);
  }
}

// q += a (B psi) at the points and on the facets.
INLINE void weigh(const struct operator_ *o, int64_t block, struct coefficients a,
                  vec slope[D][NQ], const vec *jump, vec *q, vec *t) {
  for (int j = 0; j < D; ++j)
    for (int i = 0; i < NQ; ++i)
      q[i] += load(a.flow + j * o->points + (block * NQ + i) * W) * slope[j][i];
  for (int i = 0; i < NT; ++i) t[i] += load(a.out + (block * NT + i) * W) * jump[i];
}

// s += w (B psi) (C y), where values and traces of y are v and u.
INLINE void collect(const struct operator_ *o, int64_t block, struct coefficients s, double w,
                    vec slope[D][NQ], const vec *jump, const vec *v, const vec *u) {
  for (int j = 0; j < D; ++j)
    for (int i = 0; i < NQ; ++i) {
      double *to = s.flow + j * o->points + (block * NQ + i) * W;
      store(to, load(to) + w * slope[j][i] * v[i]);
    }
  for (int i = 0; i < NT; ++i) {
    double *to = s.out + (block * NT + i) * W;
    store(to, load(to) + w * jump[i] * u[i]);
  }
}

// r = h M^-1 C^T of q and t; psi += r where there is one; traces of r, or in the end of psi.
INLINE void finish(const struct operator_ *o, int64_t block, int k, double h, const vec *q,
                   const vec *t, struct field out, struct field psi, int end, double *next,
                   bool past) {
  vec r[ND];
  gather_points(q, r);
  add_lift(t, r);
  double *to = out.of + k * out.stride + block * ND * W;
  for (int i = 0; i < ND; ++i) {
    r[i] *= h * inverse_mass(o, block, i);
    store(to + i * W, r[i]);
  }
  if (psi.of) {
    double *sum = psi.of + k * psi.stride + block * ND * W;
    for (int i = 0; i < ND; ++i) {
      vec all = load(sum + i * W) + r[i];
      store(sum + i * W, all);
      if (end) r[i] = all;
    }
  }
  if (next) {
    vec u[NT];
    traces(r, u);
    double *there = next + k * o->sides + block * NT * W;
    for (int i = 0; i < NT; ++i) put(there + i * W, u[i], past);
  }
}

INLINE void stage_transpose_at(const struct operator_ *o, int64_t first, int64_t last, int classes,
                               struct coefficients a, struct field mu, double h, struct field out,
                               struct field psi, int end, const double *g, double *next,
                               struct field y, const double *weights, double w,
                               struct coefficients s, bool past) {
  for (int64_t block = first; block < last; ++block)
    for (int k = 0; k < classes; ++k) {
      if (past && block + AHEAD < last) {
        if (k == 0) {
          fetch_coefficients(o, block + AHEAD, a);
          if (y.of) fetch_coefficients(o, block + AHEAD, s);
        }
        fetch_field(block + AHEAD, k, mu);
        fetch_field(block + AHEAD, k, psi);
        fetch_field(block + AHEAD, k, y);
        fetch_sides(o, block + AHEAD, g + k * o->sides);
      }
      vec f[ND], slope[D][NQ], jump[NT], q[NQ] = {{0}}, t[NT] = {{0}};
      load_all(ND, mu.of + k * mu.stride + block * ND * W, f);
      slopes_and_jumps(o, block, f, g + k * o->sides, slope, jump);
      weigh(o, block, a, slope, jump, q, t);
      finish(o, block, k, h, q, t, out, psi, end, next, past);
      if (y.of) {
        vec v[NQ], u[NT];
        load_all(ND, y.of + k * y.stride + block * ND * W, f);
        values(f, v);
        traces(f, u);
        collect(o, block, s, w * weights[k], slope, jump, v, u);
      }
    }
}

// out = h A* mu, psi += out, s += w_k (B mu) (C y). `out` may be mu.
static void stage_transpose(const struct operator_ *o, int64_t first, int64_t last, int classes,
                            struct coefficients a, struct field mu, double h, struct field out,
                            struct field psi, int end, const double *g, double *next,
                            struct field y, const double *weights, double w,
                            struct coefficients s) {
  if (goes_past(o, next, next))
    stage_transpose_at(o, first, last, classes, a, mu, h, out, psi, end, g, next, y, weights, w, s,
                       true);
  else
    stage_transpose_at(o, first, last, classes, a, mu, h, out, psi, end, g, next, y, weights, w, s,
                       false);
}

APART void traces_apart(const vec *x, vec *t) { traces(x, t); }
APART void slopes_and_jumps_apart(const struct operator_ *o, int64_t block, const vec *psi,
                                  const double *g, vec slope[D][NQ], vec *jump) {
  slopes_and_jumps(o, block, psi, g, slope, jump);
}
APART void weigh_apart(const struct operator_ *o, int64_t block, struct coefficients a,
                       vec slope[D][NQ], const vec *jump, vec *q, vec *t) {
  weigh(o, block, a, slope, jump, q, t);
}
APART void collect_apart(const struct operator_ *o, int64_t block, struct coefficients s, double w,
                         vec slope[D][NQ], const vec *jump, const vec *v, const vec *u) {
  collect(o, block, s, w, slope, jump, v, u);
}
APART void finish_apart(const struct operator_ *o, int64_t block, int k, double h, const vec *q,
                        const vec *t, struct field out, struct field psi, int end, double *next) {
  finish(o, block, k, h, q, t, out, psi, end, next, false);
}

// As stage_transpose, and dmu <- h (A* dmu + A'* mu), ds += w_k ((B dmu)(C y) + (B mu)(C dy)).
static void stage_transpose_tangent(const struct operator_ *o, int64_t first, int64_t last, int classes,
                             struct coefficients a, struct coefficients da, struct field mu,
                             struct field dmu, double h, struct field out, struct field dout,
                             struct field psi, struct field dpsi, int end,
                             const double *g, const double *dg, double *next, double *dnext,
                             struct field y, struct field dy, const double *weights, double w,
                             struct coefficients s, struct coefficients ds) {
  for (int64_t block = first; block < last; ++block)
    for (int k = 0; k < classes; ++k) {
      vec f[ND], slope[D][NQ], jump[NT], dslope[D][NQ], djump[NT];
      vec q[NQ] = {{0}}, t[NT] = {{0}}, dq[NQ] = {{0}}, dt[NT] = {{0}}, v[NQ], u[NT];
      load_all(ND, mu.of + k * mu.stride + block * ND * W, f);
      slopes_and_jumps_apart(o, block, f, g + k * o->sides, slope, jump);
      load_all(ND, dmu.of + k * dmu.stride + block * ND * W, f);
      slopes_and_jumps_apart(o, block, f, dg + k * o->sides, dslope, djump);
      weigh_apart(o, block, a, slope, jump, q, t);
      weigh_apart(o, block, a, dslope, djump, dq, dt);
      weigh_apart(o, block, da, slope, jump, dq, dt);
      finish_apart(o, block, k, h, q, t, out, psi, end, next);
      finish_apart(o, block, k, h, dq, dt, dout, dpsi, end, dnext);
      load_all(ND, y.of + k * y.stride + block * ND * W, f);
      points_apart(f, v);
      traces_apart(f, u);
      collect_apart(o, block, s, w * weights[k], slope, jump, v, u);
      collect_apart(o, block, ds, w * weights[k], dslope, djump, v, u);
      load_all(ND, dy.of + k * dy.stride + block * ND * W, f);
      points_apart(f, v);
      traces_apart(f, u);
      collect_apart(o, block, ds, w * weights[k], slope, jump, v, u);
    }
}

// ------------------------------------------------------------------------- a layer in one call
#define IN_PARTS(call, g)                                                                          \
  do {                                                                                             \
    int64_t first = 0, last = o->send ? o->halo : o->blocks;                                       \
    call;                                                                                          \
    if (o->send) {                                                                                 \
      o->send(g, classes);                                                                         \
      first = o->halo, last = o->blocks;                                                           \
      call;                                                                                        \
      o->receive(g, classes);                                                                      \
    }                                                                                              \
  } while (false)

// What stands behind the boundary points: `value`, (classes, exits), or nothing.
static void set_behind(const struct operator_ *o, int classes, const double *value, double *g) {
  for (int k = 0; k < classes; ++k) {
    double *to = g + k * o->sides + o->leaving;
    for (int64_t e = 0; e < o->exits; ++e) to[e] = value ? value[k * o->exits + e] : 0.0;
  }
}

// left += h times the weighted outflow in g.
static void tally(const struct operator_ *o, int classes, double h, const double *weights,
                  const double *g, double *left) {
  for (int k = 0; k < classes; ++k)
    for (int64_t e = 0; e < o->exits; ++e)
      left[k * o->exits + e] += h * weights[e] * g[k * o->sides + o->exit[e]];
}

static void swap(double **one, double **two) {
  double *keep = *one;
  *one = *two;
  *two = keep;
}

// (f, f) of the mass matrix, one number a class.
void squares(const struct operator_ *o, int classes, struct field f, double *result) {
  for (int k = 0; k < classes; ++k) {
    vec sum = {0};
    for (int64_t block = 0; block < o->blocks; ++block) {
      const double *x = f.of + k * f.stride + block * ND * W;
      if (NM == 1) {
        vec part = {0};
        for (int i = 0; i < ND; ++i) part += MASS[i] * load(x + i * W) * load(x + i * W);
        sum += part / inverse_mass(o, block, 0);
      } else
        for (int i = 0; i < ND; ++i)
          sum += MASS[i] * load(x + i * W) * load(x + i * W) / inverse_mass(o, block, i);
    }
    result[k] = 0.0;
    for (int l = 0; l < W; ++l) result[k] += sum[l];
  }
}

INLINE struct field stage_of(const struct operator_ *o, const struct steps *s, int64_t step,
                             int64_t stage) {
  return (struct field){s->y + step * s->step + stage * o->size, s->stages * o->size};
}

static void copy(const struct operator_ *o, int classes, struct field from, struct field to) {
  if (from.of != to.of)
    for (int k = 0; k < classes; ++k)
      memcpy(to.of + k * to.stride, from.of + k * from.stride, 8 * o->size);
}

// Eq. (7) for the steps of a layer; norms: (count, classes) before every step.
void layer_forward(const struct operator_ *o, int classes, struct coefficients a,
                   const struct steps *s, double *state, double *left, const double *exit_weights,
                   double *norms, double *g, double *next) {
  struct field now = {state, o->size};
  set_behind(o, classes, NULL, g);
  set_behind(o, classes, NULL, next);
  copy(o, classes, now, stage_of(o, s, 0, 0));
  IN_PARTS(make_traces(o, first, last, classes, now, a.out, 0, g), g);
  for (int64_t i = 0; i < s->count; ++i) {
    struct field base = stage_of(o, s, i, 0);
    memcpy(s->left + i * s->left_step, left, 8 * classes * o->exits);
    squares(o, classes, base, norms + i * classes);
    for (int64_t j = 1; j <= s->stages; ++j) {
      struct field x = stage_of(o, s, i, j - 1), out;
      if (j < s->stages)
        out = stage_of(o, s, i, j);
      else {
        out = i + 1 < s->count ? stage_of(o, s, i + 1, 0) : now;
        tally(o, classes, s->dt, exit_weights, g, left);
      }
      IN_PARTS(stage(o, first, last, classes, a, x, base, s->factors[j - 1], out, g, next), next);
      swap(&g, &next);
    }
  }
}

// Its tangent along da and a change of the state.
void layer_tangent(const struct operator_ *o, int classes, struct coefficients a,
                   struct coefficients da, const struct steps *s, const struct steps *ds,
                   double *state, double *left, const double *exit_weights, double *g) {
  struct field now = {state, o->size};
  set_behind(o, classes, NULL, g);
  for (int64_t i = 0; i < s->count; ++i) {
    struct field base = stage_of(o, ds, i, 0);
    copy(o, classes, now, base);
    memcpy(ds->left + i * ds->left_step, left, 8 * classes * o->exits);
    for (int64_t j = 1; j <= s->stages; ++j) {
      struct field x = stage_of(o, s, i, j - 1), dx = stage_of(o, ds, i, j - 1);
      struct field out = j < s->stages ? stage_of(o, ds, i, j) : now;
      IN_PARTS(make_traces(o, first, last, classes, dx, a.out, 0, g);
               make_traces(o, first, last, classes, x, da.out, 1, g), g);
      if (j == s->stages) tally(o, classes, s->dt, exit_weights, g, left);
      stage_tangent(o, 0, o->blocks, classes, a, da, x, dx, base, s->factors[j - 1], out, g);
    }
  }
}

// The transpose of the steps of a layer: psi after them becomes psi before them.
void layer_transpose(const struct operator_ *o, int classes, struct coefficients a,
                     const struct steps *s, struct field psi, struct field mu,
                     const double *source, const double *weights, struct coefficients sensitivity,
                     double *g, double *next) {
  set_behind(o, classes, source, g);
  set_behind(o, classes, NULL, next);
  IN_PARTS(make_traces(o, first, last, classes, psi, NULL, 0, g), g);
  for (int64_t i = s->count - 1; i >= 0; --i) {
    set_behind(o, classes, source, g);
    for (int64_t j = s->stages - 1; j >= 0; --j) {
      struct field from = j == s->stages - 1 ? psi : mu;
      struct field y = stage_of(o, s, i, j);
      IN_PARTS(stage_transpose(o, first, last, classes, a, from, s->factors[j], mu, psi, j == 0, g,
                               next, y, weights, s->dt * s->shares[j], sensitivity),
               next);
      if (j == s->stages - 1) set_behind(o, classes, NULL, g);
      swap(&g, &next);
    }
  }
}

// The same with the changes of psi and of the sensitivities.
void layer_transpose_tangent(const struct operator_ *o, int classes, struct coefficients a,
                             struct coefficients da, const struct steps *s, const struct steps *ds,
                             struct field psi, struct field dpsi, struct field mu,
                             struct field dmu, const double *source, const double *dsource,
                             const double *weights, struct coefficients sensitivity,
                             struct coefficients dsensitivity, double *g, double *next, double *dg,
                             double *dnext) {
  set_behind(o, classes, NULL, next);
  set_behind(o, classes, NULL, dnext);
  IN_PARTS(make_traces(o, first, last, classes, psi, NULL, 0, g), g);
  IN_PARTS(make_traces(o, first, last, classes, dpsi, NULL, 0, dg), dg);
  for (int64_t i = s->count - 1; i >= 0; --i) {
    set_behind(o, classes, source, g);
    set_behind(o, classes, dsource, dg);
    for (int64_t j = s->stages - 1; j >= 0; --j) {
      int start = j == s->stages - 1;
      struct field y = stage_of(o, s, i, j), dy = stage_of(o, ds, i, j);
      stage_transpose_tangent(o, 0, o->blocks, classes, a, da, start ? psi : mu,
                              start ? dpsi : dmu, s->factors[j], mu, dmu, psi, dpsi, j == 0, g, dg,
                              next, dnext, y, dy, weights, s->dt * s->shares[j], sensitivity,
                              dsensitivity);
      if (o->send) {
        o->send(next, classes);
        o->receive(next, classes);
        o->send(dnext, classes);
        o->receive(dnext, classes);
      }
      if (start) {
        set_behind(o, classes, NULL, g);
        set_behind(o, classes, NULL, dg);
      }
      swap(&g, &next);
      swap(&dg, &dnext);
    }
  }
}

// g = outflows of x, and out = A x.
void apply(const struct operator_ *o, int classes, struct coefficients a, struct field x,
           struct field out, double *g) {
  struct field none = {0};
  set_behind(o, classes, NULL, g);
  IN_PARTS(make_traces(o, first, last, classes, x, a.out, 0, g), g);
  stage(o, 0, o->blocks, classes, a, x, none, 1.0, out, g, NULL);
}

// The traces of x, those of other ranks too.
void all_traces(const struct operator_ *o, int classes, struct field x, double *g) {
  set_behind(o, classes, NULL, g);
  IN_PARTS(make_traces(o, first, last, classes, x, NULL, 0, g), g);
}

// out = A* psi with psi = value outside, and the sensitivity of y where it is given.
void apply_transpose(const struct operator_ *o, int classes, struct coefficients a,
                     struct field psi, const double *value, struct field out, struct field y,
                     const double *weights, struct coefficients s, double *g) {
  struct field none = {0};
  set_behind(o, classes, value, g);
  IN_PARTS(make_traces(o, first, last, classes, psi, NULL, 0, g), g);
  stage_transpose(o, 0, o->blocks, classes, a, psi, 1.0, out, none, 0, g, NULL, y, weights, 1.0, s);
}

// ------------------------------------------------------------------------- coefficients
INLINE vec adjugate(const struct operator_ *o, int j, int i, int64_t block, int q) {
  int64_t n = o->blocks * NM;
  return load(o->adjugate + ((j * D + i) * n + block * NM + (NM == 1 ? 0 : q)) * W);
}

// flow = |det J| J^-1 v at the points of the cells; v: (D, points + ...), rows `stride` apart.
void push_cells(const struct operator_ *o, const double *v, int64_t stride, double *flow) {
  for (int64_t block = 0; block < o->blocks; ++block)
    for (int q = 0; q < NQ; ++q) {
      int64_t at = (block * NQ + q) * W;
      for (int j = 0; j < D; ++j) {
        vec sum = {0};
        for (int i = 0; i < D; ++i) sum += adjugate(o, j, i, block, q) * load(v + i * stride + at);
        store(flow + j * o->points + at, sum);
      }
    }
}

// g = derivative in v of what has the derivative s in flow.
INLINE void pull_cells(const struct operator_ *o, const double *s, double *g, int64_t stride) {
  for (int64_t block = 0; block < o->blocks; ++block)
    for (int q = 0; q < NQ; ++q) {
      int64_t at = (block * NQ + q) * W;
      for (int i = 0; i < D; ++i) {
        vec sum = {0};
        for (int j = 0; j < D; ++j) sum += adjugate(o, j, i, block, q) * load(s + j * o->points + at);
        store(g + i * stride + at, WEIGHT[q] * sum);
      }
    }
}

// vn = v . n at facet points, (layers, facets).
void normal_flow(const struct tables *t, int layers, const double *v, double *vn) {
  int64_t n = t->facets;
  v += t->cells;
  for (int layer = 0; layer < layers; ++layer, v += D * t->n, vn += n)
    for (int64_t f = 0; f < n; ++f) {
      double sum = 0.0;
      for (int i = 0; i < D; ++i) sum += v[i * t->n + f] * t->normals[i * n + f];
      vn[f] = sum;
    }
}

// What leaves each side of interior facets for v.n = vn and the speed of the flux.
void push_facets(const struct tables *t, const double *vn, const double *speed, double *out) {
  for (int64_t f = 0; f < t->facets; ++f) {
    out[t->inside[f]] = 0.5 * t->measure[f] * (speed[f] + vn[f]);
    out[t->outside[f]] = 0.5 * t->measure[f] * (speed[f] - vn[f]);
  }
}

// g = derivative in v of what has the derivative s in out, with that of the speed in vn; with the
// derivative in the speed alone where `curved`.
INLINE void pull_facets(const struct tables *t, const double *s, const double *slope, int curved,
                        double *g) {
  for (int64_t f = 0; f < t->facets; ++f) {
    double in = 0.5 * t->weights[f] * s[t->inside[f]];
    double beyond = 0.5 * t->weights[f] * s[t->outside[f]];
    double both = (curved ? 0.0 : in - beyond) + slope[f] * (in + beyond);
    for (int i = 0; i < D; ++i) g[i * t->n + f] = t->normals[i * t->facets + f] * both;
  }
}

INLINE double exit_flow(const struct operator_ *o, const struct tables *t, const double *v,
                        int64_t e) {
  double sum = 0.0;
  for (int i = 0; i < D; ++i) sum += v[i * t->n + e] * t->exit_normals[i * o->exits + e];
  return sum;
}

// Coefficients of the velocities of some layers, for v.n = vn and the speed of the flux on facets.
void push(const struct operator_ *o, const struct tables *t, int layers, const double *v,
          const double *vn, const double *speed, const struct coefficients *a) {
  for (int layer = 0; layer < layers; ++layer, v += D * t->n) {
    const double *beyond = v + t->cells + t->facets;
    push_cells(o, v, t->n, a[layer].flow);
    push_facets(t, vn + layer * t->facets, speed + layer * t->facets, a[layer].out);
    // what leaves at the boundary, measure [v.n]^+
    for (int64_t e = 0; e < o->exits; ++e)
      a[layer].out[o->exit[e]] = t->exit_measure[e] * fmax(exit_flow(o, t, beyond, e), 0.0);
  }
}

// g = derivative in v of what has the derivatives s; at the boundary half of it where v.n = 0. With
// the derivative in the speed alone where `curved`.
void pull(const struct operator_ *o, const struct tables *t, int layers, const double *v,
          const double *slope, int curved, const struct coefficients *s, double *g) {
  for (int layer = 0; layer < layers; ++layer, v += D * t->n, g += D * t->n) {
    int64_t exits = t->cells + t->facets;
    pull_facets(t, s[layer].out, slope + layer * t->facets, curved, g + t->cells);
    if (curved) continue;
    pull_cells(o, s[layer].flow, g, t->n);
    for (int64_t e = 0; e < o->exits; ++e) {
      double sum = exit_flow(o, t, v + exits, e);
      double half = sum > 0.0 ? 1.0 : sum < 0.0 ? 0.0 : 0.5;
      double kept = half * t->exit_weights[e] * s[layer].out[o->exit[e]];
      for (int i = 0; i < D; ++i) g[i * t->n + exits + e] = t->exit_normals[i * o->exits + e] * kept;
    }
  }
}

// The largest of (1/|K|) sum over the facet points of weights times: what leaves, with the excess
// e, see Rates.rate; what comes in more than it leaves. NAN where a number is not finite.
void rates(const struct operator_ *o, const double *out, const double *volume, double excess,
           double *rate, double *compression) {
  double most[2] = {0.0, 0.0};
  for (int64_t block = 0; block < o->blocks; ++block) {
    vec leaving = {0}, entering = {0};
    for (int i = 0; i < NT; ++i) {
      int64_t at = (block * NT + i) * W;
      vec c = load(out + at), other = behind(out, o->behind + at);
      vec less;
      for (int l = 0; l < W; ++l) less[l] = c[l] < other[l] ? c[l] : other[l];
      leaving += FACET_WEIGHT[i] * (c + excess * less);
      entering += FACET_WEIGHT[i] * (other - c);
    }
    for (int l = 0; l < W; ++l) {
      double both[2] = {leaving[l] / volume[block * W + l], entering[l] / volume[block * W + l]};
      for (int n = 0; n < 2; ++n) {
        if (!isfinite(both[n])) most[n] = NAN;
        if (both[n] > most[n]) most[n] = both[n];
      }
    }
  }
  *rate = most[0];
  *compression = most[1];
}

// r = M^-1 times the integral over the facets of b and the test function, [block][dof][lane].
void trace_density(const struct operator_ *o, const double *b, double *result) {
  for (int64_t block = 0; block < o->blocks; ++block) {
    vec t[NT], r[ND] = {{0}};
    load_all(NT, b + block * NT * W, t);
    add_lift(t, r);
    for (int i = 0; i < ND; ++i)
      store(result + (block * ND + i) * W, r[i] * inverse_mass(o, block, i));
  }
}

void pack(int64_t n, int classes, const double *f, int64_t f_stride, const int32_t *place,
          double *x, int64_t x_stride) {
  for (int k = 0; k < classes; ++k)
    for (int64_t i = 0; i < n; ++i) x[k * x_stride + place[i]] = f[k * f_stride + i];
}

void unpack(int64_t n, int classes, const double *x, int64_t x_stride, const int32_t *place,
            double *f, int64_t f_stride) {
  for (int k = 0; k < classes; ++k)
    for (int64_t i = 0; i < n; ++i) f[k * f_stride + i] = x[k * x_stride + place[i]];
}
