"""Which operators and tensor types a model file uses, and whether TFLM runs them."""

from collections import Counter

from ai_edge_litert import schema_py_generated as schema

from kws.errors import ModelError

_NAMES = {
    value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}
_TYPES = {
    value: name for name, value in vars(schema.TensorType).items() if not name.startswith("_")
}

_SUPPORTED = """
    ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND
    BROADCAST_ARGS BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION CONV_2D COS CUMSUM
    DEPTH_TO_SPACE DEPTHWISE_CONV_2D DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP
    EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND
    GREATER GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL
    LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM
    MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE READ_VARIABLE REDUCE_ALL
    REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2
    ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V
    SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE
    TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE ZEROS_LIKE DECODE
"""
TFLM_OPERATORS = frozenset(_SUPPORTED.split())
"""Operators that TFLM's interpreter registers (of the pinned version); DECODE is its own."""


def operators(model: schema.ModelT) -> tuple[str, ...]:
    """Names of the operators in all subgraphs, sorted, each once."""
    used = {
        _name(model.operatorCodes[op.opcodeIndex])
        for graph in model.subgraphs
        for op in graph.operators
    }
    return tuple(sorted(used))


def require_tflm(model: schema.ModelT, where: str) -> None:
    """Refuse operators that TFLM has not.

    Raises
    ------
    ModelError
        That names them.
    """
    missing = [name for name in operators(model) if name not in TFLM_OPERATORS]
    if missing:
        raise ModelError(
            f"{where}: TFLM does not run {', '.join(missing)}; "
            "change the model, or run it with --engine litert"
        )


def tensor_types(model: schema.ModelT) -> dict[str, int]:
    """How many tensors of each type all subgraphs hold, such as ``{"INT8": 30, "INT32": 8}``."""
    found = Counter(_TYPES[tensor.type] for graph in model.subgraphs for tensor in graph.tensors)
    return dict(sorted(found.items()))


def _name(code: schema.OperatorCodeT) -> str:
    if code.customCode:
        return code.customCode.decode().removeprefix("TFLM_")
    return _NAMES[builtin(code)]


def builtin(code: schema.OperatorCodeT) -> int:
    """The number of a builtin operator; files of old schemas have it in another field."""
    return max(code.builtinCode, code.deprecatedBuiltinCode)
