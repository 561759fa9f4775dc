"""Models and their training, in tf_keras."""

import os

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # or TensorFlow loads a Keras that is not used
