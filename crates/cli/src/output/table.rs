//! Columns of text, without lines around them.

use std::fmt::Write;

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use super::DIM;

/// Blanks between columns.
const GAP: usize = 2;

/// The side of a column that its cells are set at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A piece of text and how it looks on a terminal.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(crate) fn styled(text: impl AsRef<str>, style: Style) -> Self {
        Self { text: printable(text.as_ref()), style }
    }
}

impl<T: ToString> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text.to_string(), Style::new())
    }
}

/// Rows of cells under a header.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Align>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table with these columns.
    pub(crate) fn new<const N: usize>(columns: [(&str, Align); N]) -> Self {
        let header = columns.iter().map(|(name, _)| Cell::styled(name, DIM)).collect();
        Self { columns: columns.iter().map(|(_, align)| *align).collect(), rows: vec![header] }
    }

    /// Adds a row: a cell for each column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table as lines of text, each with its newline.
    pub(crate) fn render(&self) -> String {
        let width_of = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.text.width())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width_of).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            // Blanks that are only written once something follows them, so that no line ends in any.
            let mut blanks = 0;
            for ((cell, align), width) in row.iter().zip(&self.columns).zip(&widths) {
                if cell.text.is_empty() {
                    // A column without any text takes no room.
                    blanks += if *width > 0 { width + GAP } else { 0 };
                    continue;
                }
                let padding = width - cell.text.width();
                let (before, after) = if *align == Align::Right { (padding, 0) } else { (0, padding) };
                let style = cell.style;
                // Writing to a string cannot fail.
                let _ = write!(line, "{:1$}{style}{2}{style:#}", "", blanks + before, cell.text);
                blanks = after + GAP;
            }
            text.push_str(&line);
            text.push('\n');
        }
        text
    }
}

/// `text` with its control characters written out, so that a stored name cannot steer the terminal.
pub(crate) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_width_and_no_line_ends_in_blanks() {
        let mut table = Table::new([("NAME", Align::Left), ("N", Align::Right), ("NOTE", Align::Left)]);
        table.row(["日本".into(), 5.into(), "".into()]);
        table.row(["a\x1b[31m".into(), 12_345.into(), "x".into()]);
        let plain = anstream::adapter::strip_str(&table.render()).to_string();
        assert_eq!(plain, "NAME             N  NOTE\n日本             5\na\\u{1b}[31m  12345  x\n");
    }
}
