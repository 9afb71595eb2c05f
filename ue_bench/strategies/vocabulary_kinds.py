"""How a strategy knows training values: by a dictionary, or by a static function without keys."""

from ue_bench.features import Feature
from ue_bench.strategies.spec import Spec
from ue_bench.strategies.static_vocabulary import StaticVocabulary
from ue_bench.strategies.vocabulary import Vocabulary

AnyVocabulary = Vocabulary | StaticVocabulary


def vocabulary_of(spec: Spec, feature: Feature) -> AnyVocabulary:
    """Return the vocabulary of a feature, of the kind that `spec` asks for."""
    if spec.vocabulary == "static_function":
        return StaticVocabulary(feature, spec.vocabulary_check, spec.unfilled)
    return Vocabulary(feature)
