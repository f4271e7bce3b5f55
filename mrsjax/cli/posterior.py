"""`--posterior`: the table that it adds to the results."""

from __future__ import annotations

from typing import Any

#: Words of the command line.
METHODS = ("laplace", "nuts")
#: Spectra whose draws are in memory together (1000 draws of 100 numbers each: 0.1 GB); of each only quantiles are kept.
CHUNK = 128


def posterior_table(analysis: Any, word: str) -> list[dict[str, Any]]:
    """Rows of posterior.csv by one of `METHODS`. The draws have a fixed seed: a run can be repeated.

    **Raises:** `ValueError` where the package for it is missing.
    """
    import jax
    import numpy as np

    from mrsjax.inference.posterior import Laplace, Nuts, posterior
    from mrsjax.report.posterior import posterior_rows

    method = {"laplace": Laplace, "nuts": Nuts}[word]()
    spectra = np.asarray(analysis.fids.spectra)[analysis.index]
    rows = []
    for first in range(0, len(spectra), CHUNK):
        part = slice(first, first + CHUNK)
        result = jax.tree.map(lambda x, part=part: x[part], analysis.result)
        key = jax.random.fold_in(jax.random.key(0), first)
        try:
            draws = posterior(analysis.model, spectra[part], result, method, key=key)
        except ImportError as error:
            raise ValueError(str(error)) from None
        rows += posterior_rows(analysis, draws, first=first)
    return rows
