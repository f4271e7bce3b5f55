# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Artificial data
# A recipe and a key give labelled spectra; the same signal model that fits them made them.

# %%
import jax

jax.config.update("jax_enable_x64", True)
import equinox as eqx
import matplotlib.pyplot as plt
import numpy as np

from mrsjax.core import to_spectrum
from simulators.datasets import recipe
from simulators.tissue import widen

# %% [markdown]
# ## A batch
# `sample` is pure: `vmap` it over keys inside a jitted step, and no data set needs to be stored.

# %%
simulator = recipe("r4").simulator
draw = eqx.filter_jit(lambda simulator, keys: jax.vmap(simulator.sample)(keys))
keys = jax.random.split(jax.random.key(1), 6)
batch = draw(simulator, keys)
sampling = simulator.model.sampling
ppm = np.asarray(sampling.ppm)

# %%
figure, axes = plt.subplots(2, 3, figsize=(10, 5), sharex=True)
for j, axis in enumerate(axes.flat):
    data, clean = (np.asarray(to_spectrum(x[j])).real for x in (batch.data, batch.truth["fid"]))
    axis.plot(ppm, data, lw=0.7, label="data")
    axis.plot(ppm, clean, lw=0.7, label="truth")
    scale = clean.max()
    axis.set(xlim=(5, 0.2), ylim=(-scale, 1.8 * scale), title=f"SNR {float(batch.labels['snr'][j]):.0f}")
axes[0, 0].legend()
plt.show()

# %% [markdown]
# ## Labels say what was added
# Taking every added signal off and the eddy phase back leaves the model's signal and the noise.

# %%
labels = jax.tree.map(lambda x: np.asarray(x[0]), batch.labels)
rest = np.asarray(batch.data[0]) - sum(labels[n]["signal"] for n in ("baseline", "water", "lipids", "spurious", "echo"))
rest = rest * np.exp(-1j * labels["eddy"]["phase"])
at = jax.tree.map(lambda x: x[0], batch.truth)
model = np.asarray(simulator.model.signal(at["values"], at["amplitudes"]))
print(f"left: {np.std((rest - model).real):.4f}, noise: {labels['noise']:.4f}")
assert abs(np.std((rest - model).real) / labels["noise"] - 1) < 0.1

# %% [markdown]
# ## Out of distribution
# One call widens every prior about its centre.

# %%
wide = eqx.tree_at(lambda s: s.population, simulator, widen(simulator.population, 1.5))
many = jax.random.split(jax.random.key(2), 256)
naa = simulator.model.names.index("NAA")
for name, source in (("as published", simulator), ("widened", wide)):
    amplitudes = np.asarray(draw(source, many).truth["amplitudes"][:, naa])
    print(f"{name}: NAA {amplitudes.min():.1f} to {amplitudes.max():.1f} mmol/L")

# %% [markdown]
# ## A world of spectra
# The same call draws MRSI: labels, pictures, maps, field, and what eight coils saw of them.

# %%
world = draw(recipe("r3").simulator, jax.random.split(jax.random.key(3), 1))
show = {
    "tissue": world.labels["tissue"][0, :, :, 1], "T1w": world.labels["t1w"][0, :, :, 1], "FLAIR": world.labels["flair"][0, :, :, 1],
    "field (Hz)": np.clip(world.truth["field"][0, :, :, 1], -60, 60), "NAA": world.truth["amplitudes"][0, :, :, 0, naa], "|data|, one coil": np.abs(world.data[0, :, :, 0, 0, 0]),
}  # fmt: skip
figure, axes = plt.subplots(1, 6, figsize=(13, 2.6))
for axis, (name, picture) in zip(axes, show.items(), strict=True):
    axis.imshow(np.asarray(picture).T, origin="lower")
    axis.set(title=name, xticks=[], yticks=[])
plt.show()
print(f"data {world.data.shape}: world, x, y, z, coil, time")
assert world.data.shape == (1, 32, 32, 1, 8, 512)
