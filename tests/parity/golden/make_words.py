"""Makes words.npz beside it: words and boxes that PaddleX 3.7.2 gives for lines read at random.

Run it by hand where PaddleX is installed (`python make_words.py`); the tests read the file alone. PaddleX's own
recogniser and pipeline code runs, its network alone is replaced: one that reads a character or a blank by chance at
every eighth pixel. Crops and quads are made independently of each other, so that every shape meets every line.

`sizes` are the crops' height and width, `pages` says which page a crop is of, `quads` where it is on it; `indices`
holds the steps of crop after crop, up to `ends`; `texts`, `words` and `regions` are lines, their words and the words'
boxes as JSON.
"""

import importlib
import json
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

PAGES, LINES_PER_PAGE = 24, 14
BATCH_SIZE = 6
IMAGE_SHAPE = [3, 48, 320]
PIXELS_PER_STEP = 8
# One code point each; a space and the blank are put in by PaddleX.
CHARACTERS = [*"永和九年岁一龥", *"aZm", *"059", *".-", *"·é（、カ한٣２%"]
# Of each kind its classes, and how often it goes on.
RUNS = {"cn": range(1, 8), "letter": range(8, 11), "digit": range(11, 14), "joint": (14, 15), "other": range(16, 26)}
STYLES = (
    ("cn",),
    ("letter", "digit", "joint"),
    ("digit", "joint"),
    tuple(RUNS),
    tuple(RUNS),
    ("cn", "other"),
    ("joint",),
)


def random_line(rng: np.random.Generator, steps: int) -> np.ndarray:
    """Classes of a line's steps: runs of one kind, blanks between and within, characters that last several steps."""
    style = STYLES[rng.integers(len(STYLES))]
    density = rng.choice([0, 0.03, 0.2, 0.5, 0.8, 1])
    line = np.zeros(steps, np.uint8)
    kind = style[0]
    for step in range(steps):
        if rng.random() < 0.3:
            kind = style[rng.integers(len(style))]
        if rng.random() < density:
            lasts = step and rng.random() < 0.2
            line[step] = line[step - 1] if lasts else rng.choice(RUNS[kind])
    return line


def random_size(rng: np.random.Generator) -> tuple[int, int]:
    """Height and width of a crop: mostly a line, at times one wider than the network takes, or a speck."""
    height = int(rng.integers(1, 60))
    aspect = rng.choice([rng.uniform(0.02, 6), rng.uniform(3, 12), rng.uniform(8, 20), 90], p=[0.3, 0.4, 0.28, 0.02])
    return height, max(1, round(height * aspect))


def random_quad(rng: np.random.Generator) -> np.ndarray:
    """An upright quad or a leaning one; wide, high, about one and a half times as high as wide, or hardly there."""
    width, height = rng.integers(1, 700), rng.integers(1, 80)
    shape = rng.integers(6)
    if shape == 0:
        width, height = height, width
    elif shape == 1:
        width, height = 2 * height, 3 * height + rng.integers(-1, 2)
    elif shape == 2:
        width, height = rng.integers(0, 4, 2)
    x, y = rng.integers(0, 3000, 2)
    quad = np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])
    if rng.random() < 0.4:
        quad += rng.integers(-8, 9, (4, 2))
    if rng.random() < 0.05:
        quad = rng.integers(0, 3000, (4, 2))
    return quad.clip(0).astype(np.int16)


def recogniser(network: Any) -> Any:
    """PaddleX's recogniser around a network of ours, without what its constructor loads."""
    module = importlib.import_module("paddlex.inference.models.text_recognition.predictor")
    found = object.__new__(module.TextRecRunnerPredictor)
    found.__dict__.update(
        model_name="a network",
        runner=network,
        return_word_box=False,
        vis_font=None,
        batch_sampler=SimpleNamespace(batch_size=BATCH_SIZE),
        _model_config={"PreProcess": {"transform_ops": [{"RecResizeImg": {"image_shape": IMAGE_SHAPE}}]}},
        pre_tfs={
            "Read": lambda imgs: imgs,
            "ReisizeNorm": module.OCRReisizeNormImg(rec_image_shape=IMAGE_SHAPE),
            "ToBatch": module.ToBatch(),
        },
        post_op=module.CTCLabelDecode(character_list=list(CHARACTERS)),
    )
    return found


def read_page(rng: np.random.Generator, sizes: list[tuple[int, int]]) -> list[tuple[np.ndarray, Any]]:
    """For each crop the classes that the network gave, and PaddleX's answer."""
    given: list[np.ndarray] = []

    def network(x: np.ndarray) -> list[np.ndarray]:
        batch = x[0]
        lines = np.stack([random_line(rng, batch.shape[3] // PIXELS_PER_STEP) for _ in batch])
        given.extend(lines)
        return [np.eye(len(CHARACTERS) + 2, dtype=np.float32)[lines]]

    predictor = recogniser(network)
    order = sorted(range(len(sizes)), key=lambda index: sizes[index][1] / float(sizes[index][0]))
    crops = [np.zeros((*sizes[index], 3), np.uint8) for index in order]
    answers: list[Any] = []
    for start in range(0, len(crops), BATCH_SIZE):
        chunk = SimpleNamespace(instances=crops[start : start + BATCH_SIZE], input_paths=None, page_indexes=None)
        answers += predictor.process(chunk, return_word_box=True)["rec_text"]
    found = dict(zip(order, zip(given, answers, strict=True), strict=True))
    return [found[index] for index in range(len(sizes))]


def answers(pages: int, seed: int) -> dict[str, np.ndarray]:
    """Lines of some pages, and what PaddleX makes of them."""
    boxes = importlib.import_module("paddlex.inference.pipelines.components.common.cal_ocr_word_box")
    rng = np.random.default_rng(seed)
    page_ids, sizes, quads, lines, texts, words, regions = [], [], [], [], [], [], []
    for page in range(pages):
        page_sizes = [random_size(rng) for _ in range(rng.integers(1, LINES_PER_PAGE + 1))]
        for size, (line, (text, info)) in zip(page_sizes, read_page(rng, page_sizes), strict=True):
            quad = random_quad(rng)
            with warnings.catch_warnings():
                # It divides by the quad's width.
                warnings.simplefilter("ignore")
                contents, word_regions = boxes.cal_ocr_word_box(text, quad, info)
            page_ids.append(page)
            sizes.append(size)
            quads.append(quad)
            lines.append(line)
            texts.append(text)
            words.append(contents)
            regions.append(word_regions)
    return {
        "characters": np.array(CHARACTERS),
        "pages": np.array(page_ids, np.int32),
        "sizes": np.array(sizes, np.int32),
        "quads": np.stack(quads),
        "indices": np.concatenate(lines),
        "ends": np.cumsum([len(line) for line in lines]),
        "texts": np.array(json.dumps(texts)),
        "words": np.array(json.dumps(words)),
        "regions": np.array(json.dumps(regions)),
    }


if __name__ == "__main__":
    # Another number of pages, seed and file for a longer comparison.
    pages, seed = (int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else (PAGES, 6)
    file = Path(sys.argv[3]) if len(sys.argv) > 3 else Path(__file__).with_name("words.npz")
    np.savez_compressed(file, **answers(pages, seed))
