"""Sequences in YAML and waveforms in text files."""

import math

import numpy as np
import pytest

from mrsjax.core import Sampling
from simulators import spins
from simulators.spins.pulse_files import read_bruker, read_pta
from simulators.spins.sequence_files import load_sequence

SAMPLING = Sampling(5e-4, 123.25e6, 64)

YAML = """
name: echo
echo_time_ms: 20
events:
  - {pulse: ideal, flip_deg: 90, phase_deg: 90}
  - {orders: [1]}
  - {delay_ms: 10}
  - {pulse: ideal, flip_deg: 180}
  - {orders: [-1]}
  - {delay_ms: 10}
  - readout
"""


def test_a_yaml_sequence_is_the_one_it_describes(tmp_path):
    (tmp_path / "echo.yaml").write_text(YAML)
    systems = [spins.metabolite("Asp")]
    ours = spins.signals(systems, load_sequence(tmp_path / "echo.yaml"), SAMPLING)
    np.testing.assert_allclose(ours, spins.signals(systems, spins.spin_echo(0.02), SAMPLING), atol=1e-10)


def test_a_wrong_event_is_named(tmp_path):
    (tmp_path / "bad.yaml").write_text(YAML.replace("flip_deg: 180", "angle: 180"))
    with pytest.raises(ValueError, match=r"event 3.*flip_deg"):
        load_sequence(tmp_path / "bad.yaml")


def test_pta_text_is_read_with_its_signs_and_scale(tmp_path):
    lines = ["PULSENAME: test", "COMMENT: three samples", "0.5 0.0 ; (0)", "1.0 1.5 ; (1)", "0.5 3.14159 ; (2)"]
    (tmp_path / "p.pta").write_text("\n".join(lines))
    wave = read_pta(tmp_path / "p.pta", 3e-3, b1_max=800.0)
    np.testing.assert_allclose(wave.amplitude, [400, 800, 400])
    np.testing.assert_allclose(wave.phase, [0.0, 1.5, 3.14159])


def test_bruker_shape_is_read_in_percent_and_degrees(tmp_path):
    lines = [
        "##TITLE= x",
        "##NPOINTS= 4",
        "##XYPOINTS= (XY..XY)",
        "50.0, 0.0",
        "100.0, 0.0",
        "100.0, 0.0",
        "50.0, 180.0",
        "##END=",
    ]
    (tmp_path / "shape").write_text("\n".join(lines))
    wave = read_bruker(tmp_path / "shape", 1e-3, flip=math.pi / 2)
    np.testing.assert_allclose(wave.integral, 0.25)  # (0.5 + 1 + 1 - 0.5) / 4 of the peak
    np.testing.assert_allclose(wave.amplitude[1] / wave.amplitude[0], 2.0)
    np.testing.assert_allclose(wave.phase, [0, 0, 0, np.pi])


def test_a_file_without_samples_or_scale_says_so(tmp_path):
    (tmp_path / "empty.pta").write_text("PULSENAME: nothing")
    with pytest.raises(ValueError, match="found none"):
        read_pta(tmp_path / "empty.pta", 1e-3, flip=1.0)
    (tmp_path / "p.pta").write_text("1.0 0.0 ; (0)")
    with pytest.raises(ValueError, match="flip"):
        read_pta(tmp_path / "p.pta", 1e-3)


def test_a_pulseq_pulse_comes_in_with_its_flip_angle(tmp_path):
    pypulseq = pytest.importorskip("pypulseq", reason="pypulseq is an extra")
    from simulators.spins.pulse_files import read_pulseq

    sequence = pypulseq.Sequence()
    sequence.add_block(pypulseq.make_sinc_pulse(flip_angle=math.pi / 2, duration=3e-3, time_bw_product=4))
    sequence.write(str(tmp_path / "x.seq"))
    wave = read_pulseq(tmp_path / "x.seq", 1)
    np.testing.assert_allclose(wave.duration, 3e-3, rtol=1e-2)
    np.testing.assert_allclose(wave.integral, 0.25, rtol=1e-2)
