"""One experiment of the playbook: who was exposed when, what they did since, and what that shows."""

from experiments.report.experiment.analysis import Analysed, analyse
from experiments.report.experiment.cohort import Cohort, Values
from experiments.report.experiment.reading import read_cohorts
from experiments.report.experiment.verdict import Verdict, verdict

__all__ = ["Analysed", "Cohort", "Values", "Verdict", "analyse", "read_cohorts", "verdict"]
