"""Networks inside the signal model: encoders in Flax, the model as decoder, the fit as a layer, one training loop."""

from mrsjax.nn.data import Matched as Matched
from mrsjax.nn.data import Measured as Measured
from mrsjax.nn.data import calibrate as calibrate
from mrsjax.nn.encoders import register as register
from mrsjax.nn.familiarity import Familiarity as Familiarity
from mrsjax.nn.familiarity import distances as distances
from mrsjax.nn.familiarity import familiarity as familiarity
from mrsjax.nn.flax_net import FlaxNet as FlaxNet
from mrsjax.nn.frozen import Frozen as Frozen
from mrsjax.nn.frozen import partition as partition
from mrsjax.nn.losses import weighted as weighted
from mrsjax.nn.network import Network as Network
from mrsjax.nn.network import NetworkSpec as NetworkSpec
from mrsjax.nn.network import build as build
from mrsjax.nn.prediction import predict as predict
from mrsjax.nn.storage import Saved as Saved
from mrsjax.nn.storage import load as load
from mrsjax.nn.training import Training as Training
from mrsjax.nn.training import train as train
