"""Checking anybody's gradient by differences: an estimate with an error bar for all that is asked, and a verdict."""

from .judging import check_gradient
from .reports import NOTHING, RIGHT, WRONG, Finding, Report

__all__ = ["NOTHING", "RIGHT", "WRONG", "Finding", "Report", "check_gradient"]
