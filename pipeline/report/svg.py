"""SVG as a tree of elements: the serialiser escapes every name and word that gets into a drawing."""

from collections.abc import Iterable
from xml.etree.ElementTree import Element, tostring

from markupsafe import Markup

Value = str | float
Point = tuple[float, float]


def element(tag: str, *children: Element, text: str | None = None, **attributes: Value) -> Element:
    """An element; of an attribute's name, a last underscore goes and others become hyphens."""
    names = {key.removesuffix("_").replace("_", "-"): _text(value) for key, value in attributes.items()}
    made = Element(tag, names)
    made.text = text
    made.extend(children)
    return made


def drawing(width: float, height: float, label: str, *children: Element, stretches: bool = False) -> Markup:
    """A whole drawing that fits its place.

    Args:
        width: of its own coordinates.
        height: of its own coordinates.
        label: what it shows, for those who do not see it.
        children: what is in it.
        stretches: fill the place whatever its shape, for drawings without words.
    """
    box = {"viewBox": f"0 0 {_text(width)} {_text(height)}", "role": "img", "aria-label": label}
    if stretches:
        box["preserveAspectRatio"] = "none"
    root = Element("svg", box)
    root.extend(children)
    return Markup(tostring(root, encoding="unicode"))  # noqa: S704 - ElementTree has escaped it


def path(points: Iterable[Point]) -> str:
    """The data of a line through points."""
    return "M" + "L".join(f"{_text(x)} {_text(y)}" for x, y in points)


def boxes(places: Iterable[tuple[float, float, float, float]]) -> str:
    """The data of one path of many boxes, each (x, y, width, height): shorter than as many elements."""
    return "".join(f"M{_text(x)} {_text(y)}h{_text(w)}v{_text(h)}h{_text(-w)}z" for x, y, w, h in places)


def _text(value: Value) -> str:
    return value if isinstance(value, str) else f"{round(value, 1):g}"
