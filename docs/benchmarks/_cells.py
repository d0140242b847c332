"""Cells of the tables: numbers, links to records, footnotes."""

import json
import re

import _record

LABELS = {"hit_rate": "HR", "ndcg": "nDCG", "recall": "Recall", "precision": "Precision"}


def read(name):
    """A record; None if nothing is recorded yet."""
    path = _record.RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else None


def label(metric):
    """Name of a metric for readers."""
    name, _, k = metric.partition("@")
    return f"{LABELS.get(name, name)}@{k}" if k else LABELS.get(name, name)


def number(value, digits=4):
    """A figure without the 0 before the point."""
    return re.sub(r"^(-?)0\.", r"\1.", f"{value:.{digits}f}")


def numbers(values):
    """Figures side by side."""
    return " / ".join(number(value) for value in values)


def with_errors(values, errors):
    """Figures with their standard errors, side by side; without errors where there are none."""
    if not errors:
        return numbers(values)
    pairs = zip(values, errors, strict=True)
    return " / ".join(f"{number(value)} ± {number(error)}" for value, error in pairs)


def signed(value):
    """A difference with its sign."""
    return f"{value:+.4f}".replace("0.", ".", 1)


def differences(measured, published):
    """Measured less published, side by side."""
    return " / ".join(signed(a - b) for a, b in zip(measured, published, strict=True))


def p_value(p):
    """A p-value as a table has it, on one line."""
    return "<\u00a0.001" if p < 1e-3 else f"{p:.2g}".replace("0.", ".", 1)


def link(name, text="record"):
    """A link to a record."""
    return f"[{text}](results/{name}.json)"


def table(header, rows):
    """A table of Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def in_box(text):
    """A table whose first column stays in sight where the page is narrow (docs/_static)."""
    return f'<div class="skrec-figures">\n\n{text}\n\n</div>'


class Footnotes:
    """Remarks below a table; equal ones are one footnote."""

    def __init__(self):
        self._texts = []

    def mark(self, *texts):
        """The signs of the remarks, those that are empty left out."""
        signs = []
        for text in filter(None, texts):
            if text not in self._texts:
                self._texts.append(text)
            signs.append(_letter(self._texts.index(text)))
        return f"<sup>{' '.join(signs)}</sup>" if signs else ""

    def below(self, table):
        """The table with its footnotes."""
        lines = [f"- <sup>{_letter(i)}</sup> {text}" for i, text in enumerate(self._texts)]
        return "\n\n".join(filter(None, (in_box(table), "\n".join(lines))))


def _letter(index):
    first, second = divmod(index, 26)
    return (chr(96 + first) if first else "") + chr(97 + second)
