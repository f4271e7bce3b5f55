"""Physical constants and field-wide conventions, each with its source."""

import math

#: gamma / 2 pi in Hz/T, CODATA 2018 (proton, free) and Harris et al. 2001 (IUPAC) for the others.
GYROMAGNETIC_RATIO = {
    "1H": 42.577478518e6,
    "2H": 6.536e6,
    "13C": 10.7084e6,
    "14N": 3.077e6,
    "15N": -4.316e6,
    "19F": 40.078e6,
    "31P": 17.235e6,
}

#: Chemical shift of water at 37 degC relative to DSS, ppm (Govindaraju et al. 2000; the field's default reference of 1H MRS).
PPM_REF_WATER = 4.65

#: FWHM of a Gaussian line = GAUSS_FWHM * standard deviation in the same unit.
GAUSS_FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))
