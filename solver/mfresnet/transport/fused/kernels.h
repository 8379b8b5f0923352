// Copyright (c) 2026 the mfresnet authors
// SPDX-License-Identifier: MIT
//
// The types and functions of kernels.c, as C and as cffi read them.

struct operator_ {
  int64_t blocks;        // of cells
  int64_t points;        // cell points, blocks NQ W: from one direction to the next in `flow`
  int64_t sides;         // facet points with those of others: from one class to the next
  const int32_t *behind; // [block][facet point][lane]
  const double *inverse; // [block][NM][lane], 1 / |det J|
  const double *adjugate; // [j][i][block][NM][lane], |det J| K_ji
  int64_t halo;          // blocks whose facets other ranks see, the first ones
  int64_t exits;         // boundary points
  const int32_t *exit;   // where they are
  int64_t leaving;       // where their other sides are
  int64_t size;          // of a field of one class
  int64_t past;          // whether the caches do not hold what a stage reads and writes
  void (*send)(double *, int);    // g of so many classes to other ranks; NULL where there are none
  void (*receive)(double *, int); // the same from them
};

struct coefficients {
  double *flow; // [direction][block][point][lane]: |det J| J^-1 v
  double *out;  // [block][facet point][lane]: a+ seen from inside, times the facet's measure
};

struct field {
  double *of;     // of the first class
  int64_t stride; // from one class to the next
};

// What takes velocities at points, (layers, D, n), to coefficients. Points are those of cells, then
// of facets, then of the boundary.
struct tables {
  int64_t n;              // points
  int64_t cells;          // of cells, rounded up to whole blocks
  int64_t facets;         // of interior facets
  const double *normals;  // (D, facets)
  const double *measure;  // that of a facet over that of the reference facet
  const double *weights;  // of the rule
  const int32_t *inside;  // where the side is whose normal it is
  const int32_t *outside; // and the other one
  const double *exit_normals;
  const double *exit_measure;
  const double *exit_weights;
};

// The memory of the steps of a layer.
struct steps {
  int64_t count;
  int64_t stages;
  const double *factors; // dt c_1, dt c_2, ...
  const double *shares;  // c_1, c_2, ...
  double dt;
  double *y;         // (count, classes, stages, size), where `step` goes from one step to the next
  int64_t step;      // zero where the steps share their memory
  double *left;      // (count, classes, exits) before every step
  int64_t left_step; // likewise
};

void squares(const struct operator_ *o, int classes, struct field f, double *result);
void layer_forward(const struct operator_ *o, int classes, struct coefficients a, const struct steps *s, double *state, double *left, const double *exit_weights, double *norms, double *g, double *next);
void layer_tangent(const struct operator_ *o, int classes, struct coefficients a, struct coefficients da, const struct steps *s, const struct steps *ds, double *state, double *left, const double *exit_weights, double *g);
void layer_transpose(const struct operator_ *o, int classes, struct coefficients a, const struct steps *s, struct field psi, struct field mu, const double *source, const double *weights, struct coefficients sensitivity, double *g, double *next);
void layer_transpose_tangent(const struct operator_ *o, int classes, struct coefficients a, struct coefficients da, const struct steps *s, const struct steps *ds, struct field psi, struct field dpsi, struct field mu, struct field dmu, const double *source, const double *dsource, const double *weights, struct coefficients sensitivity, struct coefficients dsensitivity, double *g, double *next, double *dg, double *dnext);
void apply(const struct operator_ *o, int classes, struct coefficients a, struct field x, struct field out, double *g);
void all_traces(const struct operator_ *o, int classes, struct field x, double *g);
void apply_transpose(const struct operator_ *o, int classes, struct coefficients a, struct field psi, const double *value, struct field out, struct field y, const double *weights, struct coefficients s, double *g);
void push(const struct operator_ *o, const struct tables *t, int layers, const double *v, const double *vn, const double *speed, const struct coefficients *a);
void pull(const struct operator_ *o, const struct tables *t, int layers, const double *v, const double *slope, int curved, const struct coefficients *s, double *g);
void push_cells(const struct operator_ *o, const double *v, int64_t stride, double *flow);
void normal_flow(const struct tables *t, int layers, const double *v, double *vn);
void push_facets(const struct tables *t, const double *vn, const double *speed, double *out);
void rates(const struct operator_ *o, const double *out, const double *volume, double excess, double *rate, double *compression);
void trace_density(const struct operator_ *o, const double *b, double *result);
void pack(int64_t n, int classes, const double *f, int64_t f_stride, const int32_t *place, double *x, int64_t x_stride);
void unpack(int64_t n, int classes, const double *x, int64_t x_stride, const int32_t *place, double *f, int64_t f_stride);
