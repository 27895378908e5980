"""Gathers numbers over the rounds and shows them as one table or as JSON."""
import statistics

OPS = ("add", "mul", "tanh", "matmul")
ROWS = {f"{part}/{op}/{size}": "ns"
        for size in ("1", "16x16") for op in OPS for part in ("record", "backward")}
ROWS.update({
    "step/mlp": "us", "step/mlp-adam": "us", "step/mlp-full": "us", "memory/mlp-8192": "MB", "memory/baseline": "MB",
    "startup/first-gradient": "ms", "resident/first-gradient": "MB", "compile/readme": "s",
    "size/library": "MB", "size/loaded": "MB"})
SCALE = {"ns": 1.0, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9, "B": 1.0, "KB": 1e3, "MB": 1e6,
         "KiB": 2.0**10, "MiB": 2.0**20, "GB": 1e9}


class Results:
    """The medians of each round, by row and program."""

    def __init__(self):
        self.samples = {}
        self.floors = {}

    def add(self, key, entries):
        """Takes a program's list; rows that the table does not have are passed over."""
        for e in entries:
            name = e.get("name")
            if name not in ROWS or not isinstance(e.get("median"), (int, float)):
                continue
            scale = SCALE.get(e.get("unit"), 1.0) / SCALE[ROWS[name]] \
                if e.get("unit") != ROWS[name] else 1.0
            self.samples.setdefault((name, key), []).append(e["median"] * scale)
            if isinstance(e.get("floor_ratio"), (int, float)):
                self.floors.setdefault((name, key), []).append(e["floor_ratio"])

    def cell(self, name, key):
        """Median and quartiles over the rounds, or None."""
        samples = self.samples.get((name, key))
        if not samples:
            return None
        p25, median, p75 = (statistics.quantiles(samples, n=4, method="inclusive")
                            if len(samples) > 1 else samples * 3)
        cell = {"median": median, "p25": p25, "p75": p75, "rounds": len(samples)}
        if (name, key) in self.floors:
            cell["floor_ratio"] = statistics.median(self.floors[name, key])
        own = self.samples.get((name, "wengert"))
        if own and key != "wengert" and statistics.median(own) > 0:
            cell["ratio"] = median / statistics.median(own)
        return cell

    def rows(self, programs):
        """Gives (name, unit, {key: cell}) for every row that any program has."""
        for name, unit in ROWS.items():
            cells = {p.key: self.cell(name, p.key) for p in programs}
            if any(cells.values()):
                yield name, unit, cells


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def shown(cell):
    """A median with half its interquartile range, in percent."""
    if cell is None:
        return "–"
    spread = 50 * (cell["p75"] - cell["p25"]) / cell["median"] if cell["median"] else 0
    return number(cell["median"]) + (f" ±{spread:.0f}%" if cell["rounds"] > 1 else "")


def ratio(cell):
    return f"{number(cell['ratio'])}×" if cell and "ratio" in cell else ""


def table(results, programs):
    """The table as text: Wengert first, then each peer with its ratio to Wengert."""
    rows = list(results.rows(programs))
    own = any(cells.get("wengert") for _, _, cells in rows)
    columns = [p for p in programs if p.key != "wengert" or own]
    head = ["", "unit"]
    for p in columns:
        head += [p.title] if p.key == "wengert" or not own else [p.title, "ratio"]
    lines = [head]
    for name, unit, cells in rows:
        line = [name, "µs" if unit == "us" else unit]
        for p in columns:
            line.append(shown(cells[p.key]))
            if own and p.key != "wengert":
                line.append(ratio(cells[p.key]))
        lines.append(line)
    return layout(lines)


def layout(lines):
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    left = 2  # name and unit; numbers are set right
    text = []
    for line in lines:
        cells = [c.ljust(w) if i < left else c.rjust(w)
                 for i, (c, w) in enumerate(zip(line, widths))]
        text.append("  ".join(cells).rstrip())
    return "\n".join(text)


def as_json(results, programs, about):
    rows = [{"name": name, "unit": unit, **{k: c for k, c in cells.items() if c}}
            for name, unit, cells in results.rows(programs)]
    return {**about, "programs": {p.key: p.title for p in programs}, "rows": rows}
