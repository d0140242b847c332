"""Local binary patterns and the seven measures of a picture, pixel by pixel."""

import colorsys
import math


def luminance(picture):
    """Rows of luminances, from 0 to 1, of channels given as bytes."""
    red, green, blue = picture.tolist()
    return [
        [(0.2125 * r + 0.7154 * g + 0.0721 * b) / 255 for r, g, b in zip(*rows, strict=True)]
        for rows in zip(red, green, blue, strict=True)
    ]


def pattern_label(bits):
    """Place of a pattern among those with at most two changes: by their ones, then by where."""
    changes = sum(bits[i] != bits[i - 1] for i in range(8))
    if changes > 2:
        return 58
    n = sum(bits)
    if n in (0, 8):
        return 0 if n == 0 else 57
    first = next(i for i in range(8) if bits[i] and not bits[i - 1])
    return 1 + (n - 1) * 8 + first


def uniform_patterns(picture):
    """How many pixels have each of the 59 patterns; labels of one number of ones in any order."""
    grey = [[round(255 * value) for value in row] for row in luminance(picture)]
    counts = [0] * 59
    for y in range(1, len(grey) - 1):
        for x in range(1, len(grey[0]) - 1):
            bits = []
            for point in range(8):
                dy = round(-math.sin(math.pi * point / 4), 5)
                dx = round(math.cos(math.pi * point / 4), 5)
                value = _between(grey, y + dy, x + dx)
                bits.append(value >= grey[y][x] - 1e-9)
            counts[pattern_label(bits)] += 1
    return counts


def _between(grey, y, x):
    top, left = math.floor(y), math.floor(x)
    down, right = y - top, x - left
    total = 0.0
    for row, share in ((top, 1 - down), (top + 1, down)):
        for column, part in ((left, 1 - right), (left + 1, right)):
            if share * part:
                total += share * part * grey[row][column]
    return total


def measures(picture):
    """The seven measures by name."""
    light = luminance(picture)
    h, w = len(light), len(light[0])
    pixels = [tuple(picture[:, y, x].tolist()) for y in range(h) for x in range(w)]
    flat = [value for row in light for value in row]
    mean = sum(flat) / len(flat)
    return {
        "brightness": mean,
        "saturation": _mean([(max(p) - min(p)) / max(p) if max(p) else 0.0 for p in pixels]),
        "sharpness": _sharpness(light),
        "entropy": _entropy([round(255 * value) for value in flat]),
        "contrast": math.sqrt(_mean([(value - mean) ** 2 for value in flat])),
        "colourfulness": _colourfulness(pixels),
        "naturalness": _naturalness(pixels),
    }


def _mean(values):
    return sum(values) / len(values)


def _sharpness(light):
    h, w = len(light), len(light[0])

    def at(y, x):  # the edge is mirrored
        return light[min(max(y, 0), h - 1)][min(max(x, 0), w - 1)]

    total = []
    for y in range(h):
        for x in range(w):
            sides = at(y - 1, x) + at(y + 1, x) + at(y, x - 1) + at(y, x + 1)
            around = _mean([at(y + a, x + b) for a in (-1, 0, 1) for b in (-1, 0, 1)])
            total.append(abs(4 * at(y, x) - sides) / around if around else 0.0)
    return _mean(total)


def _entropy(values):
    shares = [values.count(level) / len(values) for level in set(values)]
    return -sum(share * math.log2(share) for share in shares)


def _colourfulness(pixels):
    opponents = (
        [(r - g) / 255 for r, g, b in pixels],
        [((r + g) / 2 - b) / 255 for r, g, b in pixels],
    )
    means = [_mean(one) for one in opponents]
    spreads = [_mean([(v - m) ** 2 for v in one]) for one, m in zip(opponents, means, strict=True)]
    return math.sqrt(sum(spreads)) + 0.3 * math.sqrt(sum(m**2 for m in means))


def _naturalness(pixels):
    groups = {(25, 70, 0.76, 0.52): [], (95, 135, 0.81, 0.53): [], (185, 260, 0.43, 0.22): []}
    for pixel in pixels:
        hue, lightness, saturation = colorsys.rgb_to_hls(*(value / 255 for value in pixel))
        if 0.2 <= lightness <= 0.8 and saturation > 0.1:
            for (low, high, *_), found in groups.items():
                if low <= 360 * hue <= high:
                    found.append(saturation)
    return sum(
        len(found) / len(pixels) * math.exp(-0.5 * ((_mean(found) - mean) / deviation) ** 2)
        for (_, _, mean, deviation), found in groups.items()
        if found
    )
