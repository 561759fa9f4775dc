"""A model as C: its operators in their order, loops as loops, all memory counted."""

from dataclasses import dataclass

import numpy as np

from kws.errors import ModelError
from kws.firmware.engine.graph import Graph, Node, Tensor, read_graphs
from kws.firmware.engine.operators import WRITERS
from kws.firmware.engine.places import Place
from kws.firmware.engine.source import Source
from kws.tflite.metadata import parse

FRAME, POSTERIORS = "frames", "posteriors"
"""Names of the C function's arguments"""
_COUNTERS = ("ADD", "LESS", "PACK", "GATHER", "DYNAMIC_UPDATE_SLICE", "WHILE")


@dataclass(frozen=True)
class Engine:
    """The C engine of one model."""

    constants: list[str]
    lines: list[str]
    """Of the function's body"""
    states: list[tuple[int, int]]
    """Bytes of each state, and what it holds when nothing was heard"""
    buffer_bytes: int
    patch_bytes: int
    wide_values: int
    flash: dict[str, int]
    """Bytes of constants, by what they are"""
    macs: int
    """Multiply-accumulates of a call"""


def write_engine(data: bytes, where: str) -> Engine:
    """Translate a model file.

    Raises
    ------
    ModelError
        When it has an operator or a type that the engine has not.
    """
    graphs = read_graphs(parse(data, where), where)
    _require(graphs, where)
    writer = _Writer(graphs, Source())
    main, source = graphs[0], writer.source
    frame, *states = (main.tensors[index] for index in main.inputs)
    places = {frame.index: Place(FRAME, constant=True)}
    for number, state in enumerate(states):
        places[state.index] = Place(f"nn->state_{number}")
    writer.run(main, places)
    posteriors, *after = main.outputs
    size = main.tensors[posteriors].size
    source.line(f"memcpy({POSTERIORS}, {{0}}, {size});", places[posteriors])
    for number, (state, index) in enumerate(zip(states, after, strict=True)):
        source.line(f"memcpy(nn->state_{number}, {{0}}, {state.size});", places[index])
    lines, buffer_bytes = source.planned()
    return Engine(
        constants=source.constants,
        lines=lines,
        states=[(state.size, state.zero_point) for state in states],
        buffer_bytes=buffer_bytes,
        patch_bytes=source.patch_bytes,
        wide_values=-(-source.wide_values // 4) * 4,
        flash=source.flash,
        macs=source.macs,
    )


def _require(graphs: list[Graph], where: str) -> None:
    known = {*WRITERS, *_COUNTERS}
    strange = sorted({n.operator for graph in graphs for n in graph.nodes} - known)
    if strange:
        raise ModelError(
            f"{where}: the C engine has no {', '.join(strange)}; take --engine tflm, or convert "
            "the run again without --state internal and without --compressed"
        )


class _Writer:
    """Writes graphs; counters of loops are C variables and expressions of them."""

    def __init__(self, graphs: list[Graph], source: Source):
        self.graphs, self.source = graphs, source
        self.loops = 0

    def run(
        self, graph: Graph, places: dict[int, Place], numbers: dict[int, str] | None = None
    ) -> dict[int, str]:
        """Write all nodes; ``places`` and ``numbers`` get where values and counters are."""
        numbers = {} if numbers is None else numbers
        for node in graph.nodes:
            ins = [graph.tensors[i] if i >= 0 else None for i in node.inputs]
            there = [tensor for tensor in ins if tensor is not None]
            outs = [graph.tensors[i] for i in node.outputs]
            if node.operator == "WHILE":
                self._loop(graph, node, places)
            elif outs[0].dtype is not np.int8:
                numbers[outs[0].index] = self._count(node, there, numbers)
            elif node.operator == "GATHER":
                size = outs[0].size
                places[outs[0].index] = places[there[0].index].at(
                    f"{self._number(there[1], numbers)} * {size}"
                )
            elif node.operator == "DYNAMIC_UPDATE_SLICE":
                places[outs[0].index] = self._store(there, places, numbers)
            else:
                given = [self._place(tensor, places) for tensor in there]
                made = WRITERS[node.operator](self.source, node, ins, outs, given)
                places.update(zip(node.outputs, made, strict=True))
        return numbers

    def _place(self, tensor: Tensor, places: dict[int, Place]) -> Place:
        """Where a value lies; constants that an operator reads itself need no place."""
        if tensor.index in places or tensor.data is None:
            return places[tensor.index]
        return Place(constant=True)

    def _number(self, tensor: Tensor, numbers: dict[int, str]) -> str:
        if tensor.data is not None:
            return str(int(tensor.data))
        return numbers[tensor.index]

    def _count(self, node: Node, ins: list[Tensor], numbers: dict[int, str]) -> str:
        """What becomes of counters: a C expression."""
        parts = [self._number(tensor, numbers) for tensor in ins]
        if node.operator == "ADD":
            return f"({parts[0]} + {parts[1]})"
        if node.operator == "LESS":
            return f"{parts[0]} < {parts[1]}"
        assert node.operator == "PACK", node.operator
        return ";".join(parts)

    def _store(self, ins: list[Tensor], places: dict[int, Place], numbers: dict[int, str]) -> Place:
        """A row written into what is stored, where it lies."""
        stored, row, start = ins
        _, frame, column = numbers[start.index].split(";")
        place = places[stored.index]
        offset = f"{frame} * {stored.shape[2]} + {column}"
        text = f"memcpy({{1}}, {{0}}, {row.size});"
        self.source.line(text, places[row.index], place.at(offset))
        return place

    def _loop(self, graph: Graph, node: Node, places: dict[int, Place]) -> None:
        """A WHILE: what it carries gets a place of its own if the body makes it anew."""
        source = self.source
        body = self.graphs[node.options.bodySubgraphIndex]
        condition = self.graphs[node.options.condSubgraphIndex]
        loop, self.loops = self.loops, self.loops + 1
        inner: dict[int, Place] = {}
        numbers: dict[int, str] = {}
        carried: list[tuple[int, int, Place]] = []
        counters: list[tuple[int, str]] = []
        for at, index in enumerate(node.inputs):
            start, inside = graph.tensors[index], body.inputs[at]
            if start.dtype is np.int32:
                name = f"count_{loop}_{at}"
                source.line(f"int32_t {name} = {self._number(start, {})};")
                numbers[inside] = name
                counters.append((body.outputs[at], name))
            elif start.data is not None:
                place = source.buffer.take(start.size)
                source.line(f"memset({{0}}, {int(start.data.flat[0])}, {start.size});", place)
                inner[inside] = place
                carried.append((body.outputs[at], start.size, place))
            else:
                inner[inside] = places[index]
        more = dict(zip(condition.inputs, (numbers.get(i, "") for i in body.inputs), strict=True))
        test = _Writer(self.graphs, Source()).run(condition, {}, more)[condition.outputs[0]]
        frames = next(int(t.data) for t in condition.tensors if t.data is not None)
        source.line(f"while ({test}) {{{{")
        source.times *= frames
        self.run(body, inner, numbers)
        for index, size, place in carried:
            source.line(f"memcpy({{1}}, {{0}}, {size});", inner[index], place)
        for index, name in counters:
            source.line(f"{name} = {numbers[index]};")
        source.times //= frames
        source.line("}}")
        for at, index in enumerate(node.outputs):
            if graph.tensors[index].dtype is np.int8:
                places[index] = inner[body.inputs[at]]
                source.buffer.use(places[index])  # what the loop reads must outlast it
