"""From a recipe's model section to a Keras model."""

import math
from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras as keras

from kws.errors import RunError
from kws.nn.dropout import Dropout
from kws.nn.dscnn import Dscnn
from kws.nn.layers import Attention, Head, Normalize
from kws.nn.points import SIGNED_RANGE, Mode, Points
from kws.nn.recurrent import Bidirectional, Recurrent
from kws.nn.stem import Stem
from kws.recipe_model import ModelConfig

States = tuple[tf.Tensor, ...]


@keras.saving.register_keras_serializable("kws")
class KeywordModel(keras.Model):
    """Raw features to logits: normalisation, stem, recurrent layers, pooling, a dense head.

    Parameters
    ----------
    config : a recipe's model section, as JSON.
    classes : number of labels.
    normalize : configuration of :class:`kws.nn.layers.Normalize`.
    per_channel : int8 scale for each column of the recurrent layers' and the head's kernels.
    folded : whether the stem's batch normalisation is in its kernels.
    mode : how the quantization points run.
    """

    def __init__(
        self,
        config: str,
        classes: int,
        normalize: dict[str, Any],
        per_channel: bool = False,
        folded: bool = False,
        mode: Mode = "float",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.config = ModelConfig.model_validate_json(config)
        self.compiled = self.config.architecture != "dscnn"
        """Whether XLA compiles what is asked of the model; many channels' convolutions it slows"""
        self.classes, self.per_channel = classes, per_channel
        self.normalize = Normalize(**normalize)
        blocks = [block.model_dump(mode="json") for block in self.config.stem]
        self.stem: Stem | Dscnn | None = Stem(blocks, name="stem") if blocks else None
        if self.config.architecture == "dscnn":
            self.stem = Dscnn(name="dscnn")
        layer = Bidirectional if self.config.bidirectional else Recurrent
        self.recurrent: list[Any] = [
            layer(self.config.cell, units, per_channel=per_channel, name=f"recurrent_{i}")
            for i, units in enumerate(self.config.units)
        ]
        self.attention = Attention(name="pool") if self.config.pooling == "attention" else None
        self.head = Head(classes, per_channel, name="head")
        self._initial = (mode, folded)

    @property
    def mode(self) -> Mode:
        """How the quantization points run."""
        return self.normalize.mode

    @property
    def folded(self) -> bool:
        return self.stem is not None and self.stem.convs[0].folded

    def zero_state(self, batch: int) -> States:
        """What nothing has been heard is for each state, the stem's first."""
        shapes = self.stem.shapes(len(self.normalize.mean))[:-1] if self.stem else []
        layers = [shape for layer in self.recurrent for shape in layer.state_shapes]
        return tuple(tf.zeros((batch, *shape)) for shape in [*shapes, *layers])

    def call(
        self, features: tf.Tensor, state: States | None = None, dropout: Dropout | None = None
    ) -> tuple[tf.Tensor, States]:
        """Logits of each step, and the state after the last.

        Parameters
        ----------
        features : (batch, frames, size), raw. The first ``frames % stride`` are not used.
        state : as :meth:`zero_state` gives it; that where not given.
        dropout : given in training: batch normalisation then takes the batch's own statistics.

        Returns
        -------
        (batch, frames / stride, classes), or (batch, 1, classes) where pooled; the states.
        """
        values = self.normalize(features[:, features.shape[1] % self.config.stride :])
        before, after = state or self.zero_state(features.shape[0]), []
        if self.stem:
            kept = before[: len(self.stem.blocks)]
            values, kept = self.stem(values, kept, dropout)
            before, after = before[len(kept) :], list(kept)
        for depth, layer in enumerate(self.recurrent):
            states, before = before[: len(layer.state_shapes)], before[len(layer.state_shapes) :]
            mask = None
            if dropout is not None:
                values = dropout.inputs(values, raw=depth == 0 and not self.stem)
                mask = dropout.states(values.shape[0], layer.outputs)
            values, states = layer(values, states, mask)
            after += states
        if dropout is not None:
            values = dropout.inputs(values)
        return self.head(self._pool(values)), tuple(after)

    def _pool(self, values: tf.Tensor) -> tf.Tensor:
        pooling = self.config.pooling
        if self.attention is not None:
            return self.attention(values)[:, None]
        if pooling == "mean":
            mean = tf.reduce_mean(values, axis=1, keepdims=True)
            return self.directions()[-1].points.fixed(mean, SIGNED_RANGE)
        if pooling == "max":
            return tf.reduce_max(values, axis=1, keepdims=True)
        if self.config.bidirectional:  # each direction's last: of the backward one, at frame 0
            width = self.config.units[-1]
            return tf.concat([values[:, -1:, :width], values[:, :1, width:]], axis=-1)
        return values

    def all_points(self) -> list[Points]:
        """The measured quantization points of all layers."""
        convs = self.stem.convs if self.stem else []
        pool = [self.attention] if self.attention else []
        parts: list[Any] = [*convs, *self.directions(), *pool]
        return [*(part.points for part in parts), self.head.points]

    def directions(self) -> list[Recurrent]:
        """The one-directional layers, bottom up, forward before backward."""
        if not self.config.bidirectional:
            return self.recurrent
        return [part for layer in self.recurrent for part in (layer.forward, layer.backward)]

    def learned(self) -> list[tf.Variable]:
        """What training sets; a folded stem's ``gamma`` has no more say."""
        ended = {id(conv.gamma) for conv in self.stem.convs if conv.folded} if self.stem else set()
        return [weight for weight in self.trainable_variables if id(weight) not in ended]

    def set_mode(self, mode: Mode) -> None:
        """Run the quantization points in another way; functions must be traced anew."""
        self.normalize.mode = mode
        for points in self.all_points():
            points.mode = mode

    def batch_statistics(self) -> list[tf.Tensor]:
        """What batch normalisation took of the batch, in training; in the graph of the call."""
        return [part for conv in self._normalizing() for part in conv.batch]

    def remember(self, statistics: list[tf.Tensor]) -> None:
        """Move what batch normalisation keeps towards a batch's statistics."""
        pairs = zip(statistics[::2], statistics[1::2], strict=True)
        for conv, (mean, variance) in zip(self._normalizing(), pairs, strict=False):
            conv.remember(mean, variance)

    def _normalizing(self) -> list[Any]:
        return [conv for conv in self.stem.convs if not conv.folded] if self.stem else []

    def fold(self) -> None:
        """End batch normalisation; functions must be traced anew."""
        if self.stem:
            for conv in self.stem.convs:
                conv.fold()

    def get_config(self) -> dict:
        return {
            "config": self.config.model_dump_json(),
            "classes": self.classes,
            "normalize": {
                key: self.normalize.get_config()[key]
                for key in ("mean", "deviation", "low", "high")
            },
            "per_channel": self.per_channel,
            "folded": self.folded,
            "mode": self.mode,
        }

    def build_for(self, size: int) -> "KeywordModel":
        """Make the weights, for ``size`` features a frame."""
        self(tf.zeros((1, 2 * self.config.stride, size)))
        mode, folded = self._initial
        self.set_mode(mode)
        if self.stem:
            for conv in self.stem.convs:
                conv.folded = folded
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
    if config.stem or config.architecture == "dscnn":
        normalize["mean"] = [_whole_steps(stats)] * len(stats.mean)
    model = KeywordModel(config.model_dump_json(), classes, normalize, per_channel)
    return model.build_for(len(stats.mean))


def _whole_steps(stats) -> float:
    """The mean over all bands, to int8 steps of the features: the input's zero point takes it in.

    So a stem's state before the first frame, zero, is a frame of this level.
    """
    step = (max(stats.high, 0.0) - min(stats.low, 0.0)) / 255.0
    return float(round(float(stats.mean.mean()) / step) * step)


def trainable_weights(model: KeywordModel) -> int:
    """Number of weights and biases that training sets."""
    return sum(math.prod(weight.shape) for weight in model.learned())


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
