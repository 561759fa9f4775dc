"""One step of each recurrent cell, written once for training, conversion and calibration.

A cell says what it computes in terms of ``ops``, whose methods are the few operators that a
microcontroller runs in int8. Trained with :class:`kws.nn.points.KerasOps` each operator's result
gets a quantization point; converted with :class:`kws.tflite.ops.TfliteOps` the same calls write
the operators and the same points give their scales. So what is trained is what is deployed.
"""

from typing import Any, ClassVar, Protocol

Value = Any
"""A tensor in training, the index of one in conversion."""
STATE = "state"
"""The one point whose range is fixed: -1..1 in steps of 1/128, what int8 TANH gives."""


class Ops(Protocol):
    """Int8 operators; ``point`` names the quantization point of a result of no fixed range."""

    def add(self, point: str, a: Value, b: Value) -> Value: ...

    def mul(self, point: str, a: Value, b: Value) -> Value: ...

    def sigmoid(self, a: Value) -> Value:
        """Range 0..1, fixed."""

    def tanh(self, a: Value) -> Value:
        """Range -1..1, fixed."""

    def one_minus(self, a: Value) -> Value:
        """Of a value in 0..1."""

    def split(self, a: Value, parts: int) -> tuple[Value, ...]:
        """Equal parts along the last axis."""


class Cell:
    """What a recurrent layer has to know of its cell."""

    gates: ClassVar[dict[str, tuple[int, ...]]]
    """By matrix product, the blocks of the kernels' columns in it; a block is ``units`` wide.

    Blocks are numbered in Keras's order where Keras has the cell.
    """
    recurrent: ClassVar[bool]
    """Whether the state passes a matrix product of its own."""
    biases: ClassVar[int]
    """1: one bias; 2: the state's product has one besides the input's."""
    states: ClassVar[tuple[str, ...]]
    """The point that gives each state its scale; the first state is the layer's output."""
    points: ClassVar[tuple[str, ...]]
    """Quantization points inside the step whose range is measured."""
    limits: ClassVar[dict[str, float]]
    """Largest magnitude of a point's range: before a sigmoid and a tanh, beyond 6 and 4, int8
    gates stand still. Products that are summed there keep their full ranges: large ones cancel."""
    remember: ClassVar[dict[int, float]]
    """By block, what its bias starts from: a fresh cell keeps its state, so that gradients reach
    back, as Jozefowicz et al. (2015) argue for an LSTM's forget gate."""

    linear: ClassVar[Any] = None
    """A function of ops and x, where the next state is linear in the state: what the state is
    multiplied by, and what is added to that."""

    @staticmethod
    def step(
        ops: Ops, x: dict[str, Value], h: dict[str, Value], states: tuple[Value, ...]
    ) -> tuple[Value, ...]:
        """One step.

        Parameters
        ----------
        x, h : by gate, the input's and the first state's matrix products with their biases.
        states : each (batch, units).

        Returns
        -------
        The next states.
        """
        raise NotImplementedError


class GRUCell(Cell):
    """Gated recurrent unit (Cho et al. 2014) in the reset-after form of Keras.

    ``z, r = sigmoid(x_zr + h_zr)``; ``n = tanh(x_n + r h_n)``; ``h' = z h + (1 - z) n``.
    """

    gates = {"zr": (0, 1), "n": (2,)}
    recurrent, biases = True, 2
    states = (STATE,)
    points = ("zr", "reset", "n")
    limits = {"zr": 6.0, "n": 4.0}
    remember = {0: 1.0}

    @staticmethod
    def step(ops, x, h, states):
        (state,) = states
        z, r = ops.split(ops.sigmoid(ops.add("zr", x["zr"], h["zr"])), 2)
        n = ops.tanh(ops.add("n", x["n"], ops.mul("reset", r, h["n"])))
        # Both parts on the state's own steps: their sum is exact, and no rounding pulls a state
        # that is kept for long to one side.
        return (ops.add(STATE, ops.mul(STATE, z, state), ops.mul(STATE, ops.one_minus(z), n)),)


class LSTMCell(Cell):
    """Long short-term memory (Hochreiter & Schmidhuber 1997), forget gate and order as in Keras.

    ``i, f, o = sigmoid(x_ifo + h_ifo)``; ``g = tanh(x_g + h_g)``; ``c' = f c + i g``;
    ``h' = o tanh(c')``.
    """

    gates = {"ifo": (0, 1, 3), "g": (2,)}
    recurrent, biases = True, 1
    states = (STATE, "memory")
    points = ("ifo", "g", "memory")
    limits = {"ifo": 6.0, "g": 4.0, "memory": 4.0}
    remember = {1: 1.0}

    @staticmethod
    def step(ops, x, h, states):
        _, memory = states
        i, f, o = ops.split(ops.sigmoid(ops.add("ifo", x["ifo"], h["ifo"])), 3)
        g = ops.tanh(ops.add("g", x["g"], h["g"]))
        memory = ops.add("memory", ops.mul("memory", f, memory), ops.mul("memory", i, g))
        return ops.mul(STATE, o, ops.tanh(memory)), memory


class RNNCell(Cell):
    """Simple recurrent network (Elman 1990): ``h' = tanh(x_n + h_n)``."""

    gates = {"n": (0,)}
    recurrent, biases = True, 1
    states = (STATE,)
    points = ("n",)
    limits = {"n": 4.0}
    remember = {}

    @staticmethod
    def step(ops, x, h, states):
        del states  # seen through their product alone
        return (ops.tanh(ops.add("n", x["n"], h["n"])),)


class MinGRUCell(Cell):
    """Minimal GRU (Feng et al. 2024): gate and candidate see the input alone.

    ``z = sigmoid(x_z)``; ``n = tanh(x_n)``; ``h' = (1 - z) h + z n``. Linear in the state, so that
    float training computes all frames at once. The paper's candidate has no tanh; with it the
    state stays in -1..1, as that of the others.
    """

    gates = {"z": (0,), "n": (1,)}
    recurrent, biases = False, 1
    states = (STATE,)
    points = ()
    limits = {"x.z": 6.0, "x.n": 4.0}
    remember = {0: -1.0}

    @staticmethod
    def linear(ops, x):
        """What the state is multiplied by, and what is added: both of the input alone."""
        z = ops.sigmoid(x["z"])
        return ops.one_minus(z), ops.mul(STATE, z, ops.tanh(x["n"]))

    @staticmethod
    def step(ops, x, h, states):
        del h  # has none
        keep, drive = MinGRUCell.linear(ops, x)
        return (ops.add(STATE, ops.mul(STATE, keep, states[0]), drive),)


CELLS: dict[str, type[Cell]] = {
    "gru": GRUCell,
    "lstm": LSTMCell,
    "rnn": RNNCell,
    "mingru": MinGRUCell,
}
"""By the name that recipes use."""
