# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Shimming through the signal
# A voxel near an air-filled sinus is shimmed three times: by least squares on the field, with a Huber norm, and for the tallest line that the signal
# model predicts. The currents are differentiated through the spectrum.

# %%
import jax

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from mrsjax.acquisition.shimming import (
    Cuboid,
    Harmonics,
    Huber,
    InversePeak,
    LostVolume,
    in_words,
    region,
    region_of_mask,
    shim,
)
from mrsjax.core import FieldMap
from simulators.phantoms.head_field import head_field

# %% [markdown]
# ## The field of a head
# Ellipsoids of tissue and air at 3 T; the dipole kernel gives the field. The scanner's own shim of the whole head comes first.

# %%
coils = Harmonics(2)
head = head_field()
whole = region_of_mask(head, head.known, coils)
change = np.asarray(coils.maps(jnp.asarray(head.positions.reshape(-1, 3)))) @ np.asarray(shim(whole, coils).currents)
head = FieldMap(head.field + change.reshape(head.field.shape), head.known, head.affine)
voxel = Cuboid([0.0, 64.0, 8.0], 20.0)

middle = head.field.shape[0] // 2
figure, axes = plt.subplots(1, 2, figsize=(9, 4))
shown = np.where(head.known, head.field, np.nan)
extent = [-98, 98, -98, 98]
axes[0].imshow(shown[middle].T, origin="lower", vmin=-100, vmax=100, cmap="RdBu_r", extent=extent)
axes[0].set(xlabel="anterior (mm)", ylabel="superior (mm)", title="sagittal, Hz")
image = axes[1].imshow(shown[:, :, middle + 2].T, origin="lower", vmin=-100, vmax=100, cmap="RdBu_r", extent=extent)
axes[1].set(xlabel="right (mm)", ylabel="anterior (mm)", title="axial, Hz")
axes[0].add_patch(plt.Rectangle((54, -2), 20, 20, fill=False))
axes[1].add_patch(plt.Rectangle((-10, 54), 20, 20, fill=False))
figure.colorbar(image, ax=axes)
plt.show()

# %% [markdown]
# ## Three objectives
# Each shim of the frontal voxel says its linewidth and how much of the voxel is still within 12 Hz of the line: the narrow line has a price. It is judged on
# finer points than it was optimised on, since an objective on the spectrum can line up those that it sees.

# %%
points, fine = region(head, voxel, coils, points=8), region(head, voxel, coils, points=16)
objectives = {
    "least squares": None,
    "Huber 5 Hz": Huber(5.0),
    "tallest line": InversePeak(),
    "tallest line, volume kept": InversePeak() + 20.0 * LostVolume(),
}
results = {name: shim(points, coils, objective, starts=3).on(fine) for name, objective in objectives.items()}
for name, result in results.items():
    print(f"{name:26s} {in_words(result)}")

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 4))
for name, result in results.items():
    line = result.after.line
    axes[0].plot(line.frequency - line.peak, line.spectrum, label=name)
    field = np.asarray(result.after.field) - float(line.peak)
    axes[1].hist(field, np.arange(-80, 81, 4), weights=np.asarray(fine.weight), histtype="step", label=name)
axes[0].set(xlim=(-60, 60), xlabel="frequency from the maximum (Hz)", title="line of a singlet")
axes[1].set(xlabel="field (Hz)", title="fraction of the voxel")
axes[0].legend(fontsize=8)
plt.show()

# %% [markdown]
# ## The gradient
# The peak's height is differentiated in all currents at once; central differences need two evaluations for each channel.

# %%
objective, at = InversePeak(), results["least squares"].currents
value = jax.jit(lambda c: objective(points, c))
gradient = jax.jit(jax.grad(value))(at)
for k in (1, 4, 8):
    step = 1e-3 / float(jnp.sqrt(points.weight @ points.maps[:, k] ** 2)) * jnp.eye(9)[k]
    difference = (value(at + step) - value(at - step)) / (2 * float(step[k]))
    print(f"{coils.names[k]:6s} gradient {float(gradient[k]):+.6g}   finite difference {float(difference):+.6g}")
