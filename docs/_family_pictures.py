"""One drawing for each family of methods, written by the build as SVG.

``write_pictures(folder)`` writes ``NAME.svg`` for each entry of `PICTURES`. All drawings share a
size, a palette and the few shapes below.
"""

from html import escape
from pathlib import Path

WIDTH, HEIGHT = 760, 190
TEAL, AMBER, PALE, GREY, INK = "#0b5c74", "#ffb000", "#d5e8ee", "#9aa7ad", "#1f2a30"
CELL = 18


def text(x, y, words, size=14, anchor="middle", colour=INK, weight="normal"):
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="{colour}" '
        f'font-weight="{weight}">{escape(words)}</text>'
    )


def rectangle(x, y, width, height, fill=PALE, stroke=TEAL, rounding=3):
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{rounding}" fill="{fill}" '
        f'stroke="{stroke}" stroke-width="1.2"/>'
    )


def circle(x, y, radius, fill=TEAL, stroke="none", opacity=1):
    return (
        f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{fill}" stroke="{stroke}" '
        f'fill-opacity="{opacity}" stroke-width="1.5"/>'
    )


def line(x1, y1, x2, y2, width=1.5, colour=GREY):
    return (
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}" stroke-width="{width}"/>'
    )


def arrow(x1, y1, x2, y2, colour=INK):
    return (
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}" stroke-width="1.6" '
        'marker-end="url(#head)"/>'
    )


def polygon(points, fill=PALE, stroke=TEAL):
    corners = " ".join(f"{x},{y}" for x, y in points)
    return f'<polygon points="{corners}" fill="{fill}" stroke="{stroke}" stroke-width="1.2"/>'


def matrix(x, y, rows, cell=CELL):
    """A grid; each row is a string whose letters name the fill of a cell."""
    fills = {".": "white", "x": TEAL, "p": PALE, "a": AMBER, "0": "#eceff1"}
    cells = [
        rectangle(x + j * cell, y + i * cell, cell, cell, fills[letter], GREY, 0)
        for i, row in enumerate(rows)
        for j, letter in enumerate(row)
    ]
    return "".join(cells)


def neighbors():
    """The items of a user lend their similarity to an item that she does not have."""
    parts = [text(120, 24, "items of the user"), text(560, 24, "an item that is new to the user")]
    for y, width, words in ((60, 5, ".61"), (105, 2.5, ".22"), (150, 3.5, ".34")):
        parts += [
            line(140, y, 540, 105, width, TEAL),
            circle(120, y, 15),
            text(270, 60 + (y - 60) * 0.72 + 6, words, colour=INK, weight="bold"),
        ]
    parts += [
        circle(560, 105, 19, AMBER),
        text(600, 102, "score = .61 + .22 + .34", anchor="start", size=13),
        text(340, 182, "thickness: similarity of the two items, counted over all users", size=12),
    ]
    return parts


def linear_models():
    """A row times a matrix of items by items whose diagonal is zero."""
    weights = ["0ppp.p", "p0.ppp", "p.0p.p", ".pp0pp", "pp.p0p", "p.ppp0"]
    return [
        matrix(40, 83, ["x..x.x"]),
        text(94, 70, "row of a user"),
        text(185, 98, "×", 22),
        matrix(225, 38, weights),
        text(279, 26, "weights B, items by items"),
        text(279, 166, "the diagonal is zero:", 12),
        text(279, 182, "no item predicts itself", 12),
        text(375, 98, "=", 22),
        matrix(420, 83, ["papapp"]),
        text(474, 70, "scores of all items"),
        text(560, 98, "the best that are new", anchor="start", size=13),
        text(560, 114, "to the user make the list", anchor="start", size=13),
    ]


def factor_models():
    """The matrix as a product of two narrow ones."""
    X = ["x..x..x.", ".x..x...", "x...x..x", "..x..x..", "x..x....", ".x....x."]
    return [
        matrix(40, 45, X),
        text(112, 32, "users by items"),
        text(225, 105, "≈", 26),
        matrix(280, 45, ["pp", "pp", "aa", "pp", "pp", "pp"]),
        text(298, 32, "users by d"),
        text(352, 105, "×", 22),
        matrix(395, 80, ["ppppapp" + "p", "ppppapp" + "p"]),
        text(467, 67, "d by items"),
        arrow(560, 98, 610, 98),
        text(620, 95, "score: product of the two", anchor="start", size=12),
        text(620, 111, "marked vectors", anchor="start", size=12),
    ]


def autoencoders():
    """A row is narrowed to a few numbers and widened again."""
    return [
        matrix(40, 46, list("x..x.x"), 18),
        text(49, 32, "row"),
        arrow(72, 100, 110, 100),
        polygon([(120, 40), (270, 78), (270, 122), (120, 160)]),
        text(190, 105, "encoder"),
        arrow(276, 100, 312, 100),
        matrix(322, 73, list("aaa"), 18),
        text(331, 62, "a few numbers"),
        arrow(352, 100, 388, 100),
        polygon([(398, 78), (548, 40), (548, 160), (398, 122)]),
        text(480, 105, "decoder"),
        arrow(556, 100, 594, 100),
        matrix(604, 46, list("xpaxpx"), 18),
        text(613, 32, "scores"),
        text(640, 92, "high where an item", anchor="start", size=12),
        text(640, 108, "fits the row", anchor="start", size=12),
    ]


def neural_cf():
    """Vectors of a user and an item go through a network."""
    return [
        text(110, 32, "vector of the user"),
        matrix(65, 42, ["ppppp"]),
        text(110, 150, "vector of the item"),
        matrix(65, 112, ["aaaaa"]),
        arrow(165, 54, 235, 82),
        arrow(165, 120, 235, 96),
        rectangle(245, 55, 130, 68),
        text(310, 86, "network or"),
        text(310, 103, "weighted product"),
        arrow(382, 89, 440, 89),
        text(470, 94, "score", weight="bold"),
        text(530, 76, "learned from pairs: an item that", anchor="start", size=12),
        text(530, 92, "the user has shall score higher than", anchor="start", size=12),
        text(530, 108, "items drawn from the others", anchor="start", size=12),
    ]


def content_models():
    """Features of an item, also of a new one, become its vector."""
    parts = [text(95, 30, "features of a new item")]
    for y, words in ((45, "picture"), (83, "text"), (121, "genre, brand")):
        parts += [rectangle(30, y, 130, 28), text(95, y + 19, words), arrow(166, y + 14, 226, 97)]
    return [
        *parts,
        rectangle(236, 66, 120, 62),
        text(296, 94, "what the fit"),
        text(296, 111, "learned"),
        arrow(363, 97, 412, 97),
        matrix(422, 88, ["aaaaa"]),
        text(467, 76, "vector of the item"),
        arrow(520, 97, 570, 97),
        text(580, 93, "score for any user,", anchor="start", size=13),
        text(580, 110, "before the first sale", anchor="start", size=13),
    ]


def row_models():
    """One row for each event, its fields as vectors that are multiplied in pairs."""
    parts, x = [text(150, 30, "one row: one event with its fields")], 30
    for words, value in (("user", "x"), ("item", "a"), ("hour", "p"), ("age", "p")):
        parts += [
            text(x + 27, 58, words, 12),
            matrix(x, 66, [value * 3]),
            arrow(x + 27, 90, 175 if x < 150 else 215, 124),
        ]
        x += 78
    return [
        *parts,
        rectangle(110, 132, 170, 34),
        text(195, 154, "products of pairs, layers"),
        arrow(288, 149, 368, 149),
        text(378, 146, "probability of a click,", anchor="start", size=13),
        text(378, 163, "or a rating", anchor="start", size=13),
        text(400, 66, "a row of any columns:", anchor="start", size=13),
        text(400, 83, "scikit-learn's usual X and y", anchor="start", size=13),
    ]


def local_models():
    """Users as points, with a model around each of a few anchors."""
    points = [
        (90, 60), (120, 95), (150, 62), (175, 118), (110, 135), (210, 82), (245, 60), (262, 112),
        (300, 88), (225, 140), (335, 62), (350, 120), (385, 92), (310, 145), (60, 105), (415, 135),
    ]  # fmt: skip
    parts = [circle(x, 98, 74, PALE, TEAL, 0.55) for x in (130, 245, 352)]
    parts += [circle(x, y, 4, GREY) for x, y in points]
    parts += [circle(x, 98, 7, TEAL) for x in (130, 245, 352)] + [circle(292, 105, 7, AMBER)]
    return [
        *parts,
        text(470, 62, "teal: anchors, each with a model", anchor="start", size=13),
        text(470, 80, "of the users near it", anchor="start", size=13),
        text(470, 112, "amber: a user, whose scores are", anchor="start", size=13),
        text(470, 130, "the weighted mean of the near models", anchor="start", size=13),
    ]


def lists():
    """A quick model names candidates, a slow one orders them, a rule arranges the list."""
    parts = []
    for x, size, above, below in (
        (30, 130, "all items", "1,000,000"),
        (240, 84, "retriever", "500 candidates"),
        (420, 56, "ranker", "in their order"),
        (570, 36, "reranker", "a list of 10"),
    ):
        middle = x + 50
        parts += [
            rectangle(middle - 50, 95 - size / 2, 100, size),
            text(middle, 100, above if size > 36 else "", 13),
            text(middle, 178, below, 12),
        ]
    return [
        *parts,
        text(620, 70, "reranker", 13),
        text(620, 100, "varied", 12),
        *(arrow(x, 95, x + 60, 95) for x in (136, 346)),
        arrow(526, 95, 562, 95),
    ]


def time():
    """Interactions of the past count less, or name what comes next."""
    parts = [line(40, 140, 560, 140, 1.6, INK), text(300, 168, "time of the interaction", 12)]
    for i, height in enumerate((8, 11, 15, 21, 29, 40, 55, 76)):
        x = 60 + 62 * i
        parts.append(rectangle(x, 140 - height, 30, height, AMBER if i == 7 else PALE))
    return [
        *parts,
        text(490, 45, "now"),
        text(585, 82, "height: weight of the", anchor="start", size=12),
        text(585, 98, "interaction; the newest", anchor="start", size=12),
        text(585, 114, "decide the list", anchor="start", size=12),
    ]


PICTURES = {
    each.__name__: each
    for each in (
        neighbors, linear_models, factor_models, autoencoders, neural_cf, content_models,
        row_models, local_models, lists, time,
    )
}  # fmt: skip


def write_pictures(folder):
    """Write the drawings; a file that is as it should be stays untouched."""
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        drawing = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}" font-family="Helvetica, Arial, sans-serif">'
            '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
            f'markerHeight="7" orient="auto"><path d="M0 0L10 5L0 10z" fill="{INK}"/></marker>'
            f"</defs>{''.join(draw())}</svg>\n"
        )
        path = folder / f"{name}.svg"
        if not path.is_file() or path.read_text(encoding="utf-8") != drawing:
            path.write_text(drawing, encoding="utf-8")
