"""Functions from a summary to text, one module a format."""

from testloom.reports.registry import (
    BUILT_IN,
    Formats,
    Report,
    ReportError,
    ReportRequest,
    check_targets,
    parse_request,
    write_report,
    write_reports,
)

__all__ = [
    "BUILT_IN",
    "Formats",
    "Report",
    "ReportError",
    "ReportRequest",
    "check_targets",
    "parse_request",
    "write_report",
    "write_reports",
]
