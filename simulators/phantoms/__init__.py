"""Worlds to measure in: label maps, heads with their fields, coil sensitivities, k-space, a spectrometer's sample."""

from simulators.phantoms.coils import loop_sensitivities as loop_sensitivities
from simulators.phantoms.head import FLAIR as FLAIR
from simulators.phantoms.head import SUSCEPTIBILITY as SUSCEPTIBILITY
from simulators.phantoms.head import T1W as T1W
from simulators.phantoms.head import Lesion as Lesion
from simulators.phantoms.head import Tissue as Tissue
from simulators.phantoms.head import head as head
from simulators.phantoms.head import lesioned as lesioned
from simulators.phantoms.head import random_lesion as random_lesion
from simulators.phantoms.head import rendered as rendered
from simulators.phantoms.kspace import elliptical as elliptical
from simulators.phantoms.kspace import reconstructed as reconstructed
from simulators.phantoms.kspace import sampled as sampled
from simulators.phantoms.kspace import variable_density as variable_density
from simulators.phantoms.nonuniform import image_along as image_along
from simulators.phantoms.nonuniform import rosette as rosette
from simulators.phantoms.nonuniform import sampled_along as sampled_along
from simulators.phantoms.nonuniform import spiral as spiral
