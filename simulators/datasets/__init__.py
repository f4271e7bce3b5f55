"""Artificial data: a named recipe and a key give labelled spectra, on the device or in files.

    from simulators.datasets import recipe
    simulator = recipe("r1").simulator          # a mrsjax.core.Simulator
    sample = simulator.sample(key)              # Sample(data, truth, labels); jax.vmap it over keys inside a jitted step

What `truth` and `labels` hold is said in `ArtificialData` (single voxels), `SpectroscopicImages` (MRSI) and `DistortedField` (shimming).
"""

from simulators.datasets.blocks import blocks as blocks
from simulators.datasets.mrsi import SpectroscopicImages as SpectroscopicImages
from simulators.datasets.recipe import Recipe as Recipe
from simulators.datasets.recipe import available as available
from simulators.datasets.recipe import recipe as recipe
from simulators.datasets.recipe import summaries as summaries
from simulators.datasets.shimming import DistortedField as DistortedField
from simulators.datasets.signal import generating_model as generating_model
from simulators.datasets.simulator import ArtificialData as ArtificialData
from simulators.datasets.store import open_arrays as open_arrays
from simulators.datasets.store import verify as verify
from simulators.datasets.store import write as write
