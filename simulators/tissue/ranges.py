"""Published ranges of uniform priors for training data."""

from types import MappingProxyType

#: mmol/L, lower and upper end: Shamaei 2023 (table of the simulated data set), in our names.
SHAMAEI_2023 = MappingProxyType(
    {
        "Ala": (0.1, 1.5), "Asp": (1.0, 2.0), "Cr": (4.5, 10.5), "GABA": (1.0, 2.0), "GPC": (0.5, 2.0), "GSH": (1.5, 3.0),
        "Glc": (1.0, 2.0), "Gln": (3.0, 6.0), "Glu": (6.0, 12.5), "Gly": (0.4, 1.0), "Ins": (3.8, 8.1), "Lac": (0.2, 1.0),
        "NAA": (7.5, 17.0), "NAAG": (0.5, 2.5), "PCh": (0.5, 2.0), "PCr": (3.0, 5.5), "PE": (1.0, 2.0), "Tau": (2.0, 6.0),
        "Scyllo": (0.3, 0.6),
    }
)  # fmt: skip

#: Ascorbate is not in that table: a modelling choice about the mean of the meta-analysis (Gudmundson 2023: 0.83 IU in adults).
OTHERS = MappingProxyType({"Asc": (0.5, 1.5)})
