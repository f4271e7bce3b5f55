"""Published learned systems, trained here from scratch on simulated data, beside the classical fit on the same data."""
