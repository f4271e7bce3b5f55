"""What is appended to a basis on request."""

import json

import nibabel as nib
import numpy as np

from mrsjax import io
from mrsjax.core import Sampling
from simulators import spins
from simulators.spins.extras import reference_line, with_macromolecules, with_measured

SAMPLING = Sampling(5e-4, 123.25e6, 128)


def test_macromolecules_and_measured_entries_come_after_the_metabolites():
    basis = spins.simulate([spins.metabolite("Cr"), reference_line()], spins.press(0.03), SAMPLING)
    more = with_macromolecules(basis)
    assert more.names[:2] == ("Cr", "TMS") and len(more.names) > 5
    np.testing.assert_array_equal(more.fids[:2], basis.fids)
    assert "macromolecule" in more.origin.header["appended"][0]
    measured = spins.simulate([spins.singlet("MM_measured", 0.9)], spins.press(0.03), SAMPLING)
    assert with_measured(more, measured).names[-1] == "MM_measured"


def test_the_reference_line_is_at_zero_ppm():
    basis = spins.simulate([reference_line()], spins.press(0.03), SAMPLING)
    step = np.angle(basis.fids[0, 1] / basis.fids[0, 0]) / (2 * np.pi * 5e-4)
    wanted = -4.65 * 123.25
    assert abs((step - wanted + 1000) % 2000 - 1000) < 1e-6


def test_a_basis_is_written_as_nifti_mrs_with_names_and_provenance(tmp_path):
    basis = spins.simulate([spins.metabolite("Cr"), reference_line()], spins.press(0.03), SAMPLING)
    io.write_basis(basis, tmp_path / "b.nii.gz")
    back = io.read_basis(tmp_path / "b.nii.gz")
    assert back.names == ("Cr", "TMS") and back.origin.echo_time == 0.03
    np.testing.assert_allclose(back.fids, basis.fids, atol=1e-12)
    header = json.loads(nib.load(tmp_path / "b.nii.gz").header.extensions[0].get_content())
    assert header["dim_5"] == "DIM_USER_0" and header["dim_5_header"]["BasisEntry"]["Value"] == ["Cr", "TMS"]
    assert header["BasisOrigin"]["Value"]["gamma_bar_hz_per_t"] == 42.577478518e6
