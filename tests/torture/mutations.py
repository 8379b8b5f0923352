# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Changes of what the core means, each of which some test must find."""

from typing import NamedTuple


class Mutation(NamedTuple):
    """A change of one place.

    Attributes:
        file: in solver/mfresnet.
        old: text that is there once.
        new: what stands there then.
        tests: arguments of pytest; at least one of these tests must fail.
        ranks: on how many ranks they run.
    """

    file: str
    old: str
    new: str
    tests: str
    ranks: int = 1


# each selection of tests takes seconds
OPERATOR = "tests/parallel/test_transport.py -k '(ufl_form or transpose) and interval'"
PLANE = "tests/parallel/test_transport.py -k 'test_operator_is_the_ufl_form and quadrilateral'"
VELOCITY = "tests/parallel/test_transport.py -k 'derivative_in_the_velocity and interval'"
INFLOW = "tests/parallel/test_transport.py -k 'derivative_in_the_velocity and quadrilateral'"
FUSED = "tests/transport/test_fused.py -k interval"
SWEEP = "tests/transport/test_sweep.py -k 'interval or charged or tail'"
STEPS = "tests/transport/test_stepping.py"
LIMITER = "tests/transport/test_limiter.py -k 'interval or line'"
TAYLOR = "tests/functional/test_functional.py -k 'taylor or riesz or weighted or leaves'"
PAIRS = "tests/functional/test_taylor.py -k 'test_taylor'"
PARTICLES = "tests/functional/test_particle_functional.py -k 'taylor or by_hand'"
BLOCKS = "tests/network"
LOSSES = "tests/losses/test_losses.py"
BIAS = "tests/closed_forms/test_control.py -k 'bias_only or weight_only or linear_network'"
STATE = "tests/closed_forms/test_state.py -k 'linear_1d or moments_of_the'"
DEPOSIT = "tests/parallel/test_deposit.py -k 'interval or rules or weights'"
SMOOTHING = "tests/mesh/test_separable.py tests/parallel/test_deposit.py -k 'interval or smoothing'"
TABLES = "tests/data/test_data.py"
BANDWIDTH = "tests/data/test_bandwidth.py"
DIVERGENCE = "tests/data/test_tables.py -k 'block'"

KERNELS, MARCH = "transport/fused/kernels.c", "transport/steps/horner.py"
CORNER = "transport/steps/limiter.c"
TABLE = (
    # ------------------------------------------------ the operator in C
    Mutation(
        KERNELS,
        "t[i] = behind(g, o->behind + at) - load(g + at);",
        "t[i] = behind(g, o->behind + at) + load(g + at);",
        OPERATOR,
    ),
    Mutation(
        KERNELS, "sum += WEAK[i][m] * from[m * s];", "sum -= WEAK[i][m] * from[m * s];", OPERATOR
    ),
    Mutation(
        KERNELS,
        "vec low = END[0][0] * line[0], high = END[1][0] * line[0];",
        "vec low = END[1][0] * line[0], high = END[0][0] * line[0];",
        OPERATOR,
    ),
    Mutation(
        KERNELS,
        "LIFT[0][m] * low + LIFT[1][m] * high",
        "LIFT[1][m] * low + LIFT[0][m] * high",
        OPERATOR,
    ),
    Mutation(
        KERNELS,
        "out[t->outside[f]] = 0.5 * t->measure[f] * (speed[f] - vn[f]);",
        "out[t->outside[f]] = 0.5 * t->measure[f] * (speed[f] + vn[f]);",
        OPERATOR,
    ),
    Mutation(
        KERNELS,
        "out[t->inside[f]] = 0.5 * t->measure[f]",
        "out[t->inside[f]] = 0.51 * t->measure[f]",
        OPERATOR,
    ),
    Mutation(
        KERNELS,
        "fmax(exit_flow(o, t, beyond, e), 0.0)",
        "fabs(exit_flow(o, t, beyond, e))",
        PLANE,
    ),
    Mutation(
        KERNELS,
        "sum += adjugate(o, j, i, block, q) * load(v + i * stride + at);",
        "sum += adjugate(o, i, j, block, q) * load(v + i * stride + at);",
        PLANE,
    ),
    Mutation(
        KERNELS,
        "r[i] *= h * inverse_mass(o, block, i);\n        if (from)",
        "r[i] *= h * inverse_mass(o, block, 0);\n        if (from)",
        PLANE,
    ),
    Mutation(
        KERNELS,
        "store(to, load(to) + w * jump[i] * u[i]);",
        "store(to, load(to) - w * jump[i] * u[i]);",
        VELOCITY,
    ),
    Mutation(
        KERNELS,
        "store(to, load(to) + w * slope[j][i] * v[i]);",
        "store(to, w * slope[j][i] * v[i]);",
        TAYLOR,
    ),
    Mutation(
        KERNELS,
        "double half = sum > 0.0 ? 1.0 : sum < 0.0 ? 0.0 : 0.5;",
        "double half = sum > 0.0 ? 1.0 : sum < 0.0 ? 1.0 : 0.5;",
        INFLOW,
    ),
    Mutation(
        KERNELS,
        "double half = sum > 0.0 ? 1.0 : sum < 0.0 ? 0.0 : 0.5;",
        "double half = sum > 0.0 ? 1.0 : 0.0;",
        VELOCITY,
    ),
    Mutation(
        KERNELS,
        "(curved ? 0.0 : in - beyond) + slope[f] * (in + beyond)",
        "(curved ? 0.0 : in - beyond) - slope[f] * (in + beyond)",
        VELOCITY,
    ),
    Mutation(
        KERNELS, "collect_apart(o, block, ds, w * weights[k], dslope, djump, v, u);", "", FUSED
    ),
    Mutation(
        KERNELS,
        "weigh_apart(o, block, da, slope, jump, dq, dt);",
        "weigh_apart(o, block, a, slope, jump, dq, dt);",
        FUSED,
    ),
    Mutation(KERNELS, "if (end) r[i] = all;", "if (!end) r[i] = all;", FUSED),
    Mutation(
        KERNELS,
        "weights, s->dt * s->shares[j], sensitivity,\n                              dsensitivity);",
        "weights, s->dt * s->shares[0], sensitivity,\n                              dsensitivity);",
        FUSED,
    ),
    Mutation(
        KERNELS,
        "left[k * o->exits + e] += h * weights[e]",
        "left[k * o->exits + e] += weights[e]",
        SWEEP,
    ),
    Mutation(
        KERNELS,
        "o->send(dnext, classes);\n        o->receive(dnext, classes);",
        ";",
        "tests/parallel/test_functional.py -k 'hessian and quadratic'",
        2,
    ),
    Mutation(
        "transport/fused/kernels.py",
        "MPI.Request.Waitall(requests)",
        "MPI.Request.Waitall(requests[:1])",
        "tests/parallel/test_transport.py -k 'ufl_form and interval'",
        3,
    ),
    # ------------------------------------------------ steps, fluxes, schemes
    Mutation(
        "network/schemes.py",
        "1.0 / j for j in range(order, 0, -1)",
        "1.0 / j for j in range(1, order + 1)",
        STEPS,
    ),
    Mutation(
        MARCH, "                z += y[0]\n", "                z += y[j - 1]\n", STEPS + " " + FUSED
    ),
    Mutation(
        MARCH,
        "            for j, h in enumerate(self._factors, start=1):\n                z = ",
        "            for j, h in enumerate(self._factors[::-1], start=1):\n                z = ",
        STEPS + " " + FUSED,
    ),
    Mutation(MARCH, "w = weight * self.scheme.coefficients[j]\n", "w = weight\n", FUSED),
    Mutation(
        MARCH,
        "dz += h * transport.apply(y[j - 1], da)",
        "dz -= h * transport.apply(y[j - 1], da)",
        FUSED,
    ),
    Mutation(
        MARCH,
        "mu += h * star(dmu, at.a, dcharged, y, w, ds)",
        "mu += h * star(dmu, at.a, charged, y, w, ds)",
        FUSED,
    ),
    Mutation(
        "transport/operator/fluxes.py",
        "(SMOOTHING * scale) ** 2 / _smooth_speed(vn, scale) ** 3,",
        "(SMOOTHING * scale) ** 2 / _smooth_speed(vn, scale) ** 2,",
        PAIRS,
    ),
    Mutation(
        "transport/operator/fluxes.py",
        "lambda vn, scale: vn / _smooth_speed(vn, scale),",
        "lambda vn, scale: np.sign(vn),",
        TAYLOR,
    ),
    Mutation(
        "transport/steps/cfl.py",
        "transport.rates(a)[0] / cfl_constant(scheme, transport.space.degree)",
        "transport.rates(a)[0] / cfl_constant(scheme, transport.space.degree) / 8.0",
        "tests/transport tests/functional/test_functional.py -k 'steps or stable or cfl'",
    ),
    # ------------------------------------------------ limiters
    Mutation(
        CORNER,
        "excess_first(double p) { return p * p * p * (3.0 * p * p - 15.0 * p + 20.0)",
        "excess_first(double p) { return p * p * p * (3.0 * p * p - 15.0 * p + 21.0)",
        LIMITER,
    ),
    Mutation(
        CORNER,
        "if (dvalue) dnorm[k] += b * (u * dmean[k] - dvalue[point][k]) * over[k];",
        "if (dvalue) dnorm[k] += b * (u * dmean[k] + dvalue[point][k]) * over[k];",
        LIMITER,
    ),
    Mutation(
        CORNER,
        "7.0 * (first * dr - x * dnorm[k] / s->over)",
        "6.0 * (first * dr - x * dnorm[k] / s->over)",
        LIMITER,
    ),
    Mutation(CORNER, "rest = (1.0 - part) * mean[k];", "rest = part * mean[k];", LIMITER),
    Mutation(CORNER, "lo[k] = value[k] < lo[k] ? value[k] : lo[k];", "lo[k] = value[k];", LIMITER),
    # ------------------------------------------------ sweeps
    Mutation(
        "functional/sweeps/sweep.py",
        "            np.add(psi, limiter.packed(gain), out=psi)",
        "            np.copyto(psi, limiter.packed(gain))",
        PAIRS,
    ),
    Mutation(
        "functional/sweeps/sweep.py",
        "            for steps in reversed(list(self.runs(number, wanted))):",
        "            for steps in self.runs(number, wanted):",
        PAIRS,
    ),
    Mutation(
        "functional/sweeps/tangent.py",
        "            np.add(dpsi, limiter.packed(dgain), out=dpsi)",
        "",
        PAIRS,
    ),
    Mutation(
        "functional/sweeps/tangent.py",
        "dafter = along_steps.y[0, :, 0]",
        "dafter = along_steps.y[0, :, -1]",
        PAIRS,
    ),
    Mutation("functional/sweeps/tangent.py", "        self.left[:] = 0.0\n", "", TAYLOR),
    Mutation(
        "functional/densities.py", "self.problem.class_weights @ losses", "losses.mean()", TAYLOR
    ),
    Mutation("losses/depth.py", "    weights[[0, -1]] *= 0.5\n", "", LOSSES),
    Mutation(
        "losses/depth.py",
        "source += omega * parts.left * self.exit_weights",
        "source += omega * parts.left",
        TAYLOR,
    ),
    # ------------------------------------------------ losses
    Mutation(
        "losses/point.py",
        "0.5 * np.sum((x - y[:, None]) ** 2, axis=0)",
        "np.sum((x - y[:, None]) ** 2, axis=0)",
        LOSSES + " " + BIAS,
    ),
    Mutation(
        "losses/point.py",
        "return m.sum(axis=0) * x - self.targets.T @ m",
        "return m.sum(axis=0) * x + self.targets.T @ m",
        PARTICLES,
    ),
    Mutation(
        "losses/point.py",
        "softmax(self._kind.scores(x, head), axis=0) * m.sum(axis=0) - m",
        "softmax(self._kind.scores(x, head), axis=0) - m",
        PAIRS,
    ),
    Mutation(
        "losses/point.py",
        "p * (dz - np.sum(p * dz, axis=0)) * m.sum(axis=0)",
        "p * (dz + np.sum(p * dz, axis=0)) * m.sum(axis=0)",
        LOSSES + " " + PARTICLES,
    ),
    Mutation(
        "losses/point.py",
        "head = {name: mixed[name] + pure[name] for name in mixed}",
        "head = {name: mixed[name] for name in mixed}",
        PAIRS,
    ),
    Mutation("losses/point.py", "- dx[-1]", "+ dx[-1]", LOSSES),
    Mutation("losses/density.py", "return f - self._g\n", "return 2.0 * (f - self._g)\n", PAIRS),
    Mutation(
        "losses/density.py",
        "0.5 * self._eps**2 / r**3 + a / r**2",
        "0.5 * self._eps**2 / r**3 - a / r**2",
        PAIRS,
    ),
    Mutation(
        "losses/density.py",
        "np.concatenate([r - 2.0 * s @ m, s.ravel()])",
        "np.concatenate([r - s @ m, s.ravel()])",
        PAIRS,
    ),
    Mutation(
        "losses/density.py",
        "ds = d2 - np.outer(dm, m) - np.outer(m, dm)",
        "ds = d2 - np.outer(dm, m)",
        PAIRS,
    ),
    # ------------------------------------------------ network
    Mutation(
        "network/activations.py",
        "return -2.0 * s * (1.0 - s * s)",
        "return 2.0 * s * (1.0 - s * s)",
        BLOCKS + " " + PARTICLES,
    ),
    Mutation(
        "network/activations.py",
        "s * (1.0 - s) * (1.0 - 2.0 * s)",
        "s * (1.0 - s) * (1.0 - s)",
        PARTICLES,
    ),
    Mutation(
        "network/activations.py",
        "np.heaviside(u, 0.5)",
        "np.heaviside(u, 1.0)",
        BLOCKS,
    ),
    Mutation(
        "network/blocks.py",
        'return parameters["W"].T @ ds + h["W"].T @ s, parts\n\n\ndef _square_divergence',
        'return parameters["W"].T @ ds, parts\n\n\ndef _square_divergence',
        PARTICLES,
    ),
    Mutation(
        "network/blocks.py", '"V": g @ (slope * du).T,', '"V": 0.0 * parameters["V"],', PARTICLES
    ),
    Mutation(
        "network/blocks.py",
        'return inner + h["V"] @ activation.value(u) + h["c"][:, None]',
        'return inner + h["V"] @ activation.value(u)',
        BLOCKS + " " + PAIRS,
    ),
    Mutation(
        "network/blocks.py",
        'return np.sum(parameters["W"] * parameters["V"].T, axis=1) @ slope',
        'return np.sum(parameters["W"] * parameters["V"].T, axis=0)[:1] @ slope[:1]',
        DIVERGENCE,
    ),
    Mutation(
        "network/controls.py",
        "return derivative / self.weights",
        "return derivative",
        TAYLOR + " " + BIAS,
    ),
    Mutation(
        "network/controls.py",
        "values[name].sum(axis=0) if one",
        "values[name].mean(axis=0) if one",
        PAIRS,
    ),
    Mutation(
        "network/penalties.py",
        "        parts[name][:-1] -= jump\n",
        "        parts[name][:-1] += jump\n",
        TAYLOR,
    ),
    Mutation(
        "network/penalties.py",
        "(theta**2 + eps**2) ** 1.5 * h",
        "(theta**2 + eps**2) ** 0.5 * h",
        PAIRS,
    ),
    Mutation(
        "network/penalties.py",
        "lambda p, space, theta, h: _tikhonov_derivative(p, space, h),",
        "lambda p, space, theta, h: np.roll(_tikhonov_derivative(p, space, h), 1),",
        PAIRS,
    ),
    # ------------------------------------------------ data and mesh
    Mutation("data/deposition.py", "w[mine, None]", "1.0", DEPOSIT),
    Mutation(
        "data/deposition.py",
        "** (-1.0 / (d + 4)))\n\n\nBANDWIDTHS",
        "** (-1.0 / (d + 3)))\n\n\nBANDWIDTHS",
        DEPOSIT,
    ),
    Mutation("data/deposition.py", "- d * np.log(h)", "- np.log(h)", BANDWIDTH),
    Mutation(
        "data/tables/scaling.py", "components = components * np.sign(largest)\n", "pass\n", TABLES
    ),
    Mutation(
        "data/tables/scaling.py",
        "order = np.argsort(values)[::-1]",
        "order = np.argsort(values)",
        TABLES,
    ),
    Mutation(
        "data/tables/scaling.py",
        "size[:, None] * components * widths",
        "components * widths",
        TABLES,
    ),
    Mutation(
        "mesh/heat.py",
        "matrix.scale(bandwidth**2 / (2 * STEPS))",
        "matrix.scale(bandwidth**2 / STEPS)",
        "tests/parallel/test_deposit.py -k 'smoothing and triangle'",
    ),
    Mutation(
        "data/laws/density.py",
        "return (f / mass if jumping else f), mass",
        "return f, mass",
        "tests/mesh/test_space.py tests/closed_forms/test_control.py",
    ),
)
