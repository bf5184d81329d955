//! What people and scripts get to read. A reader that has gone away (`| head`) is no failure.

mod bar;
mod table;
mod words;

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

pub(crate) use self::bar::{Meter, bar, bar_in, split_bar};
pub(crate) use self::table::{Align, Cell, Table, printable};
pub(crate) use self::words::{duration_in_words, grouped, minute};
use crate::exit::Failure;

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const FAIR: Style = AnsiColor::Yellow.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const STRONG: Style = Style::new().bold();

/// Writes text to stdout, its styles only if that is a terminal.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::other(format!("cannot write the output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes a value to stdout: JSON, in one line.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string(value)
        .map_err(|error| Failure::other(format!("cannot write the output: {error}")))?;
    print(&format!("{json}\n"))
}

/// Writes a value to stdout: as JSON, or as text.
pub(crate) fn show<T: Serialize>(
    json: bool,
    value: &T,
    text: impl FnOnce(&T) -> String,
) -> Result<(), Failure> {
    if json { print_json(value) } else { print(&text(value)) }
}

/// Writes a line to stderr. If that fails, there is nobody to tell.
pub(crate) fn note(line: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// Writes what went wrong to stderr.
pub(crate) fn complain(message: &str) {
    let bad = BAD.bold();
    let message: Vec<String> = message.lines().map(printable).collect();
    note(&format!("{bad}error{bad:#}: {}", message.join("\n")));
}

/// Writes to stderr what is not as it should be, but no reason to stop.
pub(crate) fn warn(message: &str) {
    let fair = FAIR.bold();
    note(&format!("{fair}warning{fair:#}: {}", printable(message)));
}
