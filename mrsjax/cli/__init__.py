"""The command `mrsjax`: argument parsing only. Nothing here imports JAX or numpy before a command runs."""

from mrsjax.cli.entry import main as main
