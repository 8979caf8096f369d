"""A plot of panels side by side, both axes logarithmic, as SVG for light and dark pages."""

import math
from collections import namedtuple
from html import escape

# A line with its name at its end, or none; `points` are (x, y).
Line = namedtuple('Line', 'name colour dashed points')
Panel = namedtuple('Panel', 'title lines')

WIDTH, HEIGHT = 236, 330        # Of a panel's inner part.
LEFT, TOP, GAP, BELOW = 62, 62, 112, 78
LINE_HEIGHT = 14                # Of a name at the end of a line.

STYLE = '''
  .page { fill: #ffffff } text { fill: #24292f; font: 12px system-ui, sans-serif }
  .title { font-weight: 600 } .grid { stroke: #d8dee4 } .lines path { fill: none }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } text { fill: #e6edf3 } .grid { stroke: #30363d }
  }'''


class Scale:
    """Logarithmic, from the least value to the most."""

    def __init__(self, values, start, end):
        self.low = min(math.log10(value) for value in values)
        self.high = max(math.log10(value) for value in values)
        self.start, self.end = start, end

    def __call__(self, value):
        part = (math.log10(value) - self.low) / ((self.high - self.low) or 1)
        return self.start + part * (self.end - self.start)

    def decades(self):
        return [10 ** power for power in
                range(math.ceil(self.low - 1e-9), math.floor(self.high + 1e-9) + 1)]


def spread(wanted, low, high):
    """Moves heights apart that are too close to be read, in their order."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = dict.fromkeys(order, 0.0)
    last = low - LINE_HEIGHT
    for i in order:
        last = placed[i] = max(wanted[i], last + LINE_HEIGHT)
    last = high + LINE_HEIGHT
    for i in reversed(order):
        last = placed[i] = min(placed[i], last - LINE_HEIGHT)
    return [placed[i] for i in range(len(wanted))]


def draw_line(line, x, y):
    path = 'M' + ' L'.join(f'{x(a):.1f} {y(b):.1f}' for a, b in line.points)
    dash = ' stroke-dasharray="3 3" stroke-width="1.2"' if line.dashed else ' stroke-width="2"'
    return f'<path d="{path}" stroke="{line.colour}"{dash}/>'


def draw_name(line, left, height, anchor):
    # The colour stands in the style: it must win against that of all text.
    return (f'<text x="{left:.1f}" y="{height:.1f}" text-anchor="{anchor}" '
            f'style="fill: {line.colour}">{escape(line.name)}</text>')


def draw_names(lines, x, y):
    """Beside their ends; above it where a line ends early, for others go on there."""
    at_edge = []
    for line in (line for line in lines if line.name and line.points):
        end, value = line.points[-1]
        if x(end) < x.end - 1:
            yield draw_name(line, x(end), y(value) - 8, 'end')
        else:
            at_edge.append(line)
    heights = spread([y(line.points[-1][1]) for line in at_edge], TOP, TOP + HEIGHT)
    for line, height in zip(at_edge, heights):
        yield draw_name(line, x.end + 6, height + 4, 'start')


def draw_panel(panel, left, x, y, x_ticks, y_ticks):
    middle = left + WIDTH / 2
    yield (f'<text class="title" x="{middle}" y="{TOP - 10}" text-anchor="middle">'
           f'{escape(panel.title)}</text>')
    for value, text in y_ticks:
        yield (f'<path class="grid" d="M{left} {y(value):.1f} h{WIDTH}"/>'
               f'<text x="{left - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{text}</text>')
    for value, text in x_ticks:
        yield (f'<path class="grid" d="M{x(value):.1f} {TOP} v{HEIGHT}"/>'
               f'<text x="{x(value):.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{text}'
               '</text>')
    yield '<g class="lines">'
    yield from (draw_line(line, x, y) for line in panel.lines if line.points)
    yield '</g>'
    yield from draw_names(panel.lines, x, y)


def draw(panels, title, below, x_ticks, y_text):
    """`below` are lines of text under the plot; `x_ticks` are (value, text); `y_text` makes the
    text of a value."""
    points = [point for panel in panels for line in panel.lines for point in line.points]
    y = Scale([value for _, value in points], TOP + HEIGHT, TOP)
    width = LEFT + len(panels) * (WIDTH + GAP)
    height = TOP + HEIGHT + BELOW
    text = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img">',
            f'<title>{escape(title)}</title>', f'<style>{STYLE}\n</style>',
            f'<rect class="page" width="{width}" height="{height}"/>',
            f'<text class="title" x="{LEFT}" y="22" style="font-size: 15px">{escape(title)}</text>']
    for number, panel in enumerate(panels):
        left = LEFT + number * (WIDTH + GAP)
        x = Scale([value for value, _ in points], left, left + WIDTH)
        text += draw_panel(panel, left, x, y, x_ticks,
                           [(value, y_text(value)) for value in y.decades()])
    for number, line in enumerate(below):
        text.append(f'<text x="{LEFT}" y="{TOP + HEIGHT + 44 + 18 * number}">{escape(line)}</text>')
    return '\n'.join([*text, '</svg>', ''])
