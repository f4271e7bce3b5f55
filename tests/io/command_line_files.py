"""Files that the command line reads beside spectra: settings, masks, field maps; each (writer, reader)."""

import numpy as np

from mrsjax.io.field_map import read_field_map


def settings_file(folder):
    text = "te_ms: 30\nomit: [Ala, Gly]\npeak: tNAA\nmodel:\n  baseline: 4.0\n  window_ppm: [0.2, 4.2]\n  ratios: {GABA: 0.1}\n"
    path = folder / "settings.yaml"
    path.write_text(text + "relaxation: {water: {gm: [1300, 100]}, metabolites: [1300, 200]}\n")
    return path


def npy_file(folder):
    np.save(folder / "mask.npy", np.arange(24.0).reshape(2, 3, 4) > 7)
    return folder / "mask.npy"


def image_file(folder):
    import nibabel

    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([3.0, 3, 3, 1])), folder / "map.nii")
    (folder / "map.json").write_text('{"Units": "Hz"}')
    return folder / "map.nii"


def read_settings(path):
    from mrsjax.cli.settings import read_config

    return read_config(str(path))


def read_volume(path):
    from mrsjax.cli.inputs import volume

    return volume(str(path))


FILES = {
    "settings": (settings_file, read_settings),
    "npy_mask": (npy_file, read_volume),
    "nifti_mask": (image_file, read_volume),
    "field_map": (image_file, read_field_map),
}
