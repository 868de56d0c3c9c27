"""The data of a run: checked tables, their codes, the law, the prices of the first year."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from rare_market.goods import Catalogue, Recipes, codes, read_catalogue, read_recipes
from rare_market.inputs import (
    ANY,
    BASE_YEAR,
    EXTERNAL_PARTS,
    InputError,
    Tables,
    load_tables,
    table_checksums,
    vintage_folders,
)
from rare_market.policies.current_law import MOMENT, law_changes, law_of
from rare_market.regime import Regime

START_BASIS = "domestic_ex_vat"


class Data(NamedTuple):
    """The checked tables and what is coded from them.

    Attributes
    ----------
    tables, catalogue, recipes, checksums
        as their types say.
    laws
        ``(since year, rules)``: the law at the start and at each later change, in order.
    start_price_usd_per_kg
        ``[good]`` in China.
    external_usd_per_kg
        ``[part of EXTERNAL_PARTS, good, place]`` cost to others of a kg of ore.
    """

    tables: Tables
    catalogue: Catalogue
    recipes: Recipes
    checksums: dict[str, str]
    laws: tuple[tuple[float, Regime], ...]
    start_price_usd_per_kg: np.ndarray
    external_usd_per_kg: np.ndarray

    @property
    def law(self) -> Regime:
        """Rules in force at the start."""
        return self.laws[0][1]

    def law_at(self, year: float) -> Regime:
        """Rules in force at a moment of the run, before any policy."""
        return next(law for since, law in reversed(self.laws) if since <= year + MOMENT)


@lru_cache(maxsize=8)
def read_data(folder: str = "", start_year: int = BASE_YEAR) -> Data:
    """Load and check the tables of a start year; those of the folder replace the shipped ones.

    Raises
    ------
    rare_market.inputs.InputError
        one sentence naming table, row, field and bound.
    """
    folders = vintage_folders(start_year, folder)
    tables = load_tables(folders)
    catalogue = read_catalogue(tables)
    recipes = read_recipes(tables, catalogue)
    _check_ties(tables, catalogue, recipes)
    prices = tables.prices
    start = (
        (prices["period"] == str(start_year))
        & (prices["basis"] == START_BASIS)
        & (prices["place"] == catalogue.places[catalogue.china])
    )
    price = np.zeros(len(catalogue.goods))
    price[codes(catalogue.goods, prices["good"][start])] = prices["price_usd_per_kg"][start]
    return Data(
        tables,
        catalogue,
        recipes,
        table_checksums(folders),
        tuple((year, law_of(tables, catalogue, year)) for year in law_changes(tables, start_year)),
        price,
        external_cost_usd_per_kg(tables, catalogue),
    )


def external_cost_usd_per_kg(
    tables: Tables, catalogue: Catalogue, column: str = "external_usd_per_kg"
) -> np.ndarray:
    """Cost to others of a kg of ore, from the table ``external_cost`` per kg of its oxide.

    Parameters
    ----------
    column
        the value, or its low or high.

    Returns
    -------
    np.ndarray
        ``[part of EXTERNAL_PARTS, good, place]``; a row for the place overrides that for any.
    """
    c, rows = catalogue, tables.external_cost
    cost = np.zeros((len(EXTERNAL_PARTS), len(c.goods), len(c.places)))
    content = c.composition_reo_t_per_t.sum(axis=1)
    for i in sorted(range(rows.rows), key=lambda i: rows["place"][i] != ANY):
        good, part = c.good(str(rows["good"][i])), EXTERNAL_PARTS.index(str(rows["part"][i]))
        where = str(rows["place"][i])
        places = slice(None) if where == ANY else c.place(where)
        cost[part, good, places] = rows[column][i] * content[good]
    return cost


def _check_ties(tables: Tables, catalogue: Catalogue, recipes: Recipes) -> None:
    """Refuse a mine tied to something that is no plant, or a plant for another feed."""
    rows = tables.facilities
    process_of = {
        str(f): str(p)
        for f, p, stage in zip(
            rows["facility"], rows["process_or_good"], rows["stage"], strict=True
        )
        if stage != "mine"
    }
    for i in np.nonzero(rows["feeds"] != "")[0]:
        mine, plant = str(rows["facility"][i]), str(rows["feeds"][i])
        good = str(rows["process_or_good"][i])
        process = process_of.get(plant, "")
        row = recipes.names.index(process) if process in recipes.names else None
        takes = [] if row is None else np.nonzero(recipes.input_t[row])[0].tolist()
        if good not in catalogue.goods or takes != [catalogue.good(good)]:
            raise InputError(
                f"facilities.csv, row {mine}: feeds = {plant!r} must be a plant whose only feed is "
                f"{good}."
            )
