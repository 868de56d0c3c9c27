"""The goods, places and elements of a run as integer codes.

Everything here is read from the data tables: adding a good, an ore class or a place is a row of
data. The only name the code itself knows is :data:`CHINA`, the state whose conduct is the question.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rare_market.inputs import END_USES, Tables

CHINA = "CHN"
STAGES = ("concentrate", "oxide", "metal", "magnet", "scrap")
FACILITY_STAGES = ("mine", "separation", "metal", "magnet", "recycling")
# bound: buys only goods of an origin that is not excluded; domestic: only of its own place;
# military: open, and told apart from others while a rule tells end uses apart; loyal: would rather
# not take what bound buyers refuse, and does where others cost too much more; bound under a rule
BUYER_CLASSES = ("open", "bound", "domestic", "military", "loyal")
OPEN, BOUND, DOMESTIC, MILITARY, LOYAL = range(5)
CIVIL_USE, MILITARY_USE = range(len(END_USES))
MONTHS_PER_YEAR = 12


class Catalogue(NamedTuple):
    """Codes of goods, places and elements.

    Attributes
    ----------
    goods, places, elements
        names; the position is the code.
    stage
        ``[good]`` index into :data:`STAGES`.
    allied
        ``[place]`` bool.
    composition_reo_t_per_t
        ``[good, element]`` tonnes of the element as oxide in one tonne of the good.
    facilities
        names of mines and plants.
    """

    goods: tuple[str, ...]
    places: tuple[str, ...]
    elements: tuple[str, ...]
    stage: np.ndarray
    allied: np.ndarray
    composition_reo_t_per_t: np.ndarray
    facilities: tuple[str, ...] = ()

    def good(self, name: str) -> int:
        """Code of a good; ``KeyError`` with the known names if there is none."""
        return _position(self.goods, name, "good")

    def place(self, name: str) -> int:
        """Code of a place; ``KeyError`` with the known names if there is none."""
        return _position(self.places, name, "place")

    def of_stage(self, stage: str) -> np.ndarray:
        """Mask ``[good]`` of the goods of one stage."""
        return self.stage == STAGES.index(stage)

    @property
    def china(self) -> int:
        """Code of China."""
        return self.places.index(CHINA)


class Recipes(NamedTuple):
    """What one unit of each process takes and gives.

    Attributes
    ----------
    names
        processes; the position is the code.
    stage
        ``[process]`` index into :data:`FACILITY_STAGES`.
    input_t, output_t
        ``[process, good]`` tonnes per tonne of activity.
    """

    names: tuple[str, ...]
    stage: np.ndarray
    input_t: np.ndarray
    output_t: np.ndarray

    def feeds_of(self, goods: np.ndarray) -> np.ndarray:
        """Goods of which others are made, at any remove, ``[good]`` bool of ``[good]`` bool."""
        made, feeds = np.zeros_like(goods), goods
        while (feeds & ~made).any():
            made = made | feeds
            feeds = (self.input_t[(self.output_t[:, made] > 0.0).any(axis=1)] > 0.0).any(axis=0)
        return made & ~goods


def _position(names: tuple[str, ...], name: str, kind: str) -> int:
    try:
        return names.index(name)
    except ValueError:
        raise KeyError(f"unknown {kind} {name!r}: known are {', '.join(names)}") from None


def codes(names: tuple[str, ...], column: np.ndarray) -> np.ndarray:
    """Integer codes of a column of names."""
    position = {name: i for i, name in enumerate(names)}
    return np.array([position[name] for name in column.tolist()], dtype=np.int64)


def read_catalogue(tables: Tables) -> Catalogue:
    """Codes and compositions from the tables of places, goods, baskets and compositions."""
    goods = tuple(tables.goods["good"].tolist())
    places = tuple(tables.places["place"].tolist())
    baskets, rest = tables.baskets, tables.composition
    elements = tuple(dict.fromkeys(baskets["element"].tolist() + rest["element"].tolist()))
    composition = np.zeros((len(goods), len(elements)))
    composition[codes(goods, baskets["good"]), codes(elements, baskets["element"])] = (
        baskets["share_percent"] / 100
    )
    composition[codes(goods, rest["good"]), codes(elements, rest["element"])] = rest["reo_t_per_t"]
    return Catalogue(
        goods=goods,
        places=places,
        elements=elements,
        stage=codes(STAGES, tables.goods["stage"]),
        allied=tables.places["allied"] == "yes",
        composition_reo_t_per_t=composition,
        facilities=tuple(tables.facilities["facility"].tolist()),
    )


def read_recipes(tables: Tables, catalogue: Catalogue) -> Recipes:
    """Input and output coefficients of every process from the table ``recipes``."""
    rows = tables.recipes
    names = tuple(dict.fromkeys(rows["process"].tolist()))
    process, good = codes(names, rows["process"]), codes(catalogue.goods, rows["good"])
    stage = np.zeros(len(names), dtype=np.int64)
    stage[process] = codes(FACILITY_STAGES, rows["stage"])
    coefficient = np.zeros((2, len(names), len(catalogue.goods)))
    coefficient[(rows["role"] == "output").astype(int), process, good] = rows["quantity_t"]
    return Recipes(names, stage, input_t=coefficient[0], output_t=coefficient[1])
