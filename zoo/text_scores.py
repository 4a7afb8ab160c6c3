"""Scores of text against what people wrote: BLEU of translations; BLEU-1..4 and CIDEr-D of captions."""

import itertools
import math
import re
from collections import Counter
from functools import cache

LENGTHS = (5, 10, 15)  # words of a source sentence, the upper ends of the bins of ``by_length``
SIGMA = 6.0  # words, of the Gaussian of CIDEr-D
_COUNTED = {"translation": ({}, 1), "captioning": ({"tokenize": "none"}, 5)}  # options of sacrebleu, references


def bleu(hypotheses, references):
    """Corpus BLEU by sacrebleu as it is by default: 13a tokens of plain text, case counts.

    Args:
        hypotheses: list of str.
        references: for each of them a str, or a sequence of several.

    Returns:
        (float in points of 100, str, the signature by which sacrebleu tells how it was made).

    Raises:
        ValueError: if there are no hypotheses, or not as many references.
        ImportError: if sacrebleu is not installed.

    Reference:
        Papineni, Roukos, Ward and Zhu, BLEU, ACL 2002; Post, A Call for Clarity in Reporting BLEU Scores, WMT 2018.

    Example:
        >>> score, signature = bleu(["A dog runs in the snow."], ["A dog runs in the snow."])
        >>> round(score, 6), signature.split("|version")[0]
        (100.0, 'nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp')
    """
    return _corpus_bleu(hypotheses, _checked(hypotheses, references))


def signature(task):
    """How BLEU is counted in the zoo's tables, as sacrebleu tells it, with its version.

    Args:
        task: key of ``zoo.data.TASKS``.

    Returns:
        str, "" for a task without text.

    Raises:
        ImportError: see ``bleu``.

    Example:
        >>> signature("captioning").split("|version")[0]
        'nrefs:5|case:mixed|eff:no|tok:none|smooth:exp'
    """
    if task not in _COUNTED:
        return ""
    options, references = _COUNTED[task]
    metric = _metric(**options)
    metric.corpus_score(["a"], [["a"]] * references)
    return str(metric.get_signature())


def by_length(hypotheses, references, sources):
    """Corpus BLEU of the sentences of each length, as in the curves of Bahdanau et al. 2015.

    Args:
        hypotheses: list of str.
        references: see ``bleu``.
        sources: list of str; the length of a sentence is the number of its words between blanks.

    Returns:
        dict: "1_to_5", "6_to_10", "11_to_15" and "over_15" -> points of 100; a bin without sentences is left out.

    Raises:
        ValueError: see ``bleu``, or if there are not as many sources.

    Example:
        >>> found = by_length(["A dog runs in the snow."], ["A dog runs in the snow."], ["Ein Hund läuft im Schnee."])
        >>> {name: round(score, 6) for name, score in found.items()}
        {'1_to_5': 100.0}
    """
    references = _checked(hypotheses, references)
    if len(sources) != len(hypotheses):
        raise ValueError(f"sources: expected one for each of {len(hypotheses)} hypotheses. Received: {len(sources)}")
    lengths = [len(source.split()) for source in sources]
    scores = {}
    for least, most in zip((0, *LENGTHS), (*LENGTHS, math.inf), strict=True):
        inside = [index for index, length in enumerate(lengths) if least < length <= most]
        if inside:
            name = f"over_{least}" if most == math.inf else f"{least + 1}_to_{most}"
            scores[name], _ = _corpus_bleu([hypotheses[i] for i in inside], [references[i] for i in inside])
    return scores


def caption_bleu(hypotheses, references):
    """Corpus BLEU of n-grams up to 1, 2, 3 and 4, over words of the letters a-z in lower case, by sacrebleu.

    Each is the geometric mean of its precisions, all alike in weight, times the brevity penalty against the references
    of the nearest lengths. Nothing is smoothed, but a precision of which no n-gram matches in the whole corpus
    (sacrebleu's "exp"), and all four orders count however short the captions.

    Args:
        hypotheses: list of str.
        references: for each of them a sequence of str.

    Returns:
        dict: "bleu_1" .. "bleu_4" -> points of 100.

    Raises:
        ValueError: see ``bleu``.
        ImportError: see ``bleu``.

    Example:
        >>> found = caption_bleu(["a dog"], [["A dog!", "The brown dog runs."]])
        >>> round(found["bleu_1"], 6), round(found["bleu_2"], 6)
        (100.0, 100.0)
    """
    references = [[_letters(text) for text in each] for each in _checked(hypotheses, references)]
    hypotheses = [_letters(text) for text in hypotheses]
    metric = _metric(**_COUNTED["captioning"][0])
    found = metric.corpus_score(hypotheses, _streams(references))
    scores = {}
    for n in range(1, 5):
        counts, totals = found.counts[:n], found.totals[:n]
        lengths = found.sys_len, found.ref_len
        shorter = metric.compute_bleu(counts, totals, *lengths, smooth_method=metric.smooth_method, max_ngram_order=n)
        scores[f"bleu_{n}"] = shorter.score
    return scores


def cider_d(hypotheses, references):
    """CIDEr-D: how much captions share with the references of what is rare among the images.

    The words are those of ``caption_bleu``. For n-grams of each length n in 1..4, captions are vectors of counts times
    the logarithm of (images / images with the n-gram in a reference); a hypothesis is clipped to the reference before
    their cosine, which is damped by exp(-difference in words ** 2 / (2 * 6 ** 2)). The score is 10 times the mean over
    n, references and images. As in the authors' own program, counts are not divided by the length of the caption, and
    an n-gram of no reference counts as if one image had it.

    Args:
        hypotheses: list of str, one for each image of a whole split; of a single image the score is 0.
        references: for each of them a sequence of str, over which the images are counted too.

    Returns:
        float, 0..10, as the paper defines it; tables have it times 100.

    Raises:
        ValueError: see ``bleu``.

    Reference:
        Vedantam, Zitnick and Parikh, CIDEr: Consensus-based Image Description Evaluation, CVPR 2015.

    Example:
        >>> captions = ["a red dog runs", "two cats sleep here"]
        >>> round(cider_d(captions, [[caption] for caption in captions]), 6)
        10.0
        >>> round(cider_d(captions[::-1], [[caption] for caption in captions]), 6)
        0.0
    """
    score = consensus(_checked(hypotheses, references))
    return sum(score(image, hypothesis) for image, hypothesis in enumerate(hypotheses)) / len(hypotheses)


def consensus(references):
    """CIDEr-D of single captions, for a training that is rewarded by it.

    Args:
        references: of each image a sequence of str, over which the images are counted too.

    Returns:
        function: index of an image and a caption -> float, 0..10.

    Example:
        >>> score = consensus([["a red dog runs"], ["two cats sleep here"]])
        >>> round(score(0, "a red dog runs"), 6), round(score(1, "a red dog runs"), 6)
        (10.0, 0.0)
    """
    counted = [[_ngrams(text) for text in each] for each in references]
    images = Counter(ngram for each in counted for ngram in set().union(*each))
    everywhere = math.log(len(counted))

    def weigh(counts):
        """For n in 1..4 a vector and its norm, and the number of words."""
        vectors = [{}, {}, {}, {}]
        for ngram, count in counts.items():
            vectors[len(ngram) - 1][ngram] = count * (everywhere - math.log(max(1, images[ngram])))
        words = sum(count for ngram, count in counts.items() if len(ngram) == 1)
        return [(vector, math.hypot(*vector.values())) for vector in vectors], words

    def similarity(hypothesis, reference):
        cosines = [
            sum(min(weight, r[ngram]) * r[ngram] for ngram, weight in h.items() if ngram in r) / (h_norm * r_norm)
            for (h, h_norm), (r, r_norm) in zip(hypothesis[0], reference[0], strict=True)
            if h_norm and r_norm
        ]
        return math.exp(-((hypothesis[1] - reference[1]) ** 2) / (2 * SIGMA**2)) * sum(cosines) / 4

    @cache
    def told(image):
        return [weigh(reference) for reference in counted[image]]

    def score(image, caption):
        weighed = weigh(_ngrams(caption))
        return 10 * sum(similarity(weighed, reference) for reference in told(image)) / len(told(image))

    return score


def sentence_bleu(references):
    """BLEU-4 of single captions, for a training that is rewarded by it.

    Args:
        references: of each image a sequence of str.

    Returns:
        function: index of an image and a caption -> float, 0..1; orders that a short caption has not are left out, and
        one of which nothing matches counts a little, as sacrebleu does it ("exp").

    Raises:
        ImportError: see ``bleu``.

    Example:
        >>> score = sentence_bleu([["a red dog runs"], ["two cats sleep here"]])
        >>> round(score(0, "A red dog runs!"), 6), round(score(1, "a red dog runs"), 6)
        (1.0, 0.0)
    """
    metric = _metric(tokenize="none", effective_order=True)
    references = [[_letters(text) for text in each] for each in references]

    def score(image, caption):
        return metric.sentence_score(_letters(caption), references[image]).score / 100

    return score


def _ngrams(text):
    """Counts of the n-grams of a caption, n in 1..4."""
    words = _letters(text).split()
    return Counter(tuple(words[i : i + n]) for n in range(1, 5) for i in range(len(words) - n + 1))


def _letters(text):
    return " ".join(re.findall(r"[^\W\d_]+", text.lower()))


def _checked(hypotheses, references):
    """The references of each hypothesis, as a list of tuples."""
    references = [(each,) if isinstance(each, str) else tuple(each) for each in references]
    if not hypotheses or len(hypotheses) != len(references):
        counts = f"{len(hypotheses)} and {len(references)}"
        raise ValueError(f"references: expected those of each of at least one hypothesis. Received: {counts}")
    bare = next((index for index, each in enumerate(references) if not each), None)
    if bare is not None:
        raise ValueError(f"references: expected at least one for each hypothesis. There is none for number {bare}")
    return references


def _corpus_bleu(hypotheses, references):
    metric = _metric()
    score = metric.corpus_score(hypotheses, _streams(references))
    return score.score, str(metric.get_signature())


def _metric(**options):
    try:
        from sacrebleu.metrics import BLEU
    except ImportError as error:
        raise ImportError("BLEU needs sacrebleu: install keras_segattn[train]") from error
    return BLEU(**options)


def _streams(references):
    """As sacrebleu wants them: the first reference of all hypotheses, then the second, None where there is none."""
    return list(itertools.zip_longest(*references))
