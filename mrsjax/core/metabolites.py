"""Names of metabolites: aliases between tools, the sums that are reported, and which components are macromolecules or lipids."""

#: Name used here -> names found in other tools' files (compared without case).
ALIASES = {
    "Ala": ("Alanine",),
    "Asc": ("Ascorbate",),
    "Asp": ("Aspartate",),
    "Cho": ("Choline",),
    "Cr": ("Creatine", "Cre"),
    "PCr": ("Phosphocreatine",),
    "GABA": ("gaba",),
    "Glc": ("Glucose", "Glu_c"),
    "Gln": ("Glutamine",),
    "Glu": ("Glutamate",),
    "Gly": ("Glycine",),
    "GPC": ("Glycerophosphocholine",),
    "GSH": ("Glutathione", "Glth"),
    "Ins": ("mI", "mIns", "m-Ins", "Myo", "myo-Ins"),
    "Lac": ("Lactate",),
    "NAA": ("N-acetylaspartate",),
    "NAAG": ("N-acetylaspartylglutamate",),
    "PCh": ("PCho", "Phosphocholine"),
    "PE": ("PEtA", "Phosphoethanolamine"),
    "Scyllo": ("sIns", "sI", "Scy", "Scyl", "scyllo-Ins", "sMI"),
    "Tau": ("Taurine",),
    "Ser": ("Serine",),
    "bHB": ("bHb", "BHB"),
    "H2O": ("Water",),
}

_CANONICAL = {alias.lower(): name for name, aliases in ALIASES.items() for alias in (name, *aliases)}

#: Sums that are reported beside their parts.
SUMS = {
    "tNAA": ("NAA", "NAAG"),
    "tCr": ("Cr", "PCr"),
    "tCho": ("GPC", "PCh", "Cho"),
    "Glx": ("Glu", "Gln"),
}

_MACROMOLECULE_PREFIXES = ("mm", "mac", "lip", "-cr")
_NUISANCE_PREFIXES = (*_MACROMOLECULE_PREFIXES, "water", "h2o", "tms", "dss", "ref")


def canonical(name: str) -> str:
    """The project's name of a metabolite; an unknown name is returned as it is."""
    return _CANONICAL.get(name.strip().lower(), name.strip())


def is_nuisance(name: str) -> bool:
    """Whether a basis entry is no metabolite: macromolecule, lipid, CH2 correction, water or reference."""
    return name.strip().lower().startswith(_NUISANCE_PREFIXES)


def is_macromolecule(name: str) -> bool:
    """Whether a basis entry belongs beside the metabolites in a fit: macromolecule, lipid or CH2 correction."""
    return name.strip().lower().startswith(_MACROMOLECULE_PREFIXES)
