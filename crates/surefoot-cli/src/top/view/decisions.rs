//! The last decisions and their reasons, the newest first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use surefoot_core::snapshot_file::DecisionRecord;

use super::{Theme, figures, rule};
use crate::top::history::Course;

/// Columns before the reason.
const FIXED: usize = 32;

/// The heading and three lines.
pub(super) const LEAST_HEIGHT: u16 = 4;

pub(super) fn draw(course: &Course, now_ns: u64, theme: Theme, area: Rect, buffer: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let below = rule(Line::from(Span::styled("last decisions", bold)), theme, area, buffer);
    let decisions = &course.record.decisions;
    if decisions.is_empty() {
        let why = if course.record.controller == "fixed" {
            "  none: the limit of this pool is fixed"
        } else {
            "  none yet"
        };
        Line::styled(why, theme.quiet()).render(below, buffer);
    }
    let mut rows = below.rows();
    for decision in decisions.iter().rev() {
        for line in lines(decision, now_ns, theme, usize::from(below.width)) {
            let Some(row) = rows.next() else { return };
            line.render(row, buffer);
        }
    }
}

/// One line, or two for a reason that needs them.
fn lines(decision: &DecisionRecord, now_ns: u64, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let ago = figures::time(now_ns.saturating_sub(decision.at_ns));
    let (before, limit) = (decision.limit_before, decision.limit);
    let (what, style) = if let Some(veto) = decision.veto {
        (format!("{limit} veto {}", veto.name()), theme.colour(Color::Yellow))
    } else {
        let colour = if limit > before { Color::Green } else { Color::Cyan };
        (format!("{before} {} {limit}", theme.pick("→", "->")), theme.colour(colour))
    };
    let times = if decision.times > 1 {
        let since = figures::time(now_ns.saturating_sub(decision.first_at_ns));
        format!(" ({} times in {since})", figures::count(u64::from(decision.times)))
    } else {
        String::new()
    };
    let reason = decision.reason.clone() + &times;
    let room = width.saturating_sub(FIXED);
    let (first, rest) = figures::wrap(&reason, room);
    let mut lines = vec![Line::from(vec![
        Span::styled(format!("  {ago:>7} ago "), theme.quiet()),
        Span::styled(format!("{} ", figures::left(&format!(" {what}"), 17, theme)), style),
        Span::raw(figures::cut(first, room, theme)),
    ])];
    if !rest.is_empty() {
        lines.push(Line::from(" ".repeat(FIXED) + &figures::cut(rest, room, theme)));
    }
    lines
}
