"""SQL expressions that the statements for several kinds of camera lists share."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, Text, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from camera_registry.storage.tables import REGION_LENGTH, hub_life

SIZE = bindparam("size", type_=BigInteger)
regions_given = bindparam("regions", type_=ARRAY(Text))
region = func.unnest(regions_given).table_valued("code", name="region").render_derived()


def sort_column(of: Any, sorted_by: str) -> ColumnElement[Any]:
    """Return the column `sorted_by` of a table or subquery.

    The values of the column `name_order` begin with the region's code, which is cut off.
    """
    column: ColumnElement[Any] = of.c[sorted_by]
    return func.substr(column, REGION_LENGTH + 1) if sorted_by == "name_order" else column


def with_life(found: Select[Any], sorted_by: str) -> Select[Any]:
    """Return the query `found`, sorted by the column `sorted_by` and then by id.

    The returned query also has the column `heard_at`: when each camera's hub last reported.
    """
    listed = found.subquery("listed")
    return (
        select(listed, hub_life.c.heard_at)
        .outerjoin_from(listed, hub_life, hub_life.c.hub_id == listed.c.hub_id)
        .order_by(sort_column(listed, sorted_by), listed.c.camera_id)
    )
