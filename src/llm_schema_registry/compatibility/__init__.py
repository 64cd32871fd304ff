"""From a level to pairs to a verdict with its reasons.

Refuses to know any format, and where earlier versions come from.
"""

from llm_schema_registry.compatibility.brief import MAX_CHARACTERS, MAX_FINDINGS
from llm_schema_registry.compatibility.judge import (
    TRANSITIVE,
    Judge,
    Side,
    reserved_field_problems,
    tail,
)
from llm_schema_registry.compatibility.logical import check_logical
from llm_schema_registry.compatibility.several import join_reports, newest_of_each, warnings_of, with_more

__all__ = [
    "MAX_CHARACTERS",
    "MAX_FINDINGS",
    "TRANSITIVE",
    "Judge",
    "Side",
    "check_logical",
    "join_reports",
    "newest_of_each",
    "reserved_field_problems",
    "tail",
    "warnings_of",
    "with_more",
]
