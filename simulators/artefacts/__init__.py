"""What disturbs a spectrum: small pure steps that compose, each with a label that says what it did."""

from simulators.artefacts.artefact import Artefact as Artefact
from simulators.artefacts.artefact import Scene as Scene
from simulators.artefacts.baseline import SplineBaseline as SplineBaseline
from simulators.artefacts.baseline import spline_baseline as spline_baseline
from simulators.artefacts.noise import complex_normal as complex_normal
