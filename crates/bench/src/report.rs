//! What was measured, beside what it should be: a table for people and a file for programs.

use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::say::say;

/// What a figure should be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
}

impl Target {
    fn is_met(self, figure: f64) -> bool {
        match self {
            Self::AtMost(most) => figure <= most,
            Self::AtLeast(least) => figure >= least,
        }
    }
}

#[derive(Debug, Serialize)]
struct Row {
    what: String,
    figure: f64,
    unit: &'static str,
    target: Option<Target>,
    met: Option<bool>,
}

/// The figures of a suite, in the order in which they were measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    suite: &'static str,
    rows: Vec<Row>,
}

impl Report {
    pub(crate) const fn new(suite: &'static str) -> Self {
        Self { suite, rows: Vec::new() }
    }

    /// Notes a figure that nothing is asked of.
    pub(crate) fn note(&mut self, what: impl Into<String>, figure: f64, unit: &'static str) {
        self.add(what.into(), figure, unit, None);
    }

    /// Notes a figure that should meet `target`.
    pub(crate) fn hold(&mut self, what: impl Into<String>, figure: f64, unit: &'static str, target: Target) {
        self.add(what.into(), figure, unit, Some(target));
    }

    fn add(&mut self, what: String, figure: f64, unit: &'static str, target: Option<Target>) {
        let row = Row { what, figure, unit, target, met: target.map(|target| target.is_met(figure)) };
        say(&line(&row));
        self.rows.push(row);
    }

    /// Prints the table, and writes `target/bench/SUITE.json`.
    pub(crate) fn finish(&self) -> std::io::Result<()> {
        say("");
        for row in &self.rows {
            say(&line(row));
        }
        let folder = Path::new("target/bench");
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}.json", self.suite));
        fs::write(&path, serde_json::to_string_pretty(self)?)?;
        say(&format!("\nwritten to {}", path.display()));
        Ok(())
    }
}

fn line(row: &Row) -> String {
    let target = match row.target {
        Some(Target::AtMost(most)) => format!("at most {most}"),
        Some(Target::AtLeast(least)) => format!("at least {least}"),
        None => String::new(),
    };
    let met = match row.met {
        Some(true) => "met",
        Some(false) => "MISSED",
        None => "",
    };
    format!("{:<84} {:>12.3} {:<12} {:<15} {met}", row.what, row.figure, row.unit, target)
}
