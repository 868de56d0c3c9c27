"""Instruments, one file each; :data:`INSTRUMENTS` lists them by name."""

from __future__ import annotations

from rare_market.declare import InvalidValueError, parse_values
from rare_market.policies.base import Policy, in_order
from rare_market.policies.collective_response import CollectiveResponse
from rare_market.policies.embargo import Embargo
from rare_market.policies.enforcement import Enforcement
from rare_market.policies.environmental_standard import EnvironmentalStandard
from rare_market.policies.equity import Equity
from rare_market.policies.export_duty import ExportDuty
from rare_market.policies.export_licence import ExportLicence
from rare_market.policies.export_quota import ExportQuota
from rare_market.policies.export_threat import ExportThreat
from rare_market.policies.grant import Grant
from rare_market.policies.guarantee import Guarantee
from rare_market.policies.loan import Loan
from rare_market.policies.minimum_import_price import MinimumImportPrice
from rare_market.policies.offtake_guarantee import OfftakeGuarantee
from rare_market.policies.origin_rule import OriginRule
from rare_market.policies.packages import is_package, read_package, shipped
from rare_market.policies.permit_fast_track import PermitFastTrack
from rare_market.policies.price_floor import PriceFloor
from rare_market.policies.production_quota import ProductionQuota
from rare_market.policies.rapid_response import RapidResponse
from rare_market.policies.recycling_support import RecyclingSupport
from rare_market.policies.regulated_minimum import RegulatedMinimum
from rare_market.policies.state_purchase import StatePurchase
from rare_market.policies.stockpile import Stockpile
from rare_market.policies.subsidy import Subsidy
from rare_market.policies.tariff import Tariff
from rare_market.policies.technology_ban import TechnologyBan
from rare_market.policies.technology_sharing import TechnologySharing
from rare_market.policies.undercutting import Undercutting
from rare_market.policies.vat_refund import VatRefund

INSTRUMENTS: dict[str, type[Policy]] = {
    instrument.name: instrument
    for instrument in (
        Undercutting,
        OfftakeGuarantee,
        PriceFloor,
        Tariff,
        ExportQuota,
        Enforcement,
        ExportThreat,
        ExportDuty,
        VatRefund,
        Embargo,
        ProductionQuota,
        Subsidy,
        MinimumImportPrice,
        RegulatedMinimum,
        StatePurchase,
        Stockpile,
        RapidResponse,
        CollectiveResponse,
        ExportLicence,
        Grant,
        Loan,
        Guarantee,
        Equity,
        PermitFastTrack,
        EnvironmentalStandard,
        RecyclingSupport,
        TechnologySharing,
        TechnologyBan,
        OriginRule,
    )
}

__all__ = [
    "INSTRUMENTS",
    "CollectiveResponse",
    "Embargo",
    "Enforcement",
    "EnvironmentalStandard",
    "Equity",
    "ExportDuty",
    "ExportLicence",
    "ExportQuota",
    "ExportThreat",
    "Grant",
    "Guarantee",
    "Loan",
    "MinimumImportPrice",
    "OfftakeGuarantee",
    "OriginRule",
    "PermitFastTrack",
    "Policy",
    "PriceFloor",
    "ProductionQuota",
    "RapidResponse",
    "RecyclingSupport",
    "RegulatedMinimum",
    "StatePurchase",
    "Stockpile",
    "Subsidy",
    "Tariff",
    "TechnologyBan",
    "TechnologySharing",
    "Undercutting",
    "VatRefund",
    "in_order",
    "read_package",
    "read_policies",
    "read_policy",
    "shipped",
]


def read_policies(text: str) -> tuple[Policy, ...]:
    """Policies of a text: a package by name or file, or one instrument with its terms.

    Raises
    ------
    rare_market.declare.InvalidValueError
        for an unknown name or field, a file that cannot be read, or a value out of range.

    Examples
    --------
    >>> [policy.name for policy in read_policies("mp_dod_2025")]
    ['price_floor', 'equity', 'loan']
    """
    if is_package(text):
        return read_package(text, INSTRUMENTS).policies
    return (read_policy(text),)


def read_policy(text: str) -> Policy:
    """Build a policy from ``NAME`` or ``NAME:field=value,field=value``.

    Raises
    ------
    rare_market.declare.InvalidValueError
        for an unknown instrument or field, a field given twice, or a value out of range.

    Examples
    --------
    >>> read_policy("tariff:rate_share=0.4").rate_share
    0.4
    """
    name, _, assignments = text.partition(":")
    if name not in INSTRUMENTS:
        raise InvalidValueError(
            f"policy {name!r} is unknown: there are {', '.join(INSTRUMENTS)}; "
            f"packages {', '.join(shipped())}; and files that end in .toml."
        )
    texts: dict[str, str] = {}
    for assignment in filter(None, assignments.split(",")):
        field, sign, value = assignment.partition("=")
        if not sign:
            raise InvalidValueError(f"{name}: {assignment!r} must have the form field=value.")
        field, value = field.strip(), value.strip()
        if field in texts:
            raise InvalidValueError(
                f"{name}: {field} is given as {texts[field]!r} and as {value!r}, allowed is once."
            )
        texts[field] = value
    instrument = INSTRUMENTS[name]
    return instrument(**parse_values(instrument, texts, name))
