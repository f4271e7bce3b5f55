import gc
import importlib.metadata
import os
import pathlib

# Most of the suite's time is compilation: see mrsjax.core.compilation.
if importlib.metadata.version("jax").startswith("0.10."):
    os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_use_fusion_emitters=false"

import jax
import pytest

from mrsjax.core import compilation

compilation.OPTIONS["xla_backend_optimization_level"] = 0
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_backend_optimization_level=0"

jax.config.update("jax_enable_x64", True)

# Most objects here are what was traced, and stay: passes over them are a tenth of the suite's time.
gc.set_threshold(200_000, 50, 1000)

SHARED = pathlib.Path(os.environ.get("MRSJAX_TEST_DATA", pathlib.Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture
def shared_data() -> pathlib.Path:
    """The folder of real test data; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"no real test data at {SHARED} (set MRSJAX_TEST_DATA)")
    return SHARED


@pytest.fixture
def shared_cases(shared_data) -> pathlib.Path:
    """The folder of synthetic cases with truth, beside the data."""
    folder = shared_data.parent / "cases"
    if not folder.is_dir():
        pytest.skip(f"no synthetic cases at {folder}")
    return folder


@pytest.fixture(autouse=True, scope="module")
def few_memory_mappings():
    """Forgets compiled programs before the kernel's limit of 65,530 mappings a process, where XLA dies of a segmentation fault."""
    yield
    mappings = pathlib.Path("/proc/self/maps")
    if mappings.exists() and mappings.read_bytes().count(b"\n") > 36_000:
        jax.clear_caches()
        compilation.forget()
        gc.collect()
