"""Relaxation times and water contents of human brain, each value with its source.

Times in s. Only fields whose values could be read in print are tabulated (3 T and 7 T); for other fields the caller
passes a `RelaxationTable` of their own: nothing is extrapolated over the field.
"""

import dataclasses
from collections.abc import Mapping

from mrsjax.core.metabolites import SUMS

TISSUES = ("gm", "wm", "csf")


@dataclasses.dataclass(frozen=True)
class Constant:
    """A number that entered a result: `value` in `unit`, and where it comes from."""

    name: str
    value: float
    unit: str
    source: str


#: MR-visible water of a tissue relative to pure water, by volume.
WATER_CONTENT = {
    "gm": Constant("water content of grey matter", 0.78, "1", "Ernst 1993, as used by Gasparovic 2006"),
    "wm": Constant("water content of white matter", 0.65, "1", "Ernst 1993, as used by Gasparovic 2006"),
    "csf": Constant("water content of CSF", 0.97, "1", "Ernst 1993, as used by Gasparovic 2006"),
}
WATER_MOLALITY = Constant("molality of pure water", 55.51e3, "mmol/kg", "1 / 18.015 g/mol (IUPAC)")
WATER_MOLARITY = Constant(
    "concentration of pure water at 37 degC", 55.14e3, "mmol/L", "55.51 mol/kg x 0.9933 kg/L (Tanaka 2001)"
)


@dataclasses.dataclass(frozen=True)
class Times:
    """T1 and T2 (s) of one signal in one tissue, and their source."""

    t1: float
    t2: float
    source: str


@dataclasses.dataclass(frozen=True)
class RelaxationTable:
    """Relaxation at one field.

    - `field_strength`: T.
    - `water`: tissue (`gm`, `wm`, `csf`) -> `Times`.
    - `metabolites`: name -> (`Times` in grey matter, `Times` in white matter).
    - `other`: the pair used for metabolites that are not listed.
    """

    field_strength: float
    water: Mapping[str, Times]
    metabolites: Mapping[str, tuple[Times, Times]]
    other: tuple[Times, Times]

    def of(self, metabolite: str) -> tuple[Times, Times]:
        """Times of a metabolite in grey and in white matter; of a sum (tNAA, tCr, tCho, Glx) those of its first part."""
        part = SUMS.get(metabolite, (metabolite,))[0]
        return self.metabolites.get(part, self.other)


_M01 = "T1 Mlynarik 2001"
_W18 = "T2 Wyss 2018 (two cortical regions; periventricular white matter)"
_X13 = "T1 Xin 2013"
_M12 = "T2 Marjanska 2012 (mean of four regions)"


def _pair(t1: tuple[float, float], t2: tuple[float, float], source: str) -> tuple[Times, Times]:
    """Grey and white matter from milliseconds, as the papers print them."""
    return Times(t1[0] * 1e-3, t2[0] * 1e-3, source), Times(t1[1] * 1e-3, t2[1] * 1e-3, source)


# Mlynarik 2001 gives T1 of NAA, Glu, tCr, tCho and Ins; the others take the mean of these five (grey 1340, white 1190
# ms).
_MEAN_3T = "T1 mean of five metabolites of Mlynarik 2001"
_T2_3T = {  # ms: grey (mean of the two cortical regions), white
    "Asc": (115, 172), "Asp": (100.5, 148), "Cr": (146, 166), "PCr": (146, 166), "Gln": (110.5, 168),
    "Glu": (128.5, 124), "Gly": (91.5, 152), "GPC": (248, 218), "PCh": (247.5, 213), "Cho": (248, 218),
    "GSH": (88.5, 145),
    "Lac": (104.5, 159), "Ins": (236.5, 161), "NAA": (258, 343), "NAAG": (117.5, 185), "PE": (102.5, 158),
    "Scyllo": (116, 170),
}  # fmt: skip
_T1_3T = {"NAA": (1470, 1350), "Glu": (1270, 1170), "Cr": (1460, 1240), "PCr": (1460, 1240), "Ins": (1230, 1010)}
_T1_3T |= {name: (1300, 1080) for name in ("GPC", "PCh", "Cho")}
_METABOLITES_3T = {
    name: _pair(_T1_3T.get(name, (1340, 1190)), t2, f"{_M01 if name in _T1_3T else _MEAN_3T}; {_W18}")
    for name, t2 in _T2_3T.items()
}
# No white-matter T2 of GABA and Tau was measured at 3 T: the cortical value serves both.
_METABOLITES_3T["GABA"] = _pair(
    (1310, 1310), (88.5, 88.5), "T1 Puts 2013; T2 Wyss 2018 (cortex, used for both tissues)"
)
_METABOLITES_3T["Tau"] = _pair(
    (1340, 1190), (112.5, 112.5), f"{_MEAN_3T}; T2 Wyss 2018 (cortex, used for both tissues)"
)

_METABOLITES_7T = {
    name: _pair(t1, (t2, t2), f"{_X13}; {_M12}")
    for name, (t1, t2) in {
        "NAA": ((1780, 1830), 155), "NAAG": ((1210, 940), 155), "Cr": ((1740, 1780), 107), "PCr": ((1740, 1780), 107),
        "GPC": ((1510, 1320), 153), "PCh": ((1510, 1320), 153), "Cho": ((1510, 1320), 153),
        "Glu": ((1610, 1750), 104.5),
        "Gln": ((1640, 1740), 104.5), "GSH": ((1140, 1060), 79.3), "Ins": ((1280, 1190), 110.5),
        "Scyllo": ((1310, 1230), 104.5),
        "Tau": ((2150, 2090), 97),
    }.items()
}  # fmt: skip

TABLES = (
    RelaxationTable(
        3.0,
        {
            "gm": Times(1.331, 0.110, "Wansapura 1999"),
            "wm": Times(0.832, 0.0792, "Wansapura 1999"),
            "csf": Times(3.817, 0.503, "T1 Lu 2005; T2 Piechnik 2009"),
        },
        _METABOLITES_3T,
        _pair((1340, 1190), (140, 169), f"{_MEAN_3T}; T2 mean over metabolites of Wyss 2018"),
    ),
    RelaxationTable(
        7.0,
        {
            "gm": Times(2.130, 0.047, "T1 Rooney 2007; T2 Cox and Gowland 2010"),
            "wm": Times(1.220, 0.047, "T1 Rooney 2007; T2 Cox and Gowland 2010"),
            "csf": Times(4.425, 1.05, "T1 Rooney 2007; T2 Spijkerman 2018"),
        },
        _METABOLITES_7T,
        _pair((1530, 1484), (127, 128), "T1 mean of tNAA, tCr, tCho, Glx, Ins of Xin 2013; T2 mean of Marjanska 2012"),
    ),
)


def relaxation_table(field_strength: float) -> RelaxationTable:
    """The table for a field (T); fields within 10 % of a tabulated one count as that one (2.89 T is a "3 T" scanner).

    **Raises:** `ValueError` for another field.
    """
    for table in TABLES:
        if abs(field_strength / table.field_strength - 1) <= 0.1:
            return table
    have = " and ".join(f"{t.field_strength:g} T" for t in TABLES)
    raise ValueError(
        f"field_strength: wanted a field with tabulated relaxation times ({have}), found {field_strength:.2f} T"
    )
