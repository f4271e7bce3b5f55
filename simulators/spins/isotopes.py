"""Spin quantum numbers and which nuclei have a gyromagnetic ratio here."""

from mrsjax.core.constants import GYROMAGNETIC_RATIO

#: Twice the nuclear spin (Harris et al. 2001, IUPAC recommendations).
TWICE_SPIN = {"1H": 1, "2H": 2, "13C": 1, "14N": 2, "15N": 1, "17O": 5, "19F": 1, "23Na": 3, "31P": 1, "129Xe": 1}


def twice_spin(isotope: str) -> int:
    """2 S of an isotope.

    **Raises:** `ValueError` for an isotope that is not in the table.
    """
    if isotope not in TWICE_SPIN:
        raise ValueError(f"isotope: wanted one of {', '.join(TWICE_SPIN)}, found {isotope!r}")
    return TWICE_SPIN[isotope]


def gamma_bar(isotope: str) -> float:
    """gamma / 2 pi in Hz/T.

    **Raises:** `ValueError` for a nucleus without a value in `mrsjax.core.constants`.
    """
    if isotope not in GYROMAGNETIC_RATIO:
        raise ValueError(f"isotope: wanted one of {', '.join(GYROMAGNETIC_RATIO)}, found {isotope!r}")
    return GYROMAGNETIC_RATIO[isotope]
