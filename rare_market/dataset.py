"""The data a run starts from: checked tables, their codes, the law and the prices of 2024."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rare_market.goods import Catalogue, Recipes, codes, read_catalogue, read_recipes
from rare_market.inputs import InputError, Tables, load_tables, table_checksums
from rare_market.policies.current_law import current_law
from rare_market.regime import Regime

START_PERIOD_LABEL = "2024"
START_BASIS = "domestic_ex_vat"


class Data(NamedTuple):
    """The checked tables and what is coded from them.

    Attributes
    ----------
    tables, catalogue, recipes, checksums
        as their types say.
    law
        rules in force at the start.
    start_price_usd_per_kg
        ``[good]`` in China.
    """

    tables: Tables
    catalogue: Catalogue
    recipes: Recipes
    checksums: dict[str, str]
    law: Regime
    start_price_usd_per_kg: np.ndarray


@lru_cache(maxsize=4)
def read_data(folder: str = "") -> Data:
    """Load and check a folder of tables; the shipped ones by default.

    Raises
    ------
    rare_market.inputs.InputError
        one sentence naming table, row, field and bound.
    """
    path = Path(folder) if folder else None
    tables = load_tables(path)
    catalogue = read_catalogue(tables)
    recipes = read_recipes(tables, catalogue)
    _check_ties(tables, catalogue, recipes)
    prices = tables.prices
    start = (
        (prices["period"] == START_PERIOD_LABEL)
        & (prices["basis"] == START_BASIS)
        & (prices["place"] == catalogue.places[catalogue.china])
    )
    price = np.zeros(len(catalogue.goods))
    price[codes(catalogue.goods, prices["good"][start])] = prices["price_usd_per_kg"][start]
    return Data(
        tables,
        catalogue,
        recipes,
        table_checksums(path),
        current_law(tables, catalogue),
        price,
    )


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
