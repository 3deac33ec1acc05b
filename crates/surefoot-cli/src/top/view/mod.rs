//! How it looks: a function of what was seen and what is chosen, drawn into whatever is given.

mod bars;
mod decisions;
mod detail;
mod figures;
mod help;
mod list;
mod pools;
#[cfg(test)]
mod tests;

use std::time::Duration;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use surefoot_core::snapshot_file::{GilSensor, Header};

use super::app::{App, Page};
use super::history::{Course, History};

/// What the terminal can show.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Theme {
    pub(crate) has_colour: bool,
    pub(crate) is_unicode: bool,
}

impl Theme {
    /// A colour, where there are any.
    fn colour(self, colour: Color) -> Style {
        if self.has_colour { Style::new().fg(colour) } else { Style::new() }
    }

    fn quiet(self) -> Style {
        // Dim letters are hard to read where they are not a colour of their own.
        self.colour(Color::DarkGray)
    }

    fn loud(self) -> Style {
        self.colour(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    fn pick(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.is_unicode { unicode } else { ascii }
    }
}

/// Fewer columns or rows than this show nothing that helps.
const LEAST: (u16, u16) = (40, 8);

/// Draws the screen.
pub(crate) fn draw(frame: &mut Frame<'_>, app: &App, theme: Theme, interval: Duration) {
    let area = frame.area();
    let buffer = frame.buffer_mut();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        Line::from("surefoot top: too small, q quits").render(area, buffer);
        return;
    }
    let [body, foot] = Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(area);
    match &app.page {
        Page::List => list::draw(app, theme, body, buffer),
        Page::Process(row) => {
            let chosen = app.pool_place(&row.history);
            draw_process(row.target.header(), &row.history, chosen, theme, body, buffer);
        }
    }
    draw_foot(app, theme, interval, foot, buffer);
    if app.shows_help {
        help::draw(theme, body, buffer);
    }
}

/// One process as text, for where there is no screen.
pub(crate) fn text(header: &Header, history: &History, theme: Theme, (width, height): (u16, u16)) -> String {
    let pools = u16::try_from(history.pools.len()).unwrap_or(u16::MAX);
    let area = Rect::new(0, 0, width, height.saturating_add(pools).min(200));
    let mut buffer = Buffer::empty(area);
    draw_process(header, history, 0, Theme { has_colour: false, ..theme }, area, &mut buffer);
    let mut lines: Vec<String> = (0..area.height)
        .map(|y| {
            let letters: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
            letters.trim_end().to_owned()
        })
        .collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    if let Some(why) = &history.ended {
        lines.push(why.clone());
    }
    lines.join("\n") + "\n"
}

/// Rows of the parts, from the top: title, table, detail, decisions. The table gives way first to the
/// detail, since it can be scrolled.
fn draw_process(
    header: &Header,
    history: &History,
    chosen: usize,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) {
    let pools = u16::try_from(history.pools.len().max(1)).unwrap_or(u16::MAX);
    let extra = u16::from(history.unshown > 0);
    let room = area.height.saturating_sub(1 + detail::HEIGHT + decisions::LEAST_HEIGHT);
    let table = (pools + 2 + extra).min(room.max(4));
    let [top, upper, middle, lower] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(table),
        Constraint::Length(detail::HEIGHT),
        Constraint::Min(0),
    ])
    .areas(area);
    draw_title(header, history, theme, top, buffer);
    pools::draw(history, chosen, theme, upper, buffer);
    let Some(course) = history.pools.values().nth(chosen) else { return };
    detail::draw(course, theme, middle, buffer);
    decisions::draw(course, history.at_ns, theme, lower, buffer);
}

fn draw_title(header: &Header, history: &History, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let newest = history.pools.values().max_by_key(|course| course.record.at_ns);
    let mut facts = Vec::new();
    // Only what was seen of late says anything about now.
    if let Some(Course { record, .. }) = newest.filter(|course| !course.is_idle()) {
        match (record.gil_sensor, record.gil_busy_share) {
            (GilSensor::Off, _) => facts.push("no GIL".to_owned()),
            (_, Some(share)) => facts.push(format!("GIL {:.0} % busy", 100.0 * share)),
            _ => {}
        }
        if let Some(cores) = record.cores {
            let used = record.cores_used.map(|used| format!("{used:.1} of ")).unwrap_or_default();
            facts.push(format!("{used}{cores:.1} cores"));
        }
        if record.is_throttled {
            facts.push("throttled".to_owned());
        }
    }
    facts.push(format!("Python {}", header.python));
    while facts.len() > 1 && facts.join("  ").len() > usize::from(area.width / 2) {
        facts.pop();
    }
    let facts = Line::from(facts.join("  ")).style(theme.quiet());
    let width = u16::try_from(facts.width()).unwrap_or(u16::MAX).min(area.width / 2);
    let [left, right] =
        Layout::horizontal([Constraint::Min(0), Constraint::Length(width)]).spacing(2).areas(area);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let name = Span::styled("surefoot top ", theme.colour(Color::Cyan).add_modifier(Modifier::BOLD));
    let pid = Span::styled(format!(" {}  ", header.owner.pid), bold);
    let room = usize::from(left.width).saturating_sub(name.width() + pid.width());
    let program = figures::cut(&header.program, room, theme);
    Line::from(vec![name, pid, Span::raw(program)]).render(left, buffer);
    facts.alignment(Alignment::Right).render(right, buffer);
}

/// A line across, with a heading; returns what is below it.
fn rule(heading: Line<'_>, theme: Theme, area: Rect, buffer: &mut Buffer) -> Rect {
    let [line, below] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    let across = theme.pick("─", "-");
    Line::from(across.repeat(usize::from(line.width))).style(theme.quiet()).render(line, buffer);
    let mut framed = vec![Span::raw(" ")];
    framed.extend(heading.spans);
    framed.push(Span::raw(" "));
    let inner = Rect { x: line.x + 2.min(line.width), width: line.width.saturating_sub(2), ..line };
    Line::from(framed).render(inner, buffer);
    below
}

fn draw_foot(app: &App, theme: Theme, interval: Duration, area: Rect, buffer: &mut Buffer) {
    let ended = match &app.page {
        Page::Process(row) => row.history.ended.as_deref(),
        Page::List => None,
    };
    if let Some(why) = ended {
        let style = theme.colour(Color::Red).add_modifier(Modifier::BOLD | Modifier::REVERSED);
        Line::from(format!(" {why}; this is what it showed last. q quits "))
            .style(style)
            .render(area, buffer);
        return;
    }
    let arrows = theme.pick("↑↓", "j k");
    let keys: &[(&str, &str)] = match app.page {
        Page::List => &[("q", "quit"), (arrows, "choose"), ("Enter", "show"), ("?", "help")],
        Page::Process(_) => &[("q", "quit"), (arrows, "pool"), ("p", "pause"), ("?", "help")],
    };
    let mut spans = Vec::new();
    for (key, meaning) in keys {
        spans.push(Span::styled(format!(" {key} "), Style::new().add_modifier(Modifier::BOLD)));
        spans.push(Span::styled(format!("{meaning}  "), theme.quiet()));
    }
    Line::from(spans).render(area, buffer);
    let pace = if app.is_paused {
        Line::styled(" paused ", theme.loud().add_modifier(Modifier::REVERSED))
    } else {
        Line::styled(format!("every {} s", interval.as_secs_f64()), theme.quiet())
    };
    pace.alignment(Alignment::Right).render(area, buffer);
}
