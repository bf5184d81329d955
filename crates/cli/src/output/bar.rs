//! Bars of block characters.

use anstyle::Style;

use super::{BAD, Cell, FAIR, GOOD};

/// So many eighths of a character.
const PARTS: [Option<char>; 8] =
    [None, Some('▏'), Some('▎'), Some('▍'), Some('▌'), Some('▋'), Some('▊'), Some('▉')];

/// Characters of a bar.
pub(crate) const WIDTH: u32 = 20;

/// What a bar measures, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meter {
    /// What is left: little of it is alarming.
    Left,
    /// What is in use: much of it is alarming.
    Used,
}

/// A bar for `share`, between 0 and 1, of what is left or in use.
pub(crate) fn bar(share: f64, meter: Meter) -> Cell {
    let left = match meter {
        Meter::Left => share,
        Meter::Used => 1.0 - share,
    };
    let style = match left {
        left if left <= 0.1 => BAD,
        left if left <= 0.3 => FAIR,
        _ => GOOD,
    };
    Cell::styled(on_track(share), style)
}

/// A bar for `amount` beside others of which `most` is the greatest.
pub(crate) fn bar_in(amount: i64, most: i64) -> Cell {
    Cell::styled(blocks(eighths(ratio(amount, most), WIDTH)), GOOD)
}

/// A bar whose first part stands for `first` and whose second for `second`; a full one stands for `most`.
pub(crate) fn split_bar(first: u64, second: u64, most: u64, width: u32) -> String {
    let most = most.max(1);
    let scaled = |n: u64| {
        let cells = (u128::from(n) * u128::from(width) + u128::from(most) / 2) / u128::from(most);
        usize::try_from(cells).unwrap_or(0).max(usize::from(n > 0))
    };
    let (good, bad): (Style, Style) = (GOOD, BAD);
    format!("{good}{}{good:#}{bad}{}{bad:#}", "█".repeat(scaled(first)), "▒".repeat(scaled(second)))
}

/// A bar on a track that shows what it would be when full.
fn on_track(share: f64) -> String {
    let bar = blocks(eighths(share, WIDTH));
    let rest = WIDTH as usize - bar.chars().count();
    bar + &"░".repeat(rest)
}

fn blocks(eighths: usize) -> String {
    let mut bar = "█".repeat(eighths / 8);
    bar.extend(PARTS[eighths % 8]);
    bar
}

/// Eighths of a character: none only if there is nothing, all only if it is full.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by the width")]
fn eighths(share: f64, width: u32) -> usize {
    let full = f64::from(width * 8);
    let length = (share.clamp(0.0, 1.0) * full).floor() as usize;
    if share > 0.0 { length.max(1) } else { 0 }
}

#[expect(clippy::cast_precision_loss, reason = "the length of a bar")]
fn ratio(amount: i64, most: i64) -> f64 {
    if most <= 0 { 0.0 } else { amount as f64 / most as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nothing_is_empty_and_only_all_is_full() {
        assert_eq!(on_track(0.0), "░".repeat(20));
        assert_eq!(on_track(-3.0), "░".repeat(20), "debt");
        assert_eq!(on_track(1e-9), "▏".to_owned() + &"░".repeat(19));
        assert_eq!(on_track(0.5), "█".repeat(10) + &"░".repeat(10));
        assert_eq!(on_track(0.9999), "█".repeat(19) + "▉");
        assert_eq!(on_track(1.0), "█".repeat(20));
        assert_eq!(on_track(1.5), "█".repeat(20));
    }

    #[test]
    fn a_single_denial_is_visible_beside_thousands() {
        let bar = split_bar(10_000, 1, 10_001, 40);
        let plain = anstream::adapter::strip_str(&bar).to_string();
        assert_eq!(plain, "█".repeat(40) + "▒");
    }
}
