"""What a population of brain spectra looks like: priors over concentrations, relaxation, lines and macromolecules."""

from simulators.tissue.population import Population as Population
from simulators.tissue.population import widen as widen
