"""`--posterior`: the table that it adds to the results."""

from __future__ import annotations

from typing import Any

#: Words of the command line.
METHODS = ("laplace", "nuts")


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
    try:
        draws = posterior(analysis.model, spectra, analysis.result, method, key=jax.random.key(0))
    except ImportError as error:
        raise ValueError(str(error)) from None
    return posterior_rows(analysis, draws)
