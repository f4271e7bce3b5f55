# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From a sequence to a fitted spectrum
#
# A PRESS sequence with shaped refocusing pulses, the basis set that it gives, and a noisy spectrum that is fitted with
# it, and with the basis that ideal pulses would give.

# %%
import jax

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from mrsjax.core import Sampling, to_spectrum
from mrsjax.inference import fit
from mrsjax.physics import default_model
from simulators import spins
from simulators.spins import presets

# %% [markdown]
# ## The sequence
#
# A sequence is a list of events. The preset has two SLR pulses of 5 ms that select 2 cm along y and z; the excitation is
# ideal. Timings count between pulse centres.

# %%
sequence = presets.press(te=0.035, te1=0.015, thickness=0.02)
for event in sequence.events:
    print(spins.event_line(event))

# %% [markdown]
# ## The basis
#
# One FID each, amplitude 1 a proton. Chemical-shift displacement comes from the positions along y and z.

# %%
names = ["Cr", "NAA", "Asp"]
sampling = Sampling(5e-4, 123.25e6, 1024)
shaped = spins.simulate(spins.metabolites(names), sequence, sampling, positions=16, linewidth=1.0)
ideal = spins.simulate(spins.metabolites(names), spins.press(0.035, 0.015), sampling, linewidth=1.0)
for name, a, b in zip(names, np.asarray(shaped.fids), np.asarray(ideal.fids), strict=True):
    print(f"{name:4} ideal pulses differ by {100 * np.linalg.norm(a - b) / np.linalg.norm(a):4.1f} %")

# %% [markdown]
# ## A spectrum
#
# Known amounts, the widths with which a fit starts, white noise.

# %%
amounts = jnp.array([8.0, 12.0, 6.0])


def model_of(basis):
    return default_model(
        basis,
        sampling,
        lineshape="voigt",
        macromolecules="off",
        baseline=None,
        own_shift=0,
        own_width=0,
        water_tails=0,
        creatine_ch2=0,
    )


model = model_of(shaped)
values = model.start()
clean = model.signal(values, amounts)
rng = np.random.default_rng(1)
fid = np.asarray(clean) + 0.4 * (rng.normal(size=clean.shape) + 1j * rng.normal(size=clean.shape))

# %% [markdown]
# ## The fit
#
# With the basis of the sequence the amounts come back within a few of their Cramer-Rao bounds; with the basis of ideal
# pulses the coupled metabolites are off.

# %%
found = {label: fit(model_of(basis), fid[None]) for label, basis in (("shaped", shaped), ("ideal", ideal))}
for label, result in found.items():
    for name, value, bound, true in zip(
        result.names, result.amplitudes[0], result.crlb[0], np.asarray(amounts), strict=True
    ):
        print(f"{label:6} {name:4} {value:6.2f} +- {bound:.2f}   true {true:.0f}")
error = (np.asarray(found["shaped"].amplitudes[0]) - np.asarray(amounts)) / np.asarray(found["shaped"].crlb[0])
assert np.all(found["shaped"].status == 0) and np.max(np.abs(error)) < 4, error

# %%
ppm = np.asarray(sampling.ppm)
figure, axis = plt.subplots(figsize=(7, 3))
axis.plot(ppm, np.asarray(to_spectrum(jnp.asarray(fid))).real, lw=0.6, label="spectrum")
axis.plot(ppm, np.asarray(to_spectrum(clean)).real, lw=0.8, label="without noise")
axis.set(xlim=(4.5, 0.5), xlabel="chemical shift (ppm)")
axis.legend()
