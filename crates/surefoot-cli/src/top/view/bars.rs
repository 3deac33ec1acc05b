//! Bars of letters: the shares side by side, and a course over time.

use ratatui::style::{Color, Style};
use ratatui::text::Span;
use surefoot_core::share::{GilShare, Shares};

use super::Theme;

/// One part of the workers' time.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) share: f64,
    pub(super) letter: &'static str,
    pub(super) style: Style,
}

/// The parts that are known, in the order in which they are drawn. Each has a letter of its own, so that
/// nobody needs colours to tell them apart.
pub(super) fn parts(shares: &Shares, theme: Theme) -> Vec<Part> {
    let part = |name, share: f64, unicode, ascii, colour| Part {
        name,
        share: share.max(0.0),
        letter: theme.pick(unicode, ascii),
        style: theme.colour(colour),
    };
    let mut parts = vec![
        part("cpu", shares.cpu, "█", "#", Color::Green),
        part("run queue", shares.runqueue, "▒", "=", Color::Yellow),
    ];
    match shares.gil {
        GilShare::Seen(gil) => {
            parts.push(part("gil", gil, "▓", "%", Color::Red));
            parts.push(part("io", shares.blocked - gil, "░", ".", Color::Blue));
        }
        GilShare::Within { .. } => parts.push(part("blocked", shares.blocked, "░", ".", Color::Magenta)),
    }
    parts
}

/// The parts in `width` letters. Each gets its share by rounding where it ends, so that they fill the bar.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the width")]
pub(super) fn stacked(parts: &[Part], width: usize) -> Vec<Span<'static>> {
    let total: f64 = parts.iter().map(|part| part.share).sum();
    let (mut sum, mut drawn) = (0.0, 0);
    let mut spans = Vec::with_capacity(parts.len());
    for part in parts.iter().filter(|_| total > 0.0) {
        sum += part.share;
        let end = ((sum / total * width as f64).round() as usize).min(width);
        spans.push(Span::styled(part.letter.repeat(end.saturating_sub(drawn)), part.style));
        drawn = drawn.max(end);
    }
    spans
}

const UNICODE: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const ASCII: [&str; 9] = [" ", ".", ".", ":", ":", "-", "=", "+", "#"];

/// The last `width` points as columns `height` letters high; the topmost line first. The greatest point shown
/// fills its column; a point that is not 0 never vanishes.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most eight for each letter")]
pub(super) fn course(points: &[Option<f64>], width: usize, height: usize, theme: Theme) -> Vec<String> {
    let shown = &points[points.len().saturating_sub(width)..];
    let most = shown.iter().flatten().copied().fold(0.0, f64::max);
    let eighths = |point: &Option<f64>| match point {
        Some(value) if *value > 0.0 && most > 0.0 => {
            ((value / most * (8 * height) as f64).round() as usize).clamp(1, 8 * height)
        }
        _ => 0,
    };
    let letters = if theme.is_unicode { UNICODE } else { ASCII };
    (0..height)
        .rev()
        .map(|row| {
            let gap = " ".repeat(width.saturating_sub(shown.len()));
            gap + &shown
                .iter()
                .map(|point| letters[eighths(point).saturating_sub(8 * row).min(8)])
                .collect::<String>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use surefoot_core::share::Source;

    const PLAIN: Theme = Theme { has_colour: false, is_unicode: false };

    fn shares(gil: GilShare) -> Shares {
        Shares { cpu: 0.5, runqueue: 0.1, blocked: 0.4, gil, error: 0.01, source: Source::Sampled }
    }

    fn letters(spans: &[Span<'_>]) -> String {
        spans.iter().map(|span| span.content.as_ref()).collect()
    }

    #[test]
    fn shares_fill_the_bar() {
        let seen = parts(&shares(GilShare::Seen(0.3)), PLAIN);
        assert_eq!(letters(&stacked(&seen, 10)), "#####=%%%.");
        assert_eq!(letters(&stacked(&seen, 0)), "");
        let bound = parts(&shares(GilShare::Within { least: 0.0, most: 0.4 }), PLAIN);
        assert_eq!(letters(&stacked(&bound, 10)), "#####=....");
    }

    #[test]
    fn the_greatest_point_fills_its_column_and_the_least_is_seen() {
        let theme = Theme { is_unicode: true, ..PLAIN };
        let points = [Some(0.0), None, Some(0.001), Some(8.0), Some(16.0)];
        assert_eq!(course(&points, 6, 2, theme), ["     █", "   ▁██"]);
        assert_eq!(course(&points, 2, 1, theme), ["▄█"]);
        assert_eq!(course(&[], 3, 1, theme), ["   "]);
        assert_eq!(course(&[Some(0.0)], 1, 1, theme), [" "]);
    }
}
