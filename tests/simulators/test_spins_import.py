"""Importing the simulator leaves JAX as it is."""

import subprocess
import sys

CODE = """
import simulators.spins as spins
import jax
from jax._src import xla_bridge
assert not xla_bridge.backends_are_initialized(), "importing started a device"
assert not jax.config.jax_enable_x64, "importing switched on double precision"
jax.config.update("jax_enable_x64", True)
pulse = spins.press(0.03).events[0]
assert pulse.flip.dtype == "float64" and float(pulse.flip) == 3.141592653589793 / 2, pulse.flip
"""


def test_import_starts_no_device_and_leaves_the_precision_to_the_caller():
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr[-500:]
