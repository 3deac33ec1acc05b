//! What the keys do and what the figures mean, over everything else.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::symbols::border;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph, Widget};

use super::Theme;

const LINES: [&str; 16] = [
    "q            quit",
    "up, down     choose a pool or a process (k, j)",
    "Enter        show the process; Esc goes back",
    "p            pause the picture",
    "?            this page",
    "",
    "limit/cap    workers admitted now, and most ever",
    "busy/live    workers in a task, and all",
    "p50, p99     time in the function, of the tasks",
    "             that ended in the interval",
    "cpu          on a core",
    "run queue    ready, waiting for a core",
    "gil          waiting for the interpreter",
    "io           blocked otherwise: only this says that",
    "             another thread would help",
    "in all       the pool's whole life, if it is idle",
];

const ASCII: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

pub(super) fn draw(theme: Theme, area: Rect, buffer: &mut Buffer) {
    let wanted = Rect::new(0, 0, 56, 18);
    let (width, height) = (wanted.width.min(area.width), wanted.height.min(area.height));
    let (x, y) = (area.x + (area.width - width) / 2, area.y + (area.height - height) / 2);
    let frame = Rect { x, y, width, height };
    Clear.render(frame, buffer);
    let block = Block::bordered()
        .border_set(if theme.is_unicode { border::ROUNDED } else { ASCII })
        .title(Line::styled(" help ", Style::new().add_modifier(Modifier::BOLD)));
    let text: Vec<_> = LINES.iter().map(|line| Line::from(format!(" {line}"))).collect();
    Paragraph::new(text).block(block).render(frame, buffer);
}
