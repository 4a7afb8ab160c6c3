"""The recipe: everything that makes one entry of the zoo, as plain data."""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from ..files import replacing

POLICIES = ("float32", "mixed_bfloat16")
OPTIMIZERS = ("adamw", "rmsprop")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one entry is built, trained, measured and exported. A variant is ``dataclasses.replace`` of it.

    Args:
        name: ``<model>_<dataset>``, the entry's name everywhere.
        model: key of ``models.BUILDERS``.
        arguments: what the builder is called with beside image shape and class count.
        dataset: key of ``zoo.data.DATASETS``, or the path of a folder of one's own, see ``zoo.data.own``.
        image_size: (H, W) that the entry is loaded, evaluated and exported with; None for sentences.
        start: entry whose weights training starts from, by layer name; None starts from ImageNet.
        crop: of photographs, (h, w) of the training views; images that are drawn anew need none.
        scale: (low, high) magnification of those views.
        colour: strength of their colour changes, 0..1.
        batch_size: views in a step.
        epochs: passes over the training split.
        optimizer: "adamw" or "rmsprop".
        learning_rate: its peak rate, after the warm-up and before the cosine decay to 0.
        encoder_rate: an encoder learns at this share of the learning rate.
        weight_decay: what all weights lose in a step, times the learning rate.
        clip_norm: the most that all gradients together may measure, or None.
        warmup_steps: steps of linear warm-up.
        averaging: momentum of the exponential average of the weights, which is what is evaluated.
        label_smoothing: of the cross-entropy, 0..1.
        subword_alpha: of sentences, how evenly their segmentations are drawn in training, see ``Vocabulary.encode``;
            None for the likeliest.
        beams: of sentences, hypotheses of the search.
        length_power: of sentences, see ``decoding.beam_search``.
        max_tokens: of sentences, the most that a file reads, and the most that are written.
        self_critical_epochs: of captions, passes over the training photographs that follow, in which the model learns
            from its own tries, see ``self_critical``.
        self_critical_rate: the learning rate then.
        seed: of everything random.
        policy: dtype policy of the training, "float32" or "mixed_bfloat16"; None for the second on a GPU, the first
            on a CPU.
        validate_every: epochs between two looks at the validation split.
        patience: such looks without a better score after which a training ends; None for never.
        float_layers: names of the layers that an int8 file leaves in float32.
        operators: format -> how many operators its float32 file may hold, in all of its functions; a graph that
            changes is then a decision.
        impossible: "format precision" -> why the entry cannot be exported so.

    Raises:
        ValueError: if an argument is outside of its range.

    Example:
        >>> from dataclasses import replace
        >>> from keras_segattn import zoo
        >>> replace(zoo.info("fcn8s_mobilenet_camvid"), seed=1).seed
        1
    """

    name: str
    model: str
    arguments: dict = field(default_factory=dict)
    dataset: str
    image_size: tuple | None = None
    start: str | None = None
    crop: tuple | None = None
    scale: tuple = (0.75, 2.0)
    colour: float = 0.4
    batch_size: int = 4
    epochs: int
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    encoder_rate: float = 0.3
    weight_decay: float = 1e-4
    clip_norm: float | None = None
    warmup_steps: int = 200
    averaging: float = 0.998
    label_smoothing: float = 0.0
    subword_alpha: float | None = None
    beams: int = 3
    length_power: float = 1.0
    max_tokens: int = 48
    self_critical_epochs: int = 0
    self_critical_rate: float = 5e-5
    seed: int = 0
    policy: str | None = None
    validate_every: int = 2
    patience: int | None = None
    float_layers: tuple = ()
    operators: dict = field(default_factory=dict)
    impossible: dict = field(default_factory=dict)

    def __post_init__(self):
        for name in ("epochs", "batch_size", "validate_every", "beams", "max_tokens"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}: expected an integer >= 1. Received: {value!r}")
        if not isinstance(self.self_critical_epochs, int) or self.self_critical_epochs < 0:
            raise ValueError(f"self_critical_epochs: expected an integer >= 0. Received: {self.self_critical_epochs!r}")
        if self.self_critical_epochs and self.patience is not None:
            raise ValueError(f"patience: expected None beside self_critical_epochs. Received: {self.patience!r}")
        if self.policy not in (None, *POLICIES):
            raise ValueError(f"policy: expected {' or '.join(POLICIES)}, or None. Received: {self.policy!r}")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer: expected {' or '.join(OPTIMIZERS)}. Received: {self.optimizer!r}")
        for name in ("image_size", "crop"):
            value = getattr(self, name)
            if value is not None and (len(value) != 2 or min(value) < 1):
                raise ValueError(f"{name}: expected (height, width), each >= 1. Received: {value!r}")

    @property
    def all_epochs(self):
        """Those of examples, and the self-critical ones."""
        return self.epochs + self.self_critical_epochs


def write_recipe(recipe, run):
    """Keep the recipe of a run beside what it leaves.

    Args:
        recipe: ``Recipe``.
        run: folder, which then has ``recipe.json``.

    Raises:
        OSError: if it cannot be written.

    Example:
        >>> from keras_segattn import zoo
        >>> write_recipe(zoo.info("cnn_mnist_r"), ".")
        >>> read_recipe(".") == zoo.info("cnn_mnist_r")
        True
    """
    with replacing(Path(run) / "recipe.json") as partial:
        partial.write_text(json.dumps(asdict(recipe), indent=2))


def read_recipe(run):
    """The recipe of a run.

    Args:
        run: folder with ``recipe.json``.

    Returns:
        ``Recipe``.

    Raises:
        ValueError: if there is none.

    Example:
        >>> read_recipe("nowhere")
        Traceback (most recent call last):
        ValueError: run: expected the folder of a training, with recipe.json. [Errno 2] No such file or directory: \
'nowhere/recipe.json'
    """
    try:
        facts = json.loads((Path(run) / "recipe.json").read_text())
        known = {field.name for field in fields(Recipe)}
        return Recipe(**{name: _tuples(value) for name, value in facts.items() if name in known})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"run: expected the folder of a training, with recipe.json. {error}") from error


def _tuples(value):
    if isinstance(value, dict):
        return {name: _tuples(part) for name, part in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
