"""What the MRSinMRS table finds in headers, native or of the file that was converted."""

import dataclasses

import numpy as np
import pytest

from mrsjax.core import Acquisition
from mrsjax.report.methods import mrsinmrs
from mrsjax.report.scan import UNKNOWN

#: Oblique voxels of 20 x 15 x 12 mm: lengths of the columns, not of the rows.
TURN = np.array([[np.cos(0.3), -np.sin(0.3), 0], [np.sin(0.3), np.cos(0.3), 0], [0, 0, 1.0]])
AFFINE = np.eye(4)
AFFINE[:3, :3] = TURN @ np.diag([20.0, 15, 12])
VOI = np.diag([80.0, 70, 12, 1])
SPAR = {"lr_size": 26, "ap_size": 27, "cc_size": 30}
RDA = {"VOIReadoutFOV": 20.0, "VOIPhaseFOV": 40.0, "VOIThickness": 25.0, "ModelName": "Skyra"}


@pytest.mark.parametrize(
    "affine, header, item, said",
    [
        (AFFINE, {}, "Volume of interest", "20 x 15 x 12 mm"),
        (AFFINE, {"VOI": VOI.tolist()}, "Volume of interest", "80 x 70 x 12 mm"),
        (None, SPAR, "Volume of interest", "26 x 27 x 30 mm"),
        (None, RDA, "Volume of interest", "20 x 40 x 25 mm"),
        (None, {"SourceHeader": {"Value": SPAR}}, "Volume of interest", "26 x 27 x 30 mm"),
        (None, {"VOI": "nonsense"}, "Volume of interest", UNKNOWN),
        (None, {"SourceHeader": {"Value": RDA}, "Manufacturer": "SIEMENS"}, "Manufacturer and model", "SIEMENS, Skyra"),
        (None, {"Manufacturer": "GE", "ManufacturersModelName": "MR750"}, "Manufacturer and model", "GE, MR750"),
        (None, {"WaterSuppressed": True}, "Water suppression", "yes"),
        (None, {"WaterSuppressed": False}, "Water suppression", "no"),
        (None, {"WaterSuppressed": True, "WaterSuppressionType": "VAPOR"}, "Water suppression", "VAPOR"),
        (None, {}, "Water suppression", UNKNOWN),
    ],
)  # fmt: skip
def test_the_table_reads_what_the_file_says(affine, header, item, said, analysis_of, run):
    analysis = analysis_of("single")
    fids = dataclasses.replace(analysis.fids, acquisition=Acquisition(affine=affine, header=header))
    items = {i.name: i.value for i in mrsinmrs(dataclasses.replace(analysis, fids=fids), run)}
    assert items[item] == said


def test_a_grid_has_voxels_in_a_volume(analysis_of, run):
    analysis = analysis_of("grid")
    fids = dataclasses.replace(analysis.fids, acquisition=Acquisition(affine=AFFINE, header={"VOI": VOI.tolist()}))
    items = {i.name: i.value for i in mrsinmrs(dataclasses.replace(analysis, fids=fids), run)}
    assert items["Volume of interest"] == "voxels of 20 x 15 x 12 mm in a volume of 80 x 70 x 12 mm"
