"""What is inferred with the signal model: fits, uncertainties, posteriors, quantification."""

from mrsjax.inference.curves import Curves as Curves
from mrsjax.inference.curves import evaluate as evaluate
from mrsjax.inference.curves import evaluate_all as evaluate_all
from mrsjax.inference.fit import fit as fit
from mrsjax.inference.implicit import Estimate as Estimate
from mrsjax.inference.implicit import differentiable_fit as differentiable_fit
from mrsjax.inference.selection import Choice as Choice
from mrsjax.inference.selection import choose as choose
