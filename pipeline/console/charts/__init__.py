"""Charts: pure functions from figures to SVG, each with a title, a description and a table of the same figures.

They hold no style of their own: classes that `static/pages.css` draws in both themes. A chart is drawn in units of a
page of a phone, so that its words can be read there too.
"""

from pipeline.console.charts.bars import bars, stacked
from pipeline.console.charts.frame import Frame, Series, Unit
from pipeline.console.charts.graph import Edge, Node, graph
from pipeline.console.charts.lines import lines, sparkline

__all__ = ["Edge", "Frame", "Node", "Series", "Unit", "bars", "graph", "lines", "sparkline", "stacked"]
