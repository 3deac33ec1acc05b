//! Numbers and texts in few letters.

use ratatui::text::Span;

use super::Theme;

/// A time in at most six letters.
pub(super) fn time(ns: u64) -> String {
    let value = ns as f64;
    let (figure, unit) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (value / 1e3, "us"),
        1_000_000..1_000_000_000 => (value / 1e6, "ms"),
        1_000_000_000..100_000_000_000 => (value / 1e9, "s"),
        100_000_000_000..6_000_000_000_000 => (value / 60e9, "min"),
        _ => (value / 3_600e9, "h"),
    };
    // 9.96 would be shown as 10.0.
    if figure < 9.95 { format!("{figure:.1} {unit}") } else { format!("{figure:.0} {unit}") }
}

/// A time, or a dash.
pub(super) fn time_or_none(ns: Option<u64>) -> String {
    ns.map_or_else(|| "-".to_owned(), time)
}

/// A count with its thousands apart; from ten million on in millions.
pub(super) fn count(count: u64) -> String {
    if count >= 10_000_000_000 {
        return format!("{} G", grouped(count / 1_000_000_000));
    }
    if count >= 10_000_000 { format!("{} M", grouped(count / 1_000_000)) } else { grouped(count) }
}

fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate a second.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
pub(super) fn rate(per_s: f64) -> String {
    if per_s > 0.0 && per_s < 99.5 { format!("{per_s:.1}") } else { count(per_s.round() as u64) }
}

/// A text cut to a width, and marked so.
pub(super) fn cut(text: &str, width: usize, theme: Theme) -> String {
    if Span::raw(text).width() <= width {
        return text.to_owned();
    }
    let mark = theme.pick("…", "~");
    let mut kept = String::new();
    for letter in text.chars() {
        let length = kept.len();
        kept.push(letter);
        if Span::raw(kept.as_str()).width() + 1 > width {
            kept.truncate(length);
            break;
        }
    }
    if width > 0 { kept + mark } else { kept }
}

/// A text in two parts, parted at the last space that lets the first fit into a width; the second is empty if
/// all of it fits, or if there is no such space.
pub(super) fn wrap(text: &str, width: usize) -> (&str, &str) {
    if Span::raw(text).width() <= width {
        return (text, "");
    }
    let spaces = text.match_indices(' ').map(|(at, _)| at);
    let fitting = spaces.take_while(|at| Span::raw(&text[..*at]).width() <= width);
    fitting.last().map_or((text, ""), |at| (&text[..at], &text[at + 1..]))
}

/// A text in a column of this width, with its letters at the left.
pub(super) fn left(text: &str, width: usize, theme: Theme) -> String {
    let text = cut(text, width, theme);
    let gap = width.saturating_sub(Span::raw(text.as_str()).width());
    text + &" ".repeat(gap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_take_at_most_six_letters() {
        let shown = [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_234, "1.2 us"),
            (9_960, "10 us"),
            (123_456_789, "123 ms"),
            (12_300_000_000, "12 s"),
            (125_000_000_000, "2.1 min"),
            (7_200_000_000_000, "2.0 h"),
        ];
        for (ns, text) in shown {
            assert_eq!(time(ns), text);
        }
    }

    #[test]
    fn counts_are_grouped_and_large_ones_short() {
        let shown =
            [(0, "0"), (999, "999"), (1_000, "1,000"), (9_999_999, "9,999,999"), (12_345_678, "12 M")];
        for (number, text) in shown {
            assert_eq!(count(number), text);
        }
        assert_eq!(count(u64::MAX), "18,446,744,073 G");
        assert_eq!([0.0, 0.25, 98_123.4].map(rate), ["0", "0.2", "98,123"]);
    }

    #[test]
    fn wide_letters_are_cut_by_their_width() {
        let theme = Theme { has_colour: false, is_unicode: true };
        assert_eq!(cut("abcdef", 4, theme), "abc…");
        assert_eq!(left("人人人", 4, theme), "人… ");
        assert_eq!(left("ab", 4, theme), "ab  ");
        assert_eq!(cut("ab", 0, theme), "");
    }

    #[test]
    fn texts_are_parted_at_spaces() {
        assert_eq!(wrap("one two three", 7), ("one two", "three"));
        assert_eq!(wrap("one two three", 13), ("one two three", ""));
        assert_eq!(wrap("one two three", 2), ("one two three", ""));
    }
}
