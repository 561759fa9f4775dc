"""From a recipe's model section to a Keras model."""

import math
from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras as keras

from kws.errors import RunError
from kws.nn.layers import Bidirectional, Head, Normalize, Recurrent
from kws.nn.points import Mode, Points
from kws.recipe import ModelConfig


@keras.saving.register_keras_serializable("kws")
class KeywordModel(keras.Model):
    """Raw features to logits: normalisation, recurrent layers, a dense head.

    Parameters
    ----------
    units, bidirectional : as in :class:`kws.recipe.ModelConfig`.
    classes : number of labels.
    normalize : configuration of :class:`kws.nn.layers.Normalize`.
    per_channel : int8 scale for each column of the kernels.
    mode : how the quantization points run.
    """

    def __init__(
        self,
        units: list[int],
        bidirectional: bool,
        classes: int,
        normalize: dict[str, Any],
        per_channel: bool = False,
        mode: Mode = "float",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units, self.bidirectional, self.classes = list(units), bidirectional, classes
        self.per_channel = per_channel
        self.normalize = Normalize(**normalize)
        layer = Bidirectional if bidirectional else Recurrent
        self.recurrent: list[Any] = [
            layer(count, per_channel=per_channel, name=f"recurrent_{i}")
            for i, count in enumerate(units)
        ]
        self.head = Head(classes, per_channel, name="head")
        self._initial_mode = mode

    @property
    def mode(self) -> Mode:
        """How the quantization points run."""
        return self.normalize.mode

    @property
    def state_sizes(self) -> list[int]:
        return [count * (2 if self.bidirectional else 1) for count in self.units]

    def zero_state(self, batch: int) -> list[tf.Tensor]:
        return [tf.zeros((batch, size)) for size in self.state_sizes]

    def call(
        self, features: tf.Tensor, state: list[tf.Tensor] | None = None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Logits of each frame, and the state after the last.

        Parameters
        ----------
        features : (batch, frames, size), raw.
        state : one (batch, size) a layer; zeros where not given.

        Returns
        -------
        (batch, frames, classes), or (batch, 1, classes) where bidirectional; the layers' states.
        """
        values = self.normalize(features)
        before = state or self.zero_state(features.shape[0])
        after = []
        for layer, last in zip(self.recurrent, before, strict=True):
            values, last = layer(values, last)
            after.append(last)
        if self.bidirectional:
            values = after[-1][:, None, :]
        return self.head(values), after

    def all_points(self) -> list[Points]:
        """The measured quantization points of all layers."""
        return [*(layer.points for layer in self.directions()), self.head.points]

    def directions(self) -> list[Recurrent]:
        """The one-directional layers, bottom up, forward before backward."""
        if not self.bidirectional:
            return self.recurrent
        return [part for layer in self.recurrent for part in (layer.forward, layer.backward)]

    def set_mode(self, mode: Mode) -> None:
        """Run the quantization points in another way; functions must be traced anew."""
        self.normalize.mode = mode
        for points in self.all_points():
            points.mode = mode

    def get_config(self) -> dict:
        return {
            "units": self.units,
            "bidirectional": self.bidirectional,
            "classes": self.classes,
            "normalize": {
                key: self.normalize.get_config()[key]
                for key in ("mean", "deviation", "low", "high")
            },
            "per_channel": self.per_channel,
            "mode": self.mode,
        }

    def build_for(self, size: int) -> "KeywordModel":
        """Make the weights, for ``size`` features a frame."""
        self(tf.zeros((1, 2, size)))
        self.set_mode(self._initial_mode)
        return self

    def build_from_config(self, _config: dict) -> None:
        self.build_for(len(self.normalize.mean))


def build_model(
    config: ModelConfig, classes: int, stats, per_channel: bool, seed: int
) -> KeywordModel:
    """A model with fresh weights drawn from ``seed``."""
    keras.utils.set_random_seed(seed)
    normalize = {
        "mean": [float(value) for value in stats.mean],
        "deviation": float(stats.deviation),
        "low": float(stats.low),
        "high": float(stats.high),
    }
    model = KeywordModel(config.units, config.bidirectional, classes, normalize, per_channel)
    return model.build_for(len(stats.mean))


def trainable_weights(model: KeywordModel) -> int:
    """Number of weights and biases that training sets."""
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def load_model(path: Path) -> KeywordModel:
    """Read ``model.keras``.

    Raises
    ------
    RunError
        When it is missing or damaged.
    """
    if not path.is_file():
        raise RunError(
            f"{path}: missing; the training has not finished: run it again with --resume"
        )
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever the damage leads it to
        raise RunError(f"{path}: damaged ({type(error).__name__}); train again") from error
    return model
