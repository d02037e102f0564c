"""The report's tables as somebody who knows the database would write them, to compare with."""

from datetime import datetime
from typing import Any

TABLE, PATHWAY, PROGRAM = (f"credit_pathways_{name}" for name in ("usercreditpathway", "pathway", "program"))

#: What each table groups by, and how its lines get their names.
REPORT = {
    "program": ("r.program_id", "p.title, p.uuid", f"LEFT JOIN {PROGRAM} p ON p.id = g.k"),
    "pathway": ("r.pathway_id", "p.name, p.org_name, p.uuid", f"LEFT JOIN {PATHWAY} p ON p.id = g.k"),
    "institution": ("p.org_name", "", ""),
    "status": ("r.status", "", ""),
    "month": ("", "", ""),
}
MONTH = {
    "postgresql": "DATE_TRUNC('month', r.created AT TIME ZONE 'UTC')",
    "mysql": "CAST(DATE_FORMAT(r.created, '%%Y-%%m-01') AS DATETIME)",
    "sqlite": "strftime('%%Y-%%m-01', r.created)",
}
SAME_PROGRAM = {
    "postgresql": "e.program_id IS NOT DISTINCT FROM r.program_id",
    "mysql": "e.program_id <=> r.program_id",
    "sqlite": "e.program_id IS r.program_id",
}


def report_sql(vendor: str, by: str, since: datetime | None) -> tuple[str, list[Any]]:
    """Return the statement and its parameters: key, names, requests, first requests, learners."""
    key, names, join = REPORT[by]
    key = key or MONTH[vendor]
    before, where, params = "", "", []
    if since:
        before = (
            f", EXISTS (SELECT 1 FROM {TABLE} e WHERE e.user_id = r.user_id AND e.pathway_id = r.pathway_id"
            f" AND {SAME_PROGRAM[vendor]} AND e.created < %s) AS asked"
        )
        where, params = "WHERE r.created >= %s", [since, since]
    institution = f"LEFT JOIN {PATHWAY} p ON p.id = r.pathway_id" if by == "institution" else ""
    first = "nth = 1 AND NOT asked" if since else "nth = 1"
    sql = f"""
        SELECT g.k{f", {names}" if names else ""}, g.requests, g.firsts, g.learners FROM (
            SELECT k, COUNT(*) AS requests, COUNT(CASE WHEN {first} THEN 1 END) AS firsts,
                   COUNT(DISTINCT user_id) AS learners
            FROM (
                SELECT {key} AS k, r.user_id,
                       ROW_NUMBER() OVER (PARTITION BY r.user_id, r.pathway_id, r.program_id ORDER BY r.created, r.id)
                           AS nth{before}
                FROM {TABLE} r {institution} {where}
            ) numbered GROUP BY k
        ) g {join} ORDER BY g.requests DESC"""
    return sql, params
