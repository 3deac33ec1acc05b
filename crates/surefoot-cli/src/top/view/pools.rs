//! The table of pools.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::{Theme, bars, figures, rule};
use crate::top::history::{Course, History};

/// Columns of the shares' bar, where there is room.
const BAR: usize = 24;
/// All columns but the name's and the bar's.
const FIGURES: usize = 65;
const LEAST_NAME: usize = 12;
const MOST_NAME: usize = 32;

/// Draws the table; if there are more pools than rows, those around the chosen one.
pub(super) fn draw(history: &History, chosen: usize, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let count = history.pools.len();
    let heading = match count {
        1 => "1 pool".to_owned(),
        _ => format!("{count} pools"),
    };
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let below = rule(Line::from(Span::styled(heading, bold)), theme, area, buffer);
    let width = usize::from(area.width);
    let has_bar = width >= FIGURES + MOST_NAME / 2 + BAR + 4;
    let rest = width.saturating_sub(FIGURES + 2 + if has_bar { BAR + 2 } else { 0 });
    let name = rest.clamp(LEAST_NAME, MOST_NAME);
    let mut rows = below.rows();
    let Some(head) = rows.next() else { return };
    let mut titles = format!(
        "  {}{:<9}{:>10} {:>10} {:>8} {:>9} {:>7} {:>7}",
        figures::left("name", name, theme),
        "control",
        "limit/cap",
        "busy/live",
        "queued",
        "tasks/s",
        "p50",
        "p99"
    );
    if has_bar {
        titles += "  where the time goes";
    }
    Line::styled(titles, theme.quiet()).render(head, buffer);
    let room = usize::from(below.height).saturating_sub(1 + usize::from(history.unshown > 0)).max(1);
    let first = (chosen + 1).saturating_sub(room).min(count.saturating_sub(room));
    for (place, course) in history.pools.values().enumerate().skip(first).take(room) {
        let Some(row) = rows.next() else { return };
        line(course, place == chosen, name, has_bar, theme).render(row, buffer);
    }
    if history.unshown > 0
        && let Some(row) = rows.next()
    {
        let text = format!("  and {} more that the snapshot has no room for", history.unshown);
        Line::styled(text, theme.quiet()).render(row, buffer);
    }
    if count == 0 {
        Line::styled("  none at the moment", theme.quiet()).render(head, buffer);
    }
}

fn line(course: &Course, is_chosen: bool, name: usize, has_bar: bool, theme: Theme) -> Line<'static> {
    let Course { record, interval, .. } = course;
    let mark = if is_chosen { theme.pick("▶ ", "> ") } else { "  " };
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let name = figures::left(&record.name, name, theme);
    let wall = interval.wall;
    let text = format!(
        "{:<9}{:>10} {:>10} {:>8} {:>9} {:>7} {:>7}",
        figures::left(&record.controller, 8, theme),
        format!("{}/{}", record.limit, record.cap),
        format!("{}/{}", record.workers_busy, record.workers_live),
        figures::count(record.queue_length),
        figures::rate(interval.throughput_per_s),
        figures::time_or_none(wall.map(|wall| wall.p50_ns)),
        figures::time_or_none(wall.map(|wall| wall.p99_ns)),
    );
    let style = if course.is_idle() { theme.quiet() } else { Style::new() };
    let mut spans = vec![
        Span::styled(mark, bold),
        Span::styled(name, if is_chosen { style.patch(bold) } else { style }),
        Span::styled(text, style),
    ];
    if has_bar {
        spans.push(Span::raw("  "));
        match &interval.shares {
            Some(shares) => spans.extend(bars::stacked(&bars::parts(shares, theme), BAR)),
            None if course.is_idle() => spans.push(Span::styled("idle", theme.quiet())),
            None => {}
        }
    }
    Line::from(spans)
}
