"""What a person sees of `heed demo`."""

from pipeline.demo.state import DemoState, has_passed
from pipeline.demo.view import DemoView

__all__ = ["DemoState", "DemoView", "has_passed"]
