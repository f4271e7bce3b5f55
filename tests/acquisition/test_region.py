import gzip

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.acquisition.shimming import (
    Cuboid,
    Harmonics,
    MeasuredCoils,
    cuboid_of_affine,
    cuboid_of_spar,
    region,
    region_of_mask,
    stack,
)
from mrsjax.acquisition.shimming.voxel import rotation
from mrsjax.core import FieldMap
from mrsjax.io import FormatError, read_field_map
from mrsjax.io.volume import nifti_bytes
from tests.acquisition.fields import sinus


def test_soft_box_is_the_box_in_the_limit_and_differentiable():
    box = Cuboid([3.0, -2.0, 5.0], [20.0, 15.0, 30.0], rotation([20.0, -10.0, 35.0]))
    corner = np.asarray(box.centre) + np.asarray(box.rotation) @ [9.9, 7.4, 14.9]
    outside = np.asarray(box.centre) + np.asarray(box.rotation) @ [10.1, 7.4, 14.9]
    np.testing.assert_array_equal(box.inside(jnp.asarray([corner, outside])), [1.0, 0.0])
    grid = np.stack(np.meshgrid(*[np.arange(-25, 30, 1.0)] * 3, indexing="ij"), axis=-1)
    assert abs(float(box.inside(jnp.asarray(grid), edge=2.0).sum()) / (20 * 15 * 30) - 1) < 0.01

    def volume(size):
        return Cuboid(box.centre, size, box.rotation).inside(jnp.asarray(grid), edge=2.0).sum()

    slope = jax.grad(volume)(box.size)
    step = 0.01 * jnp.asarray([1.0, 0.0, 0.0])
    np.testing.assert_allclose(slope[0], (volume(box.size + step) - volume(box.size - step)) / 0.02, rtol=1e-4)

    near = jnp.asarray(corner + np.random.default_rng(0).normal(0, 2.0, (50, 3)))

    def member(centre, turn):
        return Cuboid(centre, box.size, turn).inside(near, edge=2.0).sum()

    for argument, steps in ((0, np.eye(3)), (1, np.eye(9).reshape(9, 3, 3)[:4])):
        at = [box.centre, box.rotation]
        found = jax.grad(member, argument)(*at)
        for one in 1e-5 * jnp.asarray(steps):
            ends = [member(*[x + s * one if i == argument else x for i, x in enumerate(at)]) for s in (1, -1)]
            np.testing.assert_allclose(jnp.sum(found * one), 0.5 * (ends[0] - ends[1]), rtol=1e-5, atol=1e-12)
    with pytest.raises(ValueError, match="three positive lengths"):
        Cuboid([0, 0, 0], [10, 0, 10])


def test_quadrature_integrates_polynomials_over_a_turned_box():
    box = Cuboid([3.0, -2.0, 5.0], [20.0, 15.0, 30.0], rotation([20.0, -10.0, 35.0]))
    node, weight = box.nodes((3, 3, 3))
    local = (node - box.centre) @ box.rotation
    np.testing.assert_allclose(weight.sum(), 1.0)
    np.testing.assert_allclose(weight @ local**2, np.asarray(box.size) ** 2 / 12, rtol=1e-12)
    assert float(box.inside(node).min()) == 1.0


def test_geometry_of_files():
    turn = rotation([10.0, 20.0, 30.0])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turn * [20.0, 25.0, 30.0], [1.0, 2.0, 3.0]
    box = cuboid_of_affine(affine)
    np.testing.assert_allclose(box.size, [20.0, 25.0, 30.0])
    np.testing.assert_allclose(box.rotation, turn)
    np.testing.assert_allclose(cuboid_of_affine(affine, (1, 0, 0)).centre, affine[:3, 3] + turn[:, 0] * 20.0)
    header = {f"{a}_{w}": 0.0 for a in ("lr", "ap", "cc") for w in ("angulation", "off_center")}
    header |= {"lr_size": 20.0, "ap_size": 25.0, "cc_size": 30.0, "lr_off_center": 7.0, "ap_off_center": -4.0}
    spar = cuboid_of_spar(header)
    np.testing.assert_allclose(spar.centre, [-7.0, 4.0, 0.0])  # left and posterior are negative in RAS+
    np.testing.assert_allclose(spar.size, [20.0, 25.0, 30.0])
    turned = header | {"lr_angulation": 10.0, "ap_angulation": -20.0, "cc_angulation": 35.0}
    # RAS+: x and y of the scanner's left-posterior-superior frame change their sign, z does not (as spec2nii)
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.deg2rad([-10, 20, 35])), np.sin(np.deg2rad([-10, 20, 35]))
    x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    np.testing.assert_allclose(cuboid_of_spar(turned).rotation, x @ y @ z, atol=1e-12)
    with pytest.raises(ValueError, match="SPAR header"):
        cuboid_of_spar({"lr_size": 20.0})


def test_region_interpolates_the_map_and_leaves_out_the_unknown():
    field_map = sinus()
    linear = FieldMap(field_map.positions @ [0.3, -0.2, 0.1], field_map.known, field_map.affine)
    coils = Harmonics(2)
    inside = region(linear, Cuboid([0, 0, 0], [20, 20, 20]), coils, points=4)
    np.testing.assert_allclose(inside.field, inside.position @ jnp.asarray([0.3, -0.2, 0.1]), atol=1e-9)
    np.testing.assert_allclose(inside.maps[:, :4], jnp.c_[jnp.ones(64), inside.position], atol=1e-9)
    edge = region(linear, Cuboid([0, 48, 0], [20, 20, 20]), coils, points=4)
    assert 0.2 < float(edge.covered) < 0.9
    np.testing.assert_allclose(edge.weight.sum(), 1.0)
    with pytest.raises(ValueError, match="the field is known in 0% of the box"):
        region(linear, Cuboid([0, 150, 0], [20, 20, 20]), coils)


def test_measured_channels_are_read_between_the_points_of_their_maps():
    field_map, ideal = sinus(), Harmonics(1)
    volumes = np.asarray(ideal.maps(jnp.asarray(field_map.positions.reshape(-1, 3))))[:, 1:].reshape(24, 24, 24, 3)
    coils = MeasuredCoils(volumes, field_map.affine, ideal.names[1:])
    place = jnp.asarray([[1.3, -7.0, 20.2]])
    np.testing.assert_allclose(coils.maps(place), ideal.maps(place), atol=1e-9)
    with pytest.raises(ValueError, match="reaches outside the maps"):
        coils.maps(jnp.asarray([[0.0, 0.0, 200.0]]))
    volumes = volumes.copy()
    volumes[:, :, :4, 1] = np.nan  # a channel without numbers at the bottom
    holed = MeasuredCoils(volumes, field_map.affine, ideal.names[1:])
    bottom = field_map.positions[12, 12, [1, 3, 4, 9]]
    np.testing.assert_array_equal(holed.covers(bottom), [False, False, True, True])
    np.testing.assert_allclose(holed.maps(bottom[2:]), ideal.maps(jnp.asarray(bottom[2:])), atol=1e-9)
    with pytest.raises(ValueError, match="a channel has no number"):
        holed.maps(bottom)
    with pytest.raises(ValueError, match="wanted 3 names, found 2"):
        MeasuredCoils(volumes, field_map.affine, ("a", "b"))


def test_batch_of_regions_is_filled_up_without_weight():
    field_map = sinus()
    slices = [np.arange(24)[None, None, :] == k for k in (8, 12)]
    regions = [region_of_mask(field_map, np.broadcast_to(s, (24, 24, 24)), Harmonics(1)) for s in slices]
    both = stack(regions)
    assert both.field.shape == (2, max(len(r.field) for r in regions))
    np.testing.assert_allclose(both.weight.sum(axis=1), 1.0)
    with pytest.raises(ValueError, match="mask: wanted the field map's shape"):
        region_of_mask(field_map, np.ones((2, 2, 2)), Harmonics(1))


GRID = np.diag([4.0, 4.0, 4.0, 1.0])


def _write(path, volume, sidecar=None, affine=GRID):
    path.write_bytes(gzip.decompress(nifti_bytes(volume, affine)))
    if sidecar is not None:
        path.with_suffix(".json").write_text(sidecar)
    return path


def test_units_of_field_maps(tmp_path):
    field = np.linspace(-30.0, 40.0, 60).reshape(3, 4, 5)
    hz = read_field_map(_write(tmp_path / "hz.nii", field, '{"Units": "Hz"}'))
    np.testing.assert_allclose(hz.field, field, atol=1e-4)
    echoes = '{"EchoTime1": 0.00519, "EchoTime2": 0.00765, "Manufacturer": "Siemens", "ImageType": ["P", "PHASE"]}'
    siemens = read_field_map(_write(tmp_path / "si.nii", field * 2 * 4096 * 0.00246, echoes))
    np.testing.assert_allclose(siemens.field, field, atol=1e-3)
    with pytest.raises(FormatError, match="the raw steps"):
        read_field_map(_write(tmp_path / "raw.nii", np.linspace(0, 4095, 60).reshape(3, 4, 5), echoes))
    angular = '{"Units": "rad/s", "MagneticFieldStrength": 7}'
    angular = read_field_map(_write(tmp_path / "rads.nii", field * 2 * np.pi, angular))
    np.testing.assert_allclose(angular.field, field, atol=1e-4)
    assert angular.field_strength == 7.0 and hz.field_strength is None
    rad = read_field_map(_write(tmp_path / "rad.nii", field * 2 * np.pi * 0.002), unit="rad", echo_difference=0.002)
    np.testing.assert_allclose(rad.field, field, atol=1e-4)
    with pytest.raises(FormatError, match="say which: hz, rad, rad/s, siemens"):
        read_field_map(_write(tmp_path / "none.nii", field))
    with pytest.raises(FormatError, match="--echo-difference-ms"):
        read_field_map(tmp_path / "none.nii", unit="rad")
    with pytest.raises(FormatError, match="Units 'tesla'"):
        read_field_map(_write(tmp_path / "tesla.nii", field, '{"Units": "Tesla"}'))
    empty = _write(tmp_path / "empty.nii", 0 * field)
    with pytest.raises(FormatError, match="no voxel with a field"):
        read_field_map(tmp_path / "none.nii", unit="rad", echo_difference=0.002, mask=empty)
    with pytest.raises(FormatError, match="another position or orientation"):
        moved = GRID + np.eye(4, k=3)
        read_field_map(tmp_path / "hz.nii", mask=_write(tmp_path / "moved.nii", np.ones(field.shape), affine=moved))
    with pytest.raises(FormatError, match="wanted the field map's"):
        read_field_map(tmp_path / "hz.nii", mask=_write(tmp_path / "m.nii", np.ones((2, 2, 2))))


def test_wraps_are_reported_and_undone_when_asked(tmp_path):
    pytest.importorskip("skimage")
    x = np.arange(12.0)
    field = np.broadcast_to(40.0 * (x[:, None, None] - 6), (12, 6, 6)) + 5.0 * x[None, :6, None]
    phase = np.angle(np.exp(2j * np.pi * field * 0.0025))  # wraps at +-200 Hz
    path = _write(tmp_path / "wrapped.nii", phase)
    plain = read_field_map(path, unit="rad", echo_difference=0.0025)
    assert int(plain.notes[-1].split()[2]) > 0
    clean = read_field_map(path, unit="rad", echo_difference=0.0025, unwrap=True)
    assert clean.notes[-1].startswith("field map: 0 of")
    known = clean.known
    np.testing.assert_allclose(clean.field[known], field[known], atol=1e-3)


def test_vendor_maps(shared_data):
    folder = shared_data / "field_maps"
    pairs = {
        "GE_6_CV_Neuro_HH_Adv_fieldmaphz": "GE_6_CV_Neuro_HH_Adv",
        "Ph_801_WIP_B0_NS_e2_fieldmaphz": "Ph_801_WIP_B0_NS_e1",
        "Si_3_gre_field_magph_e2_ph": "Si_2_gre_field_magph_e1",
    }
    for name, magnitude in pairs.items():
        found = read_field_map(folder / f"{name}.nii", magnitude=folder / f"{magnitude}.nii")
        values = found.field[found.known]
        assert 10.0 < values.std() < 100.0  # a head at 3 T
        assert abs(np.median(values)) < 40.0
