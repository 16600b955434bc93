"""Generate deploy/grafana/dashboards/choirbook.json: `task docs:dashboard`.

Import it into Grafana, or let the files beside it provision it. It has variables for its data source, and for
the jobs and instances to show.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.grafana_panels import ROWS, Panel

DASHBOARD = Path(__file__).resolve().parent.parent / "deploy" / "grafana" / "dashboards" / "choirbook.json"

SCHEMA_VERSION = 39
"""Schema version of Grafana 11; newer ones read it too."""

COLUMNS = 24
ROW_HEIGHT = 1

SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    panels = list(_laid_out())
    for number, panel in enumerate(panels, start=1):
        panel["id"] = number
    return {
        "uid": "choirbook",
        "title": "Choirbook",
        "description": "Reads, latency, cache, faults and processes; docs/metrics.md describes each metric.",
        "tags": ["choirbook", "mcp"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": _variables()},
        "panels": panels,
    }


def _variables() -> list[dict[str, Any]]:
    several = {
        "type": "query",
        "datasource": SOURCE,
        "multi": True,
        "includeAll": True,
        "refresh": 2,
        "sort": 1,
    }
    everything = {"current": {"text": ["All"], "value": ["$__all"]}, "allValue": ".*"}
    jobs = "label_values(choirbook_catalog_resources, job)"
    instances = 'label_values(choirbook_catalog_resources{job=~"$job"}, instance)'
    return [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"},
        {"name": "job", "label": "Job", "query": jobs, "definition": jobs, **several, **everything},
        {
            "name": "instance",
            "label": "Instance",
            "query": instances,
            "definition": instances,
            **several,
            **everything,
        },
    ]


def _laid_out() -> Iterator[dict[str, Any]]:
    """Place panels from left to right, and on the next line if one does not fit."""
    top = 0
    for title, panels in ROWS.items():
        place = {"h": ROW_HEIGHT, "w": COLUMNS, "x": 0, "y": top}
        yield {"type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}
        top, left, height = top + ROW_HEIGHT, 0, 0
        for panel in panels:
            if left + panel.width > COLUMNS:
                top, left, height = top + height, 0, 0
            place = {"h": panel.height, "w": panel.width, "x": left, "y": top}
            yield {**_panel(panel), "gridPos": place}
            left, height = left + panel.width, max(height, panel.height)
        top += height


def _panel(panel: Panel) -> dict[str, Any]:
    is_heatmap = panel.kind == "heatmap"
    targets = [
        {
            "refId": chr(ord("A") + number),
            "datasource": SOURCE,
            "expr": query.expr,
            "legendFormat": query.legend,
            "exemplar": query.has_exemplars,
            "format": "heatmap" if is_heatmap else "time_series",
        }
        for number, query in enumerate(panel.queries)
    ]
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _OPTIONS[panel.kind],
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit}
    if panel.kind == "timeseries":
        defaults |= {"min": 0, "custom": {"fillOpacity": 10, "showPoints": "never"}}
    if panel.unit == "percentunit":
        defaults |= {"min": 0, "max": 1}
    return defaults


_OPTIONS: dict[str, dict[str, Any]] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {"colorMode": "value", "graphMode": "area", "reduceOptions": {"calcs": ["lastNotNull"]}},
    "heatmap": {"calculate": False, "yAxis": {"unit": "s"}, "cellGap": 1, "color": {"scheme": "Spectral"}},
}


if __name__ == "__main__":
    DASHBOARD.write_text(json.dumps(dashboard(), indent=2) + "\n", encoding="utf-8")
