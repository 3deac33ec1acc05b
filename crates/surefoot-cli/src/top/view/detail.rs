//! One pool: where its workers' time goes, its throughput and latency over time, its counts.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use surefoot_core::share::GilShare;
use surefoot_core::snapshot_file::PoolRecord;

use super::{Theme, bars, figures, rule};
use crate::top::history::{Course, Interval};

/// Heading, bar, legend, two courses of two rows, counts.
pub(super) const HEIGHT: u16 = 8;

/// Columns left and right of a course.
const LABEL: u16 = 11;
const NUMBERS: u16 = 21;

pub(super) fn draw(course: &Course, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let below = rule(heading(course, theme), theme, area, buffer);
    let [bar, legend, throughput, latency, counts] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(2),
        Constraint::Length(2),
        Constraint::Length(1),
    ])
    .areas(below);
    draw_shares(course, theme, bar, legend, buffer);
    let points: Vec<_> = course.throughput_per_s.iter().map(|point| Some(*point)).collect();
    let now = course.throughput_per_s.back().copied().unwrap_or(course.interval.throughput_per_s);
    draw_course(
        &Graph {
            label: "tasks/s",
            points: &points,
            now: Some(now),
            figure: figures::rate,
            colour: Color::Cyan,
        },
        theme,
        throughput,
        buffer,
    );
    let points: Vec<_> = course.wall_p99_ns.iter().map(|point| point.map(|ns| ns as f64)).collect();
    let now = points.last().copied().flatten();
    draw_course(
        &Graph { label: "p99 time", points: &points, now, figure: time, colour: Color::Magenta },
        theme,
        latency,
        buffer,
    );
    Line::styled(in_counts(&course.record, &course.interval, usize::from(counts.width)), theme.quiet())
        .render(counts, buffer);
}

fn heading(course: &Course, theme: Theme) -> Line<'static> {
    let Course { record, age_ns, .. } = course;
    let name = if record.name.is_empty() { "a pool without a name" } else { &record.name };
    let mut spans = vec![Span::styled(name.to_owned(), Style::new().add_modifier(Modifier::BOLD))];
    let age = figures::time(*age_ns);
    let state = if course.is_silent() {
        Some(format!("has work, but no news for {age}: is the process stopped?"))
    } else if record.is_closed && course.is_idle() {
        Some("shut down".to_owned())
    } else if course.is_idle() {
        Some(format!("idle for {age}"))
    } else {
        record.is_closed.then(|| "shut down, finishing what is queued".to_owned())
    };
    if let Some(state) = state {
        let style = if course.is_silent() { theme.loud() } else { theme.quiet() };
        spans.push(Span::styled(format!("  {state}"), style));
    }
    Line::from(spans)
}

fn draw_shares(course: &Course, theme: Theme, bar: Rect, legend: Rect, buffer: &mut Buffer) {
    // A pool at rest shows where the time of its life went.
    let is_life = course.interval.shares.is_none();
    let shares = course.interval.shares.or_else(|| course.record.shares.shares());
    let Some(shares) = shares else {
        Line::styled("  no worker time measured yet", theme.quiet()).render(bar, buffer);
        return;
    };
    let parts = bars::parts(&shares, theme);
    let [label, line] = Layout::horizontal([Constraint::Length(LABEL), Constraint::Min(0)]).areas(bar);
    Line::from(if is_life { "  in all" } else { "  shares" }).render(label, buffer);
    Line::from(bars::stacked(&parts, usize::from(line.width).saturating_sub(1))).render(line, buffer);
    let mut spans = vec![Span::raw(" ".repeat(usize::from(LABEL)))];
    for part in &parts {
        spans.push(Span::styled(part.letter, part.style));
        spans.push(Span::raw(format!(" {} {:.0} %   ", part.name, 100.0 * part.share)));
    }
    let mut trust = format!("{}{:.0}, {}", theme.pick("±", "+-"), 100.0 * shares.error, shares.source.name());
    if let GilShare::Within { least, most } = shares.gil {
        trust = format!("gil {:.0} to {:.0} %, {trust}", 100.0 * least, 100.0 * most);
    }
    spans.push(Span::styled(trust, theme.quiet()));
    Line::from(spans).render(legend, buffer);
}

/// A course with its name and its numbers.
struct Graph<'a> {
    label: &'static str,
    points: &'a [Option<f64>],
    now: Option<f64>,
    figure: fn(f64) -> String,
    colour: Color,
}

fn draw_course(graph: &Graph<'_>, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let [label, middle, numbers] =
        Layout::horizontal([Constraint::Length(LABEL), Constraint::Min(0), Constraint::Length(NUMBERS)])
            .areas(area);
    let width = usize::from(middle.width);
    let shown = &graph.points[graph.points.len().saturating_sub(width)..];
    let most = shown.iter().flatten().copied().reduce(f64::max);
    let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), graph.figure);
    let lines = bars::course(shown, width, usize::from(middle.height), theme);
    for (line, row) in lines.into_iter().zip(middle.rows()) {
        Line::styled(line, theme.colour(graph.colour)).render(row, buffer);
    }
    let mut rows = label.rows().rev();
    if let Some(row) = rows.next() {
        Line::from(format!("  {}", graph.label)).render(row, buffer);
    }
    let [high, low] = Layout::vertical([Constraint::Length(1), Constraint::Length(1)]).areas(numbers);
    Line::styled(format!("  most {:>12}", figure(most)), theme.quiet()).render(high, buffer);
    Line::from(vec![
        Span::styled("  now  ", theme.quiet()),
        Span::styled(format!("{:>12}", figure(graph.now)), Style::new().add_modifier(Modifier::BOLD)),
    ])
    .render(low, buffer);
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was a whole number before")]
fn time(ns: f64) -> String {
    figures::time(ns as u64)
}

/// As many of the facts as there is room for, the most telling first.
fn in_counts(record: &PoolRecord, interval: &Interval, width: usize) -> String {
    let tasks = &record.tasks;
    let mut facts = vec![format!("{} done", figures::count(tasks.done))];
    if tasks.failed > 0 {
        facts.push(format!("{} failed", figures::count(tasks.failed)));
    }
    if tasks.cancelled > 0 {
        facts.push(format!("{} cancelled", figures::count(tasks.cancelled)));
    }
    if record.queue_length > 0 {
        facts.push(format!("oldest queued {}", figures::time(record.queue_head_age_ns)));
    }
    if let Some(queued) = interval.queued {
        let (p50, p99) = (figures::time(queued.p50_ns), figures::time(queued.p99_ns));
        facts.push(format!("queued p50 {p50}, p99 {p99}"));
    }
    if record.workers_joining > 0 {
        facts.push(format!("{} workers wait for tasks of the pool", record.workers_joining));
    }
    facts.push(format!("{} submitted/s", figures::rate(interval.arrivals_per_s)));
    let mut text = format!("  {}", facts[0]);
    for fact in &facts[1..] {
        if text.len() + 3 + fact.len() <= width {
            text += "   ";
            text += fact;
        }
    }
    text
}
