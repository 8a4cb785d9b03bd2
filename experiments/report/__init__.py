"""The A/B report: what treatment, random-eligible and holdout customers earned, compared by customer."""

from experiments.report.compare import Comparison, Report, ab_report
from experiments.report.split import Split, check_split

__all__ = ["Comparison", "Report", "Split", "ab_report", "check_split"]
