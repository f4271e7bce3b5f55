# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # A hybrid network, and the posterior beside the fit
# An encoder learns where the signal model should start; the model and the fit do the rest. Training draws its spectra inside the jitted step and takes less than two
# minutes on two cores. The spectrum at the end is a measured one where the test data are at hand, else a simulated one.

# %%
import os
import pathlib
import time

import jax

jax.config.update("jax_enable_x64", True)
import matplotlib.pyplot as plt
import numpy as np

from mrsjax import io
from mrsjax.core.metabolites import is_nuisance
from mrsjax.data import default_basis
from mrsjax.inference import evaluate, fit
from mrsjax.inference.posterior import Laplace, posterior
from mrsjax.nn import Matched, NetworkSpec, Training, calibrate, distances, familiarity, train, weighted
from mrsjax.nn.prediction import encode
from mrsjax.physics import default_model
from simulators.datasets import recipe

# %% [markdown]
# ## Data
# PRESS TE 30 ms at 3 T with the basis that its authors fitted it with. The recipe is told about both, so that training spectra have the same grid and responses.

# %%
# beside the repository, whether this runs in its root or in notebooks/; or where MRSJAX_TEST_DATA says
places = [os.environ.get("MRSJAX_TEST_DATA", "../shared/data"), "../../shared/data"]
folder = next((p for p in (pathlib.Path(x, "svs_3t_press30") for x in places) if p.is_dir()), None)
measured = folder is not None
if folder is not None:
    basis = io.read_basis(folder / "3t.basis")
    data = io.read(folder / "data.raw", central_frequency=127.7861e6, dwell_time=5e-4)
    sampling, fids = data.sampling, np.asarray(data.spectra)
else:
    basis = default_basis()
    sampling = basis.sampling
world = recipe("r1", basis=basis, sampling=sampling).simulator
if not measured:
    fids = np.asarray(world.sample(jax.random.key(7)).data)[None]
print("measured" if measured else "simulated", fids.shape, [n for n in basis.names if not is_nuisance(n)])

# %% [markdown]
# ## Train

# %%
options = {"lineshape": "voigt", "own_shift": 0.0, "own_width": 0.0}
spec = NetworkSpec(
    encoder={"name": "mlp", "widths": [128, 64]},
    model=options,
    predicted=("metabolites.shift", "metabolites.lorentz", "metabolites.gauss", "phase.phase_zero"),
)
began = time.process_time()
network = calibrate(spec, basis, sampling, world, count=128)
data_stream = Matched(world, network.model.names, spec.predicted)
settings = Training(steps=300, batch=64, every=100, validation=128, learning_rate=2e-3)
done = train(network, data_stream, weighted({"parameters": 1.0}), settings)
for record in done.history:
    print(f"step {record.step}: validation loss {record.validation:.3f}, {record.spectra_per_s:.0f} spectra/s")
print(f"{time.process_time() - began:.0f} s of CPU with compilation")

# %% [markdown]
# ## Predict
# The network's answer is a starting point: amplitudes are solved exactly there, and a few guarded fit steps follow. How far the spectrum is from the training data is
# said beside it.

# %%
model = default_model(basis, sampling, **options)
values, _ = encode(done.network, fids)
cold = fit(model, fids)
hybrid = fit(model, fids, start=values, max_iterations=4)
known = familiarity(done.network.inputs, world, count=256, key=jax.random.key(3))
print(f"distance {distances(known, done.network.inputs, fids)[0]:.2f} (1: the 99 % quantile of training spectra)")
for name in ("shift", "lorentz", "gauss"):
    key = f"metabolites.{name}"
    print(f"{name:8s} network {float(values['metabolites'][name][0]):7.2f}   fit {float(cold.parameters[key][0]):7.2f}")

# %% [markdown]
# ## Posterior against fit
# The same density as the fit's, with amplitudes that are sampled on c >= 0. `Nuts()` in place of `Laplace()` is exact and takes
# minutes. Few effective draws, as here with so many coordinates, say that weights could not mend the Gaussian: read its intervals as approximate.

# %%
draws = posterior(model, fids, cold, Laplace(400), key=jax.random.key(0))
creatine = float(cold.total(("Cr", "PCr"))[0][0])
amplitudes, best, sd, learned = (
    np.asarray(x) / creatine for x in (draws.amplitudes[0, 0], cold.amplitudes[0], cold.crlb[0], hybrid.amplitudes[0])
)
shown = [
    n for n in ("NAA", "NAAG", "Cr", "PCr", "GPC", "PCh", "Ins", "Glu", "Gln", "GSH", "Lac", "GABA") if n in model.names
]
print(
    f"effective draws {draws.weighted[0]:.0f} of {len(amplitudes)}; {draws.theta.shape[-1] + len(draws.names)} coordinates"
)
print("relative to tCr of the fit")
print("name     fit +- CRLB     hybrid   posterior median [2.5 %, 97.5 %]")
for n in shown:
    i = model.names.index(n)
    low, middle, high = np.quantile(amplitudes[:, i], (0.025, 0.5, 0.975))
    print(f"{n:6s} {best[i]:6.3f} +- {sd[i]:5.3f} {learned[i]:8.3f}   {middle:6.3f} [{low:.3f}, {high:.3f}]")

# %%
curves = evaluate(model, cold, fids, 0)
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4))
left.plot(curves.ppm, curves.data.real, "0.6", label="data")
left.plot(curves.ppm, curves.fit.real, label="fit")
left.plot(curves.ppm, curves.baseline.real, label="baseline")
left.set(xlim=(4.2, 0.2), xlabel="chemical shift / ppm", yticks=[])
left.legend()
columns = [model.names.index(n) for n in shown]
right.boxplot(amplitudes[:, columns], whis=(2.5, 97.5), showfliers=False)
right.errorbar(
    np.arange(1, len(shown) + 1) + 0.3,
    best[columns],
    1.96 * sd[columns],
    fmt="o",
    ms=3,
    label="fit ± 1.96 CRLB",
)
right.set_xticks(np.arange(1, len(shown) + 1), shown, rotation=60)
right.set_ylabel("amplitude / tCr")
right.legend()
plt.tight_layout()
plt.show()
