"""One face over LiteRT and TFLM (TensorFlow Lite for Microcontrollers)."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kws.errors import ModelError
from kws.tflite.metadata import Metadata, parse, read_bytes, read_metadata

Engine = Literal["litert", "tflm"]
ENGINES: tuple[Engine, ...] = ("litert", "tflm")
_TYPES = {schema.TensorType.INT8: np.int8, schema.TensorType.FLOAT32: np.float32}
_TFLM_ARENA = 4 * 2**20


@dataclass(frozen=True)
class TensorInfo:
    """An input or output: real value = ``scale * (stored - zero_point)`` where int8."""

    name: str
    shape: tuple[int, ...]
    dtype: type
    scale: float
    zero_point: int

    def quantize(self, values: np.ndarray) -> np.ndarray:
        """Real values to stored ones; int8 is rounded to nearest and saturated."""
        if self.dtype is np.float32:
            return np.asarray(values, np.float32)
        steps = np.round(np.asarray(values) / np.float32(self.scale)) + self.zero_point
        return np.clip(steps, -128, 127).astype(np.int8)

    def dequantize(self, stored: np.ndarray) -> np.ndarray:
        """Stored values to real ones, float32."""
        if self.dtype is np.float32:
            return stored
        return (stored.astype(np.float32) - self.zero_point) * np.float32(self.scale)


class Invoker(Protocol):
    """An engine with a model in it: stored inputs to stored outputs, in the file's order."""

    def invoke(self, inputs: list[np.ndarray]) -> list[np.ndarray]: ...

    def reset(self) -> None: ...


class Runner:
    """A model file, ready to run.

    >>> runner = open_model(Path("model.tflite"))
    >>> posteriors = runner.classify(features)          # a clip: (frames, size) -> (labels,)
    >>> runner.reset(); posteriors = runner.step(frame)  # a stream: (1, size) -> (labels,)
    """

    def __init__(self, data: bytes, engine: Engine, where: str):
        model = parse(data, where)
        self.data, self.engine, self.where = data, engine, where
        self.metadata: Metadata = read_metadata(model, where)
        graph = model.subgraphs[0]
        self.inputs = [_tensor_info(graph.tensors[i]) for i in graph.inputs]
        self.outputs = [_tensor_info(graph.tensors[i]) for i in graph.outputs]
        self.invoker = _open_engine(data, engine, where)
        self.reset()

    def reset(self) -> None:
        """Forget all that was heard."""
        self.state = [info.quantize(np.zeros(info.shape)) for info in self.inputs[1:]]
        if self.metadata.state == "internal":
            self.invoker.reset()

    def step(self, frames: np.ndarray) -> np.ndarray:
        """One call: (frames_per_step, size) features -> (labels,) posteriors, keeping the state."""
        stored = self.inputs[0].quantize(frames).reshape(self.inputs[0].shape)
        return self.outputs[0].dequantize(self.step_stored(stored))[0]

    def step_stored(self, frames: np.ndarray) -> np.ndarray:
        """One call on stored values, shaped like the first input; gives stored posteriors."""
        posteriors, *self.state = self.invoker.invoke([frames, *self.state])
        return posteriors

    def classify(self, features: np.ndarray) -> np.ndarray:
        """A clip's posteriors: (frames, size) features -> (labels,).

        A stream starts from silence and gives its last step's posteriors, or, where the metadata
        say ``peak`` and a keyword is the likeliest label at some step, those of the first step at
        which such a keyword has its highest. ``clip_frames`` frames, of which the first ones that
        fill no whole step are left out.
        """
        if features.shape != (self.metadata.clip_frames, self.metadata.features.size):
            raise ValueError(
                f"{features.shape} is not a clip of {self.metadata.clip_frames} frames"
            )
        self.reset()
        stored = self.inputs[0].quantize(features[len(features) % self.metadata.frames_per_step :])
        calls = stored.reshape(-1, *self.inputs[0].shape)
        steps = np.concatenate([self.step_stored(call) for call in calls])
        answer = -1
        if self.metadata.clip_answer == "peak":
            wins = np.flatnonzero(steps.argmax(axis=1) < len(self.metadata.keywords))
            answer = wins[steps[wins].max(axis=1).argmax()] if wins.size else answer
        return self.outputs[0].dequantize(steps[answer])


def open_model(path: Path, engine: Engine = "litert") -> Runner:
    """Open a self-describing model file.

    Raises
    ------
    ModelError
        When the file is missing, damaged, not ours, of a newer version, or cannot be run.
    """
    return Runner(read_bytes(path), engine, str(path))


class LiteRT:
    """The engine of phones and desks, with its reference kernels.

    They give the same answers on every machine and are close to TFLM's; those of the XNNPACK
    delegate, a phone's default, take half the time and round otherwise.
    """

    def __init__(self, data: bytes):
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        kernels = OpResolverType.BUILTIN_REF
        self._open = lambda: Interpreter(
            model_content=data, num_threads=1, experimental_op_resolver_type=kernels
        )
        self.reset()

    def reset(self) -> None:
        # A new interpreter: LiteRT's reset_all_variables leaves resource variables as they are.
        self._interpreter = self._open()
        self._interpreter.allocate_tensors()
        self._inputs = [detail["index"] for detail in self._interpreter.get_input_details()]
        self._outputs = [detail["index"] for detail in self._interpreter.get_output_details()]

    def invoke(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        for index, value in zip(self._inputs, inputs, strict=True):
            self._interpreter.set_tensor(index, value)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


class Tflm:
    """The engine of microcontrollers."""

    def __init__(self, data: bytes, outputs: int):
        from tflite_micro import runtime

        self._interpreter = runtime.Interpreter.from_bytes(data, arena_size=_TFLM_ARENA)
        self._outputs = outputs
        self.print_allocations = self._interpreter.print_allocations
        self.invoke_only = self._interpreter.invoke

    def reset(self) -> None:
        self._interpreter.reset()

    def invoke(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        for index, value in enumerate(inputs):
            self._interpreter.set_input(value, index)
        self._interpreter.invoke()
        return [self._interpreter.get_output(index) for index in range(self._outputs)]


def _open_engine(data: bytes, engine: Engine, where: str) -> Invoker:
    try:
        if engine == "litert":
            return LiteRT(data)
        return Tflm(data, len(parse(data, where).subgraphs[0].outputs))
    except ImportError as error:
        raise ModelError(
            f"the {engine} engine is not installed ({error.name}); TFLM's wheels are for Linux on "
            "x86-64: use --engine litert elsewhere"
        ) from error
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"{where}: {engine} refuses it ({error})") from error


def _tensor_info(tensor: schema.TensorT) -> TensorInfo:
    quantization = tensor.quantization
    scaled = quantization is not None and quantization.scale is not None
    return TensorInfo(
        name=tensor.name.decode() if isinstance(tensor.name, bytes) else tensor.name,
        shape=tuple(int(size) for size in tensor.shape),
        dtype=_TYPES[tensor.type],
        scale=float(quantization.scale[0]) if scaled else 1.0,
        zero_point=int(quantization.zeroPoint[0]) if scaled else 0,
    )


def captured_stderr(call: Callable[[], None]) -> str:
    """What ``call`` writes to the process's standard error, from C++ too."""
    with tempfile.TemporaryFile() as catcher:
        kept = os.dup(2)
        try:
            os.dup2(catcher.fileno(), 2)
            call()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        catcher.seek(0)
        return catcher.read().decode(errors="replace")
