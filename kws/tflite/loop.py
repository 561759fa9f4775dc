"""A rolled loop over the frames of a window: TFLite's WHILE with its two subgraphs."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kws.tflite.builder import ModelBuilder, Quant
from kws.tflite.ops import SIGNED, TfliteOps


class Loop:
    """Carries a frame counter (two where ``backward``), states, the window, and outputs if asked.

    Write one pass with ``ops``, then call :meth:`finish`.

    Parameters
    ----------
    window : (1, frames, size), in the graph of ``outer``.
    states : of each, its size and its scale.
    backward : count down from the last frame besides.
    outputs : values a frame to be stored over the loop, (1, frames, outputs); 0 for none.
    """

    def __init__(
        self,
        builder: ModelBuilder,
        outer: TfliteOps,
        window: int,
        states: list[tuple[int, Quant | None]],
        backward: bool = False,
        outputs: int = 0,
    ):
        self._outer, self._kept, self._outputs = outer, states, outputs
        _, self.frames, self.size = outer.shape(window)
        self._counts = 2 if backward else 1
        quantization = outer.graph.table.tensors[window].quantization
        self._cond_index, cond = builder.subgraph("more_frames")
        self._body_index, body = builder.subgraph("one_frame")
        self.ops = TfliteOps(body, outer.int8)
        carried = [self._carry(TfliteOps(cond, outer.int8)), self._carry(self.ops)]
        for graph, tensors in zip((cond, body), carried, strict=True):
            graph.table.inputs = tensors
            graph.table.tensors[tensors[self._counts + len(states)]].quantization = quantization
        self._write_condition(cond, carried[0][0])
        counts, rest = carried[1][: self._counts], carried[1][self._counts :]
        self.count, self.count_down = counts[0], counts[-1]
        self.states, self._window = rest[: len(states)], rest[len(states)]
        self._stored = rest[len(states) + 1] if outputs else -1
        self._initial = self._start(window)
        self._quantization = quantization

    def frame(self, count: int) -> int:
        """The window's frame at a counter: (1, size)."""
        output = self.ops.value((1, self.size), None)
        self.ops.graph.table.tensors[output].quantization = self._quantization
        options = schema.GatherOptionsT()
        options.axis = 1
        return self.ops.emit("GATHER", [self._window, count], output, options)

    def next_count(self) -> int:
        return self._advance(self.count, 1)

    def next_count_down(self) -> int:
        return self._advance(self.count_down, -1)

    def store(self, count: int, column: int, value: int) -> None:
        """Keep a state at a counter's frame, from ``column`` on."""
        graph = self.ops.graph
        units = self.ops.shape(value)[1]
        row = self.ops.reshape(value, (1, 1, units))
        start = graph.tensor((3,), np.int32)
        edges = [graph.constant(np.array(at, np.int32)) for at in (0, column)]
        pack = schema.PackOptionsT()
        pack.valuesCount = 3
        graph.op("PACK", [edges[0], count, edges[1]], [start], pack)
        updated = self.ops.value((1, self.frames, self._outputs), SIGNED)
        self._stored = self.ops.emit("DYNAMIC_UPDATE_SLICE", [self._stored, row, start], updated)

    def finish(self, counts: list[int], states: list[int]) -> tuple[list[int], int]:
        """Close the loop; gives the last states and the stored outputs in the outer graph."""
        body = self.ops.graph
        body.table.outputs = [*counts, *states, self._window]
        if self._outputs:
            body.table.outputs.append(self._stored)
        results = self._carry(self._outer)
        at = self._counts + len(self._kept)
        outer = self._outer.graph
        outer.table.tensors[results[at]].quantization = self._quantization
        options = schema.WhileOptionsT()
        options.condSubgraphIndex, options.bodySubgraphIndex = self._cond_index, self._body_index
        outer.op("WHILE", self._initial, results, options)
        return results[self._counts : at], results[at + 1] if self._outputs else -1

    def _carry(self, ops: TfliteOps) -> list[int]:
        """Tensors for what the loop carries, in its order."""
        counts = [ops.graph.tensor((), np.int32) for _ in range(self._counts)]
        states = [ops.value((1, units), quant) for units, quant in self._kept]
        window = ops.value((1, self.frames, self.size), None)
        stored = [ops.value((1, self.frames, self._outputs), SIGNED)] if self._outputs else []
        return [*counts, *states, window, *stored]

    def _start(self, window: int) -> list[int]:
        outer, graph = self._outer, self._outer.graph
        first = [0, self.frames - 1][: self._counts]
        counts = [graph.constant(np.array(value, np.int32)) for value in first]
        states = [zero_state(outer, (1, units), quant) for units, quant in self._kept]
        return [*counts, *states, window, *([self._empty()] if self._outputs else [])]

    def _empty(self) -> int:
        """Room for the outputs, filled at run time: a constant would lie in flash as zeros."""
        outer, graph = self._outer, self._outer.graph
        shape = graph.constant(np.array([1, self.frames, self._outputs], np.int32))
        zero = graph.constant(np.array(0, outer.dtype), SIGNED if outer.int8 else None)
        room = outer.value((1, self.frames, self._outputs), SIGNED)
        return outer.emit("FILL", [shape, zero], room, schema.FillOptionsT())

    def _write_condition(self, cond, count: int) -> None:
        end = cond.constant(np.array(self.frames, np.int32))
        more = cond.tensor((), np.bool_)
        cond.op("LESS", [count, end], [more], schema.LessOptionsT())
        cond.table.outputs = [more]

    def _advance(self, count: int, step: int) -> int:
        graph = self.ops.graph
        by = graph.constant(np.array(step, np.int32))
        output = graph.tensor((), np.int32)
        graph.op("ADD", [count, by], [output], schema.AddOptionsT())
        return output


def zero_state(ops: TfliteOps, shape: tuple[int, ...], quant: Quant | None) -> int:
    """A constant that stands for nothing heard: zero, on the scale of a state."""
    zero = quant.zero_point if ops.int8 and quant is not None else 0
    return ops.graph.constant(np.full(shape, zero, ops.dtype), quant if ops.int8 else None)
