# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # A first fit
# One model simulates a spectrum, fits it and is differentiated. The spectrum here is simulated, so that the truth is known;
# `mrsjax.io.read("FILE")` gives the same kind of array from a measured file.

# %%
import jax

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from mrsjax.data import default_basis
from mrsjax.inference import evaluate, fit
from mrsjax.inference.implicit import differentiable_fit
from mrsjax.physics import default_model

# %% [markdown]
# ## Load
# The packaged basis is PRESS TE 30 ms at 3 T, made by `simulators.spins`.

# %%
basis = default_basis()
model = default_model(basis, basis.sampling)
truth = np.array([{"NAA": 12.0, "Glu": 10.0, "Ins": 6.0, "Cr": 5.0, "PCr": 4.0}.get(n, 1.0) for n in model.names])
clean = model.signal(model.start(), jnp.asarray(truth))
noise = 0.3 * jax.random.normal(jax.random.key(0), (4, clean.size), clean.dtype)
fids = np.asarray(clean + noise)

# %% [markdown]
# ## Fit

# %%
result = fit(model, fids)
for name in ("NAA", "Cr", "Glu", "GABA"):
    i = result.names.index(name)
    value, sd = float(result.amplitudes[0, i]), float(result.crlb[0, i])
    print(f"{name:5s} {value:6.2f} +- {sd:.2f}   truth {truth[i]:.2f}")

# %% [markdown]
# ## Look

# %%
curves = evaluate(model, result, fids, 0)
figure, axis = plt.subplots(figsize=(9, 4))
axis.plot(curves.ppm, curves.data.real, "0.5", label="data")
axis.plot(curves.ppm, curves.fit.real, label="fit")
axis.plot(curves.ppm, curves.baseline.real, label="baseline")
axis.plot(curves.ppm, curves.residual.real - 0.1 * curves.data.real.max(), lw=0.7, label="residual, shifted")
axis.set(xlim=(4.2, 0.2), xlabel="chemical shift / ppm", yticks=[])
axis.legend()
plt.show()

# %% [markdown]
# ## Differentiate
# How the estimate of Glu answers a change of the data: the derivative goes through the fit itself, by the implicit function theorem. A fit of
# louder data has louder estimates; the derivative differs a little from the estimate because the level of the noise and the spread of the priors are held.

# %%
glu = result.names.index("Glu")
sensitivity = jax.grad(
    lambda scale: differentiable_fit(model, scale * jnp.asarray(fids[0]), result, 0).amplitudes[glu]
)(1.0)
print(f"d Glu / d scale = {float(sensitivity):.3f}; Glu = {float(result.amplitudes[0, glu]):.3f}")
