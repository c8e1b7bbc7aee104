"""The screen of `heed demo`: what Heed sees, hears, reads and thinks, drawn with characters."""

from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from models.spec import NORMAL
from pipeline.demo.glyphs import ACCENT, ALARM, CALM, QUIET, WIDE_CELLS, Bar, Picture, Spectrum, Trace, colour_of
from pipeline.demo.state import SENSES, DemoState, Story, false_alarms, outcomes, stories


def screen(state: DemoState, width: int, height: int, share: float = 1.0) -> Layout:
    """The whole screen, from 80x24 on.

    Args:
        state: What to show.
        width: Columns of the terminal.
        height: Rows of the terminal.
        share: How much of the newest second is over, from 0 to 1: picture and spectrum move with it.
    """
    left, right, whole = Layout(size=round(0.58 * width)), Layout(), Layout()
    picture_rows = min(round((0.58 * width - 4) / WIDE_CELLS), height - 9)
    left.split_column(Layout(_sees(state, share), size=picture_rows + 2), Layout(_recalls(state)))
    right.split_column(
        Layout(_hears(state, share), minimum_size=4),
        Layout(_reads(state), size=4),
        Layout(_thinks(state), size=6),
        Layout(_warns(state), minimum_size=5),
    )
    middle = Layout()
    middle.split_row(left, right)
    whole.split_column(Layout(_title(state), size=1), middle)
    return whole


def _now(state: DemoState) -> Story | None:
    """The anomaly that lasts, if one does."""
    lasting = [story for story in stories(state) if story.end_seconds is None]
    return lasting[-1] if lasting else None


def _title(state: DemoState) -> Table:
    """Name, clock and the present state."""
    now = _now(state)
    says = (f" ANOMALY: {now.label} ", f"bold white on {ALARM}") if now else (f" {NORMAL} ", f"bold black on {CALM}")
    clock = f"{_minutes(state.seconds)} / {_minutes(state.scene.duration_seconds)}"
    bar = Table.grid(padding=(0, 2, 0, 0), expand=True)
    bar.add_column(ratio=1)
    bar.add_row(
        Text.assemble((" HEED ", f"bold black on {ACCENT}"), (" sees, hears, reads, warns", QUIET)),
        Text(clock),
        Text.assemble(says),
    )
    return bar


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02}"


def _panel(state: DemoState, title: str, inside: RenderableType, modality: str = "") -> Panel:
    """A frame with a title; red while this modality alone is over the threshold."""
    own = state.scores[-1].modalities[modality].score if modality and state.scores else None
    alarmed = own is not None and own >= state.scores[-1].threshold
    colour = ALARM if alarmed else QUIET
    return Panel(
        inside, title=f"[{ACCENT}]{title}", title_align="left", border_style=colour, box=box.ROUNDED, padding=(0, 1)
    )


def _sees(state: DemoState, share: float) -> Panel:
    frames = state.window.frames if state.window else None
    if frames is None:
        return _panel(state, "sees", Text("nothing to see", style=QUIET), "video")
    half = len(frames) // 2
    return _panel(state, "sees", Picture(frames[min(len(frames) - 1, half + int(share * half))]), "video")


def _hears(state: DemoState, share: float) -> Panel:
    samples = state.window.samples if state.window else None
    if samples is None:
        return _panel(state, "hears", Text("nothing to hear", style=QUIET), "audio")
    half = len(samples) // 2
    end = half + int(share * half)
    return _panel(state, "hears", Spectrum(samples[max(0, end - 2048) : end]), "audio")


def _reads(state: DemoState) -> Panel:
    is_new = bool(state.window and state.window.text)
    words = Text(f"“{state.line}”" if state.line else "no words yet", style="bold" if is_new else QUIET)
    words.no_wrap, words.overflow = False, "fold"  # whatever the console does with long lines
    return _panel(state, "reads", words, "text")


def _thinks(state: DemoState) -> Panel:
    """A bar for every sense, and one for all together."""
    last = state.scores[-1] if state.scores else None
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(width=5)
    grid.add_column(ratio=1)
    grid.add_column(width=4, justify="right")
    for modality, verb in SENSES.items():
        value = last.modalities[modality].score if last else None
        grid.add_row(Text(verb, QUIET), Bar(value, last), "–" if value is None else f"{value:.2f}")
    fused = last.anomaly if last else None
    grid.add_row(Text("all", "bold"), Bar(fused, last), "–" if fused is None else Text(f"{fused:.2f}", "bold"))
    return _panel(state, "thinks", grid)


def _recalls(state: DemoState) -> Panel:
    return _panel(state, "score, over the script", Trace(state))


def _warns(state: DemoState) -> Panel:
    """The anomalies told, the newest last."""
    return _panel(state, "warns", Told(state))


@dataclass(frozen=True, slots=True)
class Told:
    """The anomalies told so far, as many of the newest as fit."""

    state: DemoState

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """One line each."""
        newest = stories(self.state)[-(options.height or 5) :]
        lines = [told(story) for story in newest] or [Text("nothing so far", style=QUIET)]
        for line in lines:
            line.truncate(options.max_width, overflow="crop")
        yield from console.render(Group(*lines), options)


def told(story: Story) -> Text:
    """One anomaly on one line."""
    sign = "▲" if story.end_seconds is None else "△"
    line = Text.assemble(
        (f"{sign} {_minutes(story.start_seconds)} ", QUIET),
        (f"{story.label:11}", f"bold {colour_of(story.label)}"),
        f" {story.sense:5} {story.score:.2f}",
    )
    if story.end_seconds is None:
        return line.append(" now", style=ALARM)
    return line.append(f" {story.end_seconds - story.start_seconds:.0f} s", style=QUIET)


def summary(state: DemoState) -> Group:
    """What was scripted, what was told, and how late."""
    table = Table(box=box.SIMPLE_HEAD, title_justify="left")
    for name in ("scripted", "at", "alert", "by", "score", "delay", ""):
        table.add_column(name, justify="right" if name in ("at", "score", "delay") else "left")
    for outcome in outcomes(state):
        story, delay = outcome.story, outcome.delay_seconds
        table.add_row(
            outcome.act.label,
            _minutes(outcome.act.start_seconds),
            story.label if story else "none",
            story.sense if story else "",
            f"{story.score:.2f}" if story else "",
            f"{delay:.1f} s" if delay is not None else "",
            Text("ok", CALM) if outcome.is_found else Text("missed", ALARM),
        )
    wrong = false_alarms(state)
    verdict = Text(f"False alarms in the ordinary part: {len(wrong)}", style=ALARM if wrong else CALM)
    for story in wrong:
        verdict.append("\n  ").append(told(story))
    return Group(table, verdict)
