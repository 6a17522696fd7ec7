"""A fitted estimator on disk: ``estimator.json`` and ``estimator.safetensors``. Nothing in them is code.

The JSON file holds the objects of the estimator with their attributes; the other file holds the arrays. A file names
classes, but nothing is imported by a name from a file: a name is looked up among the classes that the recipe declares, and
each object is made without calling anything of its class. Functions are never stored. So a file can hold wrong numbers, but
it cannot run code, open a file or use the network.

A recipe declares the classes of the objects that its estimator holds in the class attribute ``parts``: classes, or instances
where a part of another package has text or functions among its parameters::

    class NearestSongs(ClassifierMixin, BaseEstimator):
        parts = (SongFeatures, KNeighborsClassifier(metric="cosine"))

The parameters of a part of another package must be numbers, or be those of the declared instance (of a class: its defaults).
Otherwise ``CountVectorizer(input="filename")`` in a file would read any file that a text names. The rules are the same for
saving, so what cannot be opened is not saved. ``parts`` of parts count as well.

Runs of Lyrist 0.1 hold ``model.skops``, an archive of the library skops. It is read here by the same rules.
"""

from __future__ import annotations

import inspect
import io
import json
import math
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from scipy import sparse

from lyrist import files
from lyrist.errors import LyristError
from lyrist.models import registry
from lyrist.models.inputs import songs as as_input

FORMAT = 1
DESCRIPTION, ARRAYS, SKOPS = "estimator.json", "estimator.safetensors", "model.skops"

NUMBERS = (
    "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
)  # fmt: skip
"""NumPy's types of numbers that both files hold."""

SCALARS: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "str_": np.str_,
    **{name: getattr(np, name) for name in NUMBERS},
}
"""What a single number or text that JSON does not hold as it is can be."""

SPARSE = {kind.__name__: kind for kind in (sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array)}

TREE = "sklearn.tree._tree.Tree"
"""The one compiled class that is stored: its numbers are checked, since its code trusts them."""

TRIAL = ("A lantern on the river\nand the river on a lantern",)
"""Every opened estimator predicts it once, so that files that do not match are found when they are opened."""


class _UnsavableError(LyristError):
    """Something in an estimator cannot be stored."""


# The classes of a recipe.


class Parts:
    """The classes that a recipe may store, by name."""

    def __init__(self, recipe: registry.Recipe) -> None:
        self.recipe = recipe
        self.root: type = recipe.options
        self._classes: dict[str, type] = {}
        self._accepted: dict[str, list[Mapping[str, Any]]] = {}
        self._add(self.root)

    def _add(self, part: Any) -> None:
        kind = part if isinstance(part, type) else type(part)
        name = name_of(kind)
        if name not in self._classes:
            self._classes[name] = kind
            for one in getattr(kind, "parts", ()):
                self._add(one)
        self._accepted.setdefault(name, []).append(
            _defaults(kind) if isinstance(part, type) else part.get_params(False)
        )

    def named(self, name: str) -> type:
        """Return the class with this name. Of classes of Lyrist, the module is not compared: modules are renamed."""
        short = name.rpartition(".")[2] if name.startswith("lyrist.") else name
        short = "LyricEnsemble" if short == "Ensemble" else short
        for known, kind in self._classes.items():
            if name == known or short == kind.__name__:
                return kind
        raise ValueError(f"it holds '{name}', which is not a part of the recipe '{self.recipe.name}'")

    def holds(self, kind: type) -> bool:
        """Return whether a class is one of the parts."""
        return self._classes.get(name_of(kind)) is kind

    def foreign(self, kind: type) -> bool:
        """Return whether a class is neither of Lyrist nor of the package of the recipe."""
        return kind.__module__.partition(".")[0] not in ("lyrist", self.root.__module__.partition(".")[0])

    def declared(self, kind: type, parameter: str, value: Any) -> bool:
        """Return whether a parameter of a declared part has this value."""
        return any(parameter in one and _same(one[parameter], value) for one in self._accepted[name_of(kind)])

    def function(self, kind: type, parameter: str) -> Any:
        """Return the function that a declared part has as a parameter."""
        found = [one.get(parameter) for one in self._accepted.get(name_of(kind), [])]
        return next(value for value in found if callable(value))


def name_of(kind: type) -> str:
    """Return the full name of a class."""
    return f"{kind.__module__}.{kind.__qualname__}"


def _defaults(kind: type) -> Mapping[str, Any]:
    return {} if name_of(kind) == TREE else {each.name: each.default for each in _parameters(kind)}


def _parameters(kind: type) -> list[inspect.Parameter]:
    plain = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [each for each in inspect.signature(kind).parameters.values() if each.kind in plain]


def _same(one: Any, other: Any) -> bool:
    return one is other or (isinstance(one, str) and isinstance(other, str) and one == other)


def _check_object(parts: Parts, kind: type, state: Mapping[str, Any]) -> None:
    """Raise where the attributes of an object do not fit its class.

    Raises
    ------
    ValueError
        An attribute hides a method, a parameter is missing, or one of another package has a text that is not declared.
    """
    for name in state:
        shadowed = getattr(kind, name, None)
        if not name.isidentifier() or name.startswith("__") or callable(shadowed) or hasattr(shadowed, "__set__"):
            raise ValueError(f"'{name}' is not an attribute of {kind.__name__} that can be stored")
    for each in _parameters(kind):
        if each.name not in state:
            raise ValueError(f"{kind.__name__} has no value for its parameter '{each.name}'")
        value = state[each.name]
        plain = not isinstance(value, str) and not callable(value)
        if parts.foreign(kind) and not plain and not parts.declared(kind, each.name, value):
            raise ValueError(
                f"{kind.__name__} has {each.name}={value!r}, which is not declared; add an instance with this "
                f"value, {kind.__name__}({each.name}=...), to `parts` of {parts.root.__name__}"
            )


# Saving.


def save(estimator: Any, folder: Path) -> None:
    """Write a fitted estimator into ``folder``.

    Raises
    ------
    LyristError
        It is not the estimator of a recipe, or holds something that could not be opened again; the message names what, and
        how to declare it.
    """
    recipe = registry.recipe_of(type(estimator))
    if recipe is None:
        raise LyristError(
            f"A {type(estimator).__name__} cannot be saved, because no recipe makes it; decorate its class with "
            "@register, or train one of the recipes that 'lyrist recipes' lists."
        )
    encoder = _Encoder(Parts(recipe))
    tree = encoder.encode(estimator, "")
    with files.explained(folder):
        safetensors.numpy.save_file(encoder.arrays, folder / ARRAYS)
    said = {"format": FORMAT, "recipe": recipe.name, "estimator": tree}
    files.write_text(folder / DESCRIPTION, json.dumps(said, indent=1, allow_nan=False) + "\n")


class _Encoder:
    """Turns objects into JSON, and collects their arrays."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.arrays: dict[str, np.ndarray[Any, Any]] = {}
        self._open: list[int] = []

    def encode(self, value: Any, where: str) -> Any:
        if value is None or type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value)):
            return value
        if type(value) is float or isinstance(value, np.generic):
            kind = {"bool": "bool_"}.get(type(value).__name__, type(value).__name__)
            if kind not in SCALARS:
                raise self._unsavable(value, where)
            plain = value.item() if isinstance(value, np.generic) else value
            return {"scalar": [kind, repr(plain) if isinstance(plain, float) else plain]}
        if isinstance(value, np.ndarray):
            return self._array(value, where)
        if sparse.issparse(value) or isinstance(value, sparse.sparray):
            return self._sparse(value, where)
        if id(value) in self._open:
            raise self._unsavable(value, where, "it holds itself")
        self._open.append(id(value))
        try:
            return self._container(value, where)
        finally:
            self._open.pop()

    def _container(self, value: Any, where: str) -> Any:
        kind = type(value)
        if kind in (list, tuple, set, frozenset):
            items = [self.encode(item, f"{where}[{place}]") for place, item in enumerate(value)]
            return items if kind is list else {kind.__name__: items}
        if kind is dict:
            pairs = [[self.encode(key, where), self.encode(item, f"{where}[{key!r}]")] for key, item in value.items()]
            return {"dict": pairs}
        if self.parts.holds(kind) and name_of(kind) == TREE:
            return {"tree": self.encode(_tree_state(value), where)}
        if self.parts.holds(kind) and hasattr(value, "__dict__"):
            state = vars(value)
            try:
                _check_object(self.parts, kind, state)
            except ValueError as error:
                raise _UnsavableError(f"The recipe '{self.parts.recipe.name}' cannot be saved: {error}.") from None
            attributes = {name: self._attribute(kind, name, item, where) for name, item in state.items()}
            return {"object": [name_of(kind), attributes]}
        raise self._unsavable(value, where)

    def _attribute(self, kind: type, name: str, value: Any, where: str) -> Any:
        if callable(value) and not self.parts.holds(type(value)) and self.parts.declared(kind, name, value):
            return {"declared": name}
        return self.encode(value, f"{where}.{name}" if where else name)

    def _array(self, value: np.ndarray[Any, Any], where: str) -> Any:
        if value.dtype == object:
            return {"objects": [[self.encode(item, where) for item in value.ravel()], list(value.shape)]}
        if value.dtype.kind == "U":
            width = max(value.dtype.itemsize // 4, 1)
            texts = np.ascontiguousarray(value, dtype=f"<U{width}")
            return {"texts": self._keep(texts.view(np.uint32).reshape(*value.shape, width), where)}
        name = {"bool": "bool_"}.get(value.dtype.name, value.dtype.name)
        if name not in NUMBERS:
            raise self._unsavable(value, where, f"an array of {value.dtype}")
        native = value.astype(value.dtype.newbyteorder("="), copy=False)
        if native.flags.f_contiguous and not native.flags.c_contiguous:
            return {"fortran": self._keep(native.T, where)}
        return {"array": self._keep(native, where)}

    def _sparse(self, value: Any, where: str) -> Any:
        if type(value).__name__ not in SPARSE:
            raise self._unsavable(value, where, "call .tocsr() on it")
        parts = [self._array(getattr(value, name), f"{where}.{name}") for name in ("data", "indices", "indptr")]
        return {"sparse": [type(value).__name__, [int(size) for size in value.shape], parts]}

    def _keep(self, value: np.ndarray[Any, Any], where: str) -> str:
        name = where if where not in self.arrays else f"{where}#{len(self.arrays)}"
        self.arrays[name] = np.asarray(value, order="C")
        return name

    def _unsavable(self, value: Any, where: str, hint: str = "") -> _UnsavableError:
        kind = type(value)
        way = (
            f"{kind.__name__} is not declared: add it to `parts` of {self.parts.root.__name__}"
            if hasattr(value, "__dict__") and not callable(value) and not hint
            else hint or "hold numbers, texts, lists, dicts, arrays, SciPy's csr or csc matrices, or declared classes"
        )
        return _UnsavableError(
            f"The recipe '{self.parts.recipe.name}' cannot be saved, because its attribute '{where}' is a "
            f"{name_of(kind)}, which could not be opened again; {way}."
        )


# Opening.


def load(folder: Path, recipe: str | None = None, config: Mapping[str, Any] | None = None) -> Any:
    """Open what `save` wrote, or the ``model.skops`` of a run of Lyrist 0.1.

    Parameters
    ----------
    folder
        Where the files are.
    recipe
        The recipe that ``run.json`` names; None: the one that the file names.
    config
        The options that ``run.json`` names; those of the estimator must be the same.

    Raises
    ------
    LyristError
        A file is missing or damaged, or holds a class or a parameter that the recipe does not declare.
    """
    path = folder / (DESCRIPTION if (folder / DESCRIPTION).is_file() or not (folder / SKOPS).is_file() else SKOPS)
    try:
        if path.name == SKOPS:
            return _tried(_compared(_Skops(path, recipe).estimator(), config))
        said = json.loads(path.read_text(encoding="utf-8"))
        if said["format"] != FORMAT:
            raise ValueError(f"it has format {said['format']}, this version of Lyrist reads {FORMAT}")
        if recipe not in (None, said["recipe"]):
            raise ValueError(f"it is of the recipe '{said['recipe']}', but run.json says '{recipe}'")
        parts = Parts(registry.get(said["recipe"]))
        arrays = safetensors.numpy.load_file(folder / ARRAYS)
        return _tried(_compared(_Decoder(parts, arrays).estimator(said["estimator"]), config))
    except FileNotFoundError as error:
        raise LyristError(
            f"{folder} holds no model (there is no {Path(error.filename).name}); train it again."
        ) from None
    except ImportError:  # the recipe needs a package that is not installed
        raise
    except Exception as error:  # damaged or hostile files fail in any way
        reason = str(error) if isinstance(error, LyristError | ValueError) else f"{type(error).__name__}: {error}"
        raise LyristError(f"{path} is not opened: {reason.strip().rstrip('.')}. Train the model again.") from error


def _compared(estimator: Any, config: Mapping[str, Any] | None) -> Any:
    """Return the estimator after its options were compared with those of its run."""
    for name, value in registry.values(estimator).items():
        plain = list(value) if isinstance(value, tuple) else value
        if config is not None and name in config and config[name] != plain:
            raise ValueError(f"its option {name} is {plain}, but run.json says {config[name]}")
    return estimator


def _tried(estimator: Any) -> Any:
    """Return the estimator after one prediction."""
    chances = np.asarray(estimator.predict_proba(as_input(TRIAL, [""])), dtype=float)
    if chances.shape != (1, len(estimator.classes_)) or not np.isfinite(chances).all():
        raise ValueError("its numbers do not match: it predicts no probability for each class")
    return estimator


def _plain(options: Mapping[str, Any]) -> bool:
    """Return whether all options are JSON values, not objects."""
    try:
        json.dumps(options)
    except (TypeError, ValueError):
        return False
    return True


class _Builder:
    """Makes objects of declared classes from their attributes."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def object(self, kind: type, state: dict[str, Any]) -> Any:
        for new, old in registry.option_names(kind).items():  # of version 0.1, before parameters were renamed
            if old in state and new not in state and new in inspect.signature(kind).parameters:
                state[new] = state.pop(old)
        state = {**getattr(kind, "added", {}), **state}
        _check_object(self.parts, kind, state)
        for name, value in state.items():
            if name_of(type(value)) == TREE and state.get("n_features_in_") != value.n_features:
                raise ValueError(f"the tree '{name}' was fitted to another number of features than its estimator")
        made: Any = object.__new__(kind)
        made.__dict__.update(state)
        return made

    def root(self, made: Any) -> Any:
        """Return the whole estimator after its type and its parameters were compared with the recipe."""
        recipe = self.parts.recipe
        if type(made) is not self.parts.root:
            raise ValueError(f"it holds a {type(made).__name__} and not the model of the recipe '{recipe.name}'")
        given = registry.values(made)
        if not _plain(given) or registry.values(registry.configure(recipe.options, given, recipe.name)) != given:
            raise ValueError(f"the options of the recipe '{recipe.name}' have values of the wrong type")
        return made


class _Decoder(_Builder):
    """Turns JSON and arrays back into objects; a JSON object has one key, which says what it is."""

    def __init__(self, parts: Parts, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        super().__init__(parts)
        self._readers: dict[str, Callable[[Any], Any]] = {
            "scalar": lambda content: SCALARS[content[0]](content[1]),
            "tuple": lambda content: tuple(map(self.decode, content)),
            "set": lambda content: set(map(self.decode, content)),
            "frozenset": lambda content: frozenset(map(self.decode, content)),
            "dict": lambda content: {self.decode(key): self.decode(value) for key, value in content},
            "array": lambda content: arrays[content],
            "fortran": lambda content: arrays[content].T,
            "texts": lambda content: _texts(arrays[content]),
            "objects": lambda content: _objects([self.decode(item) for item in content[0]], tuple(content[1])),
            "sparse": self._sparse,
            "tree": self._tree,
            "object": self._object,
        }

    def estimator(self, node: Any) -> Any:
        return self.root(self.decode(node))

    def decode(self, node: Any) -> Any:
        if node is None or isinstance(node, bool | int | float | str):
            return node
        if isinstance(node, list):
            return [self.decode(item) for item in node]
        if len(node) == 1 and (kind := next(iter(node))) in self._readers:
            return self._readers[kind](node[kind])
        raise ValueError(f"it holds {str(node)[:60]}, which is no value")

    def _sparse(self, content: Any) -> Any:
        kind, shape, parts = content
        made: Any = SPARSE[kind](tuple(map(self.decode, parts)), shape=tuple(shape))
        made.check_format(full_check=True)
        return made

    def _tree(self, content: Any) -> Any:
        self.parts.named(TREE)
        return _tree(self.decode(content))

    def _object(self, content: Any) -> Any:
        name, state = content
        kind = self.parts.named(name)
        return self.object(
            kind,
            {
                key: self.parts.function(kind, key) if value == {"declared": key} else self.decode(value)
                for key, value in state.items()
            },
        )


def _texts(codes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if codes.dtype != np.uint32 or codes.ndim < 1 or not codes.shape[-1] or (codes.size and codes.max() > 0x10FFFF):
        raise ValueError("an array of texts is damaged")
    found: np.ndarray[Any, Any] = codes.view(f"<U{codes.shape[-1]}").reshape(codes.shape[:-1])
    return found


def _objects(items: list[Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    if len(items) != math.prod(shape):
        raise ValueError("an array of objects is damaged")
    found = np.empty(len(items), dtype=object)
    found[:] = items
    return found.reshape(shape)


# Decision trees.


def _tree_state(tree: Any) -> dict[str, Any]:
    """Return the numbers of a `sklearn.tree._tree.Tree`."""
    _, (features, classes, outputs), state = tree.__reduce__()
    nodes = state["nodes"]
    columns = {name: np.ascontiguousarray(nodes[name]) for name in nodes.dtype.names}
    sizes = {"n_features": int(features), "n_classes": np.asarray(classes), "n_outputs": int(outputs)}
    return {**sizes, "max_depth": int(state["max_depth"]), "values": state["values"], "nodes": columns}


def _tree(state: Mapping[str, Any]) -> Any:
    """Return the tree with these numbers; compiled code follows them without a check, so each is checked here."""
    from sklearn.tree._tree import NODE_DTYPE, Tree

    columns, classes = state["nodes"], np.asarray(state["n_classes"], dtype=np.intp)
    nodes = np.zeros(len(columns["left_child"]), dtype=NODE_DTYPE)
    if set(columns) != set(NODE_DTYPE.names):
        raise ValueError("a tree lacks a number of its nodes")
    for name, column in columns.items():
        if column.shape != nodes.shape:
            raise ValueError("the nodes of a tree differ in number")
        nodes[name] = column
    place, left, right = np.arange(len(nodes)), nodes["left_child"], nodes["right_child"]
    leaf = (left == -1) & (right == -1)
    inner = (left > place) & (left < len(nodes)) & (right > place) & (right < len(nodes))
    known = (nodes["feature"] >= 0) & (nodes["feature"] < state["n_features"])
    values = np.ascontiguousarray(state["values"], dtype=np.float64)
    shaped = len(classes) == state["n_outputs"] >= 1 and classes.min() >= 1 and state["n_features"] >= 1
    whole = len(nodes) >= 1 and shaped and values.shape == (len(nodes), len(classes), classes.max())
    if not whole or not (leaf | (inner & known)).all():
        raise ValueError("a tree is damaged: its nodes lead nowhere")
    made: Any = Tree(state["n_features"], classes, state["n_outputs"])
    about = {"max_depth": state["max_depth"], "node_count": len(nodes), "nodes": nodes, "values": values}
    made.__setstate__(about)
    return made


# Runs of Lyrist 0.1.

_HEADER = re.compile(r"\{'descr': (.+), 'fortran_order': (True|False), 'shape': \(([\d, ]*)\), \} *\n")
_KEYS: dict[str, Callable[[str], Any]] = {"str": str, "int": int, "float": float}


class _Skops(_Builder):
    """Reads ``model.skops``: a tree of nodes in JSON and NumPy's files in an archive that is not compressed."""

    def __init__(self, path: Path, recipe: str | None) -> None:
        if recipe is None:
            raise ValueError("a model of Lyrist 0.1 is opened with its run")
        super().__init__(Parts(registry.get(recipe)))
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
            if packed or sum(entry.file_size for entry in entries) > path.stat().st_size:
                raise ValueError("it is compressed or overlaps itself, which Lyrist never wrote")
            self._files = {entry.filename: archive.read(entry) for entry in entries}

    def estimator(self) -> Any:
        return self.root(self._read(json.loads(self._files["schema.json"])))

    def _read(self, node: Mapping[str, Any]) -> Any:
        readers: dict[str, Callable[[Mapping[str, Any]], Any]] = {
            "JsonNode": self._json,
            "ListNode": lambda node: [self._read(item) for item in node["content"]],
            "TupleNode": lambda node: tuple(self._read(item) for item in node["content"]),
            "DictNode": self._dict,
            "NdArrayNode": self._array,
            "TreeNode": self._tree,
            "ObjectNode": self._object,
        }
        if node["__loader__"] not in readers:
            name = f"{node['__module__']}.{node['__class__']}"
            raise ValueError(f"it holds {name} ({node['__loader__']}), which Lyrist never wrote")
        return readers[node["__loader__"]](node)

    def _json(self, node: Mapping[str, Any]) -> Any:
        value = json.loads(node["content"])
        if not (value is None or isinstance(value, bool | int | float | str)):
            raise ValueError("a value is neither a number nor a text")
        return value

    def _dict(self, node: Mapping[str, Any]) -> Any:
        kinds = [_KEYS[each["__class__"]] for each in node["key_types"]["content"]]
        return {kind(k): self._read(v) for kind, (k, v) in zip(kinds, node["content"].items(), strict=True)}

    def _array(self, node: Mapping[str, Any]) -> Any:
        found = _npy(self._files[node["file"]])
        return found if node["__class__"] == "ndarray" else SCALARS[node["__class__"]](found[()])

    def _tree(self, node: Mapping[str, Any]) -> Any:
        self.parts.named(TREE)
        features, classes, outputs = self._read(node["__reduce__"]["args"])
        state = self._read(node["content"])
        nodes = {column: state["nodes"][column] for column in state["nodes"].dtype.names}
        sizes = {"n_features": int(features), "n_classes": classes, "n_outputs": int(outputs)}
        return _tree({**sizes, "max_depth": state["max_depth"], "values": state["values"], "nodes": nodes})

    def _object(self, node: Mapping[str, Any]) -> Any:
        state = self._read(node["content"])
        state.pop("_sklearn_version", None)
        return self.object(self.parts.named(node["__class__"]), state)


def _npy(content: bytes) -> Any:
    """Return the array in a file of NumPy's; NumPy's own reader evaluates the header as Python."""
    stream = io.BytesIO(content)
    major, _ = np.lib.format.read_magic(stream)
    length = int.from_bytes(stream.read(2 if major == 1 else 4), "little")
    header = _HEADER.fullmatch(stream.read(length).decode("latin1"))
    if header is None:
        raise ValueError("an array has a header that NumPy does not write")
    kind, fortran, sizes = header.groups()
    shape = tuple(int(size) for size in sizes.split(",") if size.strip())
    found = np.frombuffer(content, dtype=_dtype(kind), offset=stream.tell())
    return found.reshape(shape, order="F" if fortran == "True" else "C").copy(order="K")


def _dtype(said: str) -> Any:
    """Return the type that a header names: a number, a text, or the nodes of a tree."""
    if re.fullmatch(r"'[<|=]?[biufU]\d+'", said):
        return np.dtype(said.strip("'"))
    from sklearn.tree._tree import NODE_DTYPE

    if said != repr(np.lib.format.dtype_to_descr(NODE_DTYPE)):
        raise ValueError("an array has a type that no recipe stores")
    return NODE_DTYPE
