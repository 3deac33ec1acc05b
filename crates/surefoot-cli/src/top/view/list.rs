//! The processes that show their pools.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::{Theme, figures, rule};
use crate::top::app::{App, Row};

const FIGURES: usize = 42;

pub(super) fn draw(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let [top, below] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    let style = theme.colour(Color::Cyan).add_modifier(Modifier::BOLD);
    Line::styled("surefoot top", style).render(top, buffer);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let below = rule(Line::from(Span::styled("processes with pools", bold)), theme, below, buffer);
    let mut rows = below.rows();
    let Some(head) = rows.next() else { return };
    if app.rows.is_empty() {
        Line::styled("  none at the moment", theme.quiet()).render(head, buffer);
        return;
    }
    let titles = format!("  {:>8} {:>6} {:>11} {:>10}  program", "process", "pools", "busy/live", "tasks/s");
    Line::styled(titles, theme.quiet()).render(head, buffer);
    let room = usize::from(below.height).saturating_sub(1).max(1);
    let first = (app.row + 1).saturating_sub(room);
    for (place, process) in app.rows.iter().enumerate().skip(first) {
        let Some(row) = rows.next() else { return };
        line(process, place == app.row, theme, usize::from(row.width)).render(row, buffer);
    }
}

fn line(row: &Row, is_chosen: bool, theme: Theme, width: usize) -> Line<'static> {
    let pools = &row.history.pools;
    let sum = |of: fn(&surefoot_core::snapshot_file::PoolRecord) -> u32| -> u64 {
        pools.values().map(|course| u64::from(of(&course.record))).sum()
    };
    let throughput: f64 = pools.values().map(|course| course.interval.throughput_per_s).sum();
    let header = row.target.header();
    let text = format!(
        "{:>8} {:>6} {:>11} {:>10}  {}",
        header.owner.pid,
        pools.len(),
        format!("{}/{}", sum(|record| record.workers_busy), sum(|record| record.workers_live)),
        figures::rate(throughput),
        figures::cut(&header.program, width.saturating_sub(FIGURES), theme),
    );
    let mark = if is_chosen { theme.pick("▶ ", "> ") } else { "  " };
    let style = Style::new().add_modifier(if is_chosen { Modifier::BOLD } else { Modifier::empty() });
    Line::from(vec![Span::styled(mark, style), Span::styled(text, style)])
}
