"""Small dense complex linear algebra in pure JAX: no LAPACK call, so that every step may stand under `vmap` and on any device."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Complex, Float


def dagger(a: Complex[Array, "*batch m n"]) -> Complex[Array, "*batch n m"]:
    """Conjugate transpose of the last two axes."""
    return jnp.conj(jnp.swapaxes(a, -1, -2))


def product(a: Complex[Array, "*batch m k"], b: Complex[Array, "*batch k n"]) -> Complex[Array, "*batch m n"]:
    """Matrix product at full precision."""
    return jnp.matmul(a, b, precision=lax.Precision.HIGHEST)


def _tiny(a):
    return jnp.finfo(a.real.dtype).tiny


def cholesky(a: Complex[Array, "n n"]) -> Complex[Array, "n n"]:
    """Lower factor L of a Hermitian positive definite a = L L^H. A non-positive pivot is replaced by a tiny positive one."""
    n = a.shape[0]
    index = jnp.arange(n)
    floor = jnp.finfo(a.real.dtype).eps * jnp.max(jnp.real(jnp.diagonal(a))) + _tiny(a)

    def column(j, carry):
        rest, low = carry
        pivot = jnp.maximum(jnp.real(rest[j, j]), floor)
        new = jnp.where(index >= j, rest[:, j] * lax.rsqrt(pivot), 0.0)
        new = jnp.where(index == j, jnp.sqrt(pivot), new).astype(a.dtype)
        return rest - new[:, None] * jnp.conj(new)[None, :], low.at[:, j].set(new)

    return lax.fori_loop(0, n, column, (a, jnp.zeros_like(a)))[1]


def solve_lower(low: Complex[Array, "n n"], b: Complex[Array, "n r"]) -> Complex[Array, "n r"]:
    """x with L x = b."""

    def row(j, carry):
        rest, x = carry
        value = rest[j] / low[j, j]
        return rest - low[:, j][:, None] * value[None, :], x.at[j].set(value)

    return lax.fori_loop(0, low.shape[0], row, (b, jnp.zeros_like(b)))[1]


def solve_upper(low: Complex[Array, "n n"], b: Complex[Array, "n r"]) -> Complex[Array, "n r"]:
    """x with L^H x = b."""
    n = low.shape[0]
    flipped = jnp.conj(low[::-1, ::-1].T)
    return solve_lower(flipped, b[::-1])[::-1] if n else b


def principal_vector(a: Complex[Array, "n n"]) -> tuple[Complex[Array, " n"], Float[Array, ""]]:
    """Unit eigenvector of the largest eigenvalue of a Hermitian positive semi-definite matrix, and that eigenvalue's share of the trace.

    Ten squarings make the power a^1024; its column of largest norm is the eigenvector up to (lambda_2 / lambda_1)^1024.
    """
    trace = jnp.maximum(jnp.real(jnp.trace(a)), _tiny(a))
    unit = a / trace
    power = unit
    for _ in range(10):
        power = product(power, power)
        power = power / jnp.maximum(jnp.real(jnp.trace(power)), _tiny(a))
    vector = power[:, jnp.argmax(jnp.real(jnp.diagonal(power)))]
    vector = vector / jnp.maximum(jnp.sqrt(jnp.sum(jnp.abs(vector) ** 2)), _tiny(a))
    share = jnp.real(jnp.sum(jnp.conj(vector) * product(unit, vector[:, None])[:, 0]))
    return vector, share


def orthonormal(a: Complex[Array, "n r"]) -> Complex[Array, "n r"]:
    """Orthonormal columns with the same span (Gram-Schmidt, twice): columns that depend on earlier ones become zero."""
    r = a.shape[1]
    norms = jnp.sqrt(jnp.sum(jnp.abs(a) ** 2, axis=0))
    floor = 10 * jnp.finfo(a.real.dtype).eps

    def column(j, q):
        v = a[:, j] / jnp.maximum(norms[j], _tiny(a))
        for _ in range(2):
            v = v - q @ (jnp.conj(q).T @ v)
        size = jnp.sqrt(jnp.sum(jnp.abs(v) ** 2))
        return q.at[:, j].set(jnp.where(size > floor, v / jnp.maximum(size, floor), 0.0))

    return lax.fori_loop(0, r, column, jnp.zeros_like(a))


def eigenvalues(a: Complex[Array, "n n"], *, steps_each: int = 6) -> Complex[Array, " n"]:
    """Eigenvalues of a general complex matrix: Hessenberg form, then the QR algorithm with Wilkinson's shift (Francis 1961, Golub & Van Loan 7.5).

    A fixed number of `steps_each * n` QR steps, so that the cost is the same for every matrix of a batch.
    """
    n = a.shape[0]
    if n == 1:
        return a[0]
    index = jnp.arange(n)
    eps = jnp.finfo(a.real.dtype).eps

    def reflect(k, h):
        x = jnp.where(index > k, h[:, k], 0.0)
        size = jnp.sqrt(jnp.sum(jnp.abs(x) ** 2))
        head = x[k + 1]
        phase = jnp.where(jnp.abs(head) > 0, head / jnp.maximum(jnp.abs(head), _tiny(a)), 1.0)
        v = x + jnp.where(index == k + 1, phase * size, 0.0)
        v = v / jnp.maximum(jnp.sqrt(jnp.sum(jnp.abs(v) ** 2)), _tiny(a))
        h = h - 2.0 * v[:, None] * (jnp.conj(v) @ h)[None, :]
        return h - 2.0 * (h @ v)[:, None] * jnp.conj(v)[None, :]

    h = lax.fori_loop(0, n - 2, reflect, a)

    def step(_, carry):
        h, last = carry
        # Deflation: `last` is the index of the active block's last row.
        small = jnp.abs(h[last, last - 1]) <= eps * (jnp.abs(h[last, last]) + jnp.abs(h[last - 1, last - 1]))
        done = small | (last < 1)
        h = jnp.where(done & (last >= 1), h.at[last, last - 1].set(0.0), h)
        last = jnp.where(done, jnp.maximum(last - 1, 0), last)
        p, q, r, s = h[last - 1, last - 1], h[last - 1, last], h[last, last - 1], h[last, last]
        half = 0.5 * (p - s)
        root = jnp.sqrt(half * half + q * r)
        root = jnp.where(jnp.real(jnp.conj(half) * root) < 0, -root, root)
        bottom = half + root
        shift = s - jnp.where(jnp.abs(bottom) > 0, q * r / jnp.where(bottom == 0, 1.0, bottom), 0.0)
        turned = _qr_step(h, shift, last)
        return jnp.where(last < 1, h, turned), last

    h, _ = lax.fori_loop(0, steps_each * n, step, (h, jnp.int32(n - 1)))
    return jnp.diagonal(h)


def _qr_step(h, shift, last):
    """RQ + shift I of a Hessenberg matrix, on its rows and columns up to `last`."""
    n = h.shape[0]
    index = jnp.arange(n)
    eye = jnp.eye(n, dtype=h.dtype)
    work = h - shift * eye

    def left(k, carry):
        w, cs, ss = carry
        top, low = w[k], w[k + 1]
        x, y = w[k, k], w[k + 1, k]
        size = jnp.sqrt(jnp.abs(x) ** 2 + jnp.abs(y) ** 2)
        live = (size > 0) & (k < last)
        safe = jnp.where(size > 0, size, 1.0)
        c = jnp.where(live, x / safe, 1.0)
        s = jnp.where(live, y / safe, 0.0)
        w = w.at[k].set(jnp.conj(c) * top + jnp.conj(s) * low).at[k + 1].set(-s * top + c * low)
        return w, cs.at[k].set(c), ss.at[k].set(s)

    zeros = jnp.zeros(n, h.dtype)
    work, cs, ss = lax.fori_loop(0, n - 1, left, (work, zeros, zeros))

    def right(k, w):
        a, b = w[:, k], w[:, k + 1]
        reach = index <= last
        new_a = jnp.where(reach, a * cs[k] + b * ss[k], a)
        new_b = jnp.where(reach, -a * jnp.conj(ss[k]) + b * jnp.conj(cs[k]), b)
        return w.at[:, k].set(new_a).at[:, k + 1].set(new_b)

    return lax.fori_loop(0, n - 1, right, work) + shift * eye


def eigh(a: Complex[Array, "n n"], *, sweeps: int = 10) -> tuple[Float[Array, " n"], Complex[Array, "n n"]]:
    """Eigenvalues of a Hermitian matrix, descending, and its eigenvectors as columns: Jacobi's method.

    Each round turns n / 2 disjoint pairs at once (Brent & Luk 1985); n - 1 rounds, after which every pair has met, are a sweep. Ten sweeps leave rounding errors only.
    """
    n = a.shape[0]
    if n == 1:
        return jnp.real(a[0]), jnp.ones_like(a)
    size = n + n % 2
    half = size // 2
    work = jnp.zeros((size, size), a.dtype).at[:n, :n].set(a)
    top, low = list(range(half)), list(range(half, size))
    order = jnp.asarray([top[0], low[0], *top[1:-1], *low[1:], top[-1]] if half > 1 else [0, 1])
    tiny = _tiny(a)

    def turn_rows(m, c, s):
        p, q = m[:half], m[half:]
        c, s = c[:, None], s[:, None]
        return jnp.concatenate([c * p - s * q, jnp.conj(s) * p + c * q])

    def round_(_, carry):
        work, vectors = carry
        diagonal = jnp.real(jnp.diagonal(work))
        off = jnp.diagonal(work, half)[:half]
        length = jnp.abs(off)
        phase = jnp.where(length > tiny, off / jnp.maximum(length, tiny), 1.0)
        ratio = (diagonal[half:] - diagonal[:half]) / (2.0 * jnp.maximum(length, tiny))
        tangent = jnp.where(ratio >= 0, 1.0, -1.0) / (jnp.abs(ratio) + jnp.sqrt(1.0 + ratio**2))
        tangent = jnp.where(length > tiny, tangent, 0.0)
        c = lax.rsqrt(1.0 + tangent**2)
        s = (tangent * c) * phase
        # J^H A J with J = [[c, s], [-conj(s), c]] on each pair; V gathers J.
        work = turn_rows(work, c.astype(a.dtype), s)
        work = dagger(turn_rows(dagger(work), c.astype(a.dtype), s))
        vectors = dagger(turn_rows(dagger(vectors), c.astype(a.dtype), s))
        return work[order][:, order], vectors[:, order]

    eye = jnp.eye(size, dtype=a.dtype)
    work, vectors = lax.fori_loop(0, sweeps * (size - 1), round_, (work, eye))
    values = jnp.real(jnp.diagonal(work))
    # The padding of an odd matrix is an eigenvector of its own.
    real = jnp.sum(jnp.abs(vectors[:n]) ** 2, axis=0) > 0.5
    place = jnp.argsort(jnp.where(real, -values, jnp.inf))[:n]
    return values[place], vectors[:n, place]
