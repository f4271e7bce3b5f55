"""Every page of ours: self-contained HTML from a template, its texts escaped, nothing fetched from a network."""

from __future__ import annotations

from importlib import resources
from typing import Any

import numpy as np


def page(template: str, *, plots: bool = True, **values: Any) -> str:
    """The template with `values`; `css`, with `plots` also `plotly`, and the filters `short` and `fixed` are there too."""
    # Imported here: jinja2 and plotly cost 0.2 s that other commands do not need.
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mrsjax.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters |= {"fixed": fixed, "short": short}
    trusted = {"css": own_text("report.css")}
    if plots:
        from plotly.offline import get_plotlyjs

        trusted["plotly"] = get_plotlyjs()
    # Texts of our own and of the plotly package: marked safe here, and `script` of the fit's page, and nothing else.
    marked = {k: jinja2.utils.markupsafe.Markup(v) for k, v in trusted.items()}
    return environment.get_template(template).render(**marked, **values)


def own_text(name: str) -> str:
    """A file of the package's templates."""
    return (resources.files("mrsjax.report") / "templates" / name).read_text(encoding="utf-8")


def short(x: float) -> str:
    """Three significant digits without exponents where that reads well."""
    if not np.isfinite(x):
        return "\u2013"
    if x == 0 or 1e-3 <= abs(x) < 1e5:
        return f"{x:.3g}" if abs(x) < 1000 else f"{x:.0f}"
    return f"{x:.2e}"


def fixed(x: float, digits: int) -> str:
    """A number with that many decimals, or a dash."""
    return f"{x:.{digits}f}" if np.isfinite(x) else "\u2013"
