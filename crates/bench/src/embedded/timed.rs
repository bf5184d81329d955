//! Timings by criterion, in rounds: sides that are compared are measured in turn, and compared round by round, since
//! machines change their pace.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use criterion::{Bencher, Criterion};
use serde::Deserialize;

pub(crate) struct Timer {
    pub(crate) quick: bool,
    criterion: Criterion,
    folder: PathBuf,
    measured: usize,
}

/// The ns an operation of each side, one figure a round.
#[derive(Default)]
pub(crate) struct Rounds(BTreeMap<&'static str, Vec<f64>>);

/// Something to be timed.
pub(crate) type Side<'a> = (&'static str, Box<dyn FnMut(&mut Bencher<'_>) + 'a>);

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
}

impl Timer {
    pub(crate) fn new(quick: bool) -> Self {
        let folder = PathBuf::from("target/bench/criterion");
        let time = Duration::from_millis(if quick { 50 } else { 600 });
        let criterion = Criterion::default()
            .output_directory(&folder)
            .without_plots()
            .sample_size(if quick { 10 } else { 30 })
            .warm_up_time(time / 3)
            .measurement_time(time);
        Self { quick, criterion, folder, measured: 0 }
    }

    /// Times all sides, in turn, three times.
    pub(crate) fn compare(&mut self, mut sides: Vec<Side<'_>>) -> Result<Rounds, Box<dyn Error>> {
        let mut rounds = Rounds::default();
        for _ in 0..3 {
            for (name, side) in &mut sides {
                rounds.0.entry(name).or_default().push(self.time(name, side)?);
            }
        }
        Ok(rounds)
    }

    fn time(&mut self, name: &str, side: &mut dyn FnMut(&mut Bencher<'_>)) -> Result<f64, Box<dyn Error>> {
        self.measured += 1;
        // A name of its own, so that criterion compares nothing by itself.
        let id = format!("{:03} {name}", self.measured);
        self.criterion.bench_function(&id, side);
        let estimates: Estimates =
            serde_json::from_reader(File::open(self.folder.join(&id).join("new/estimates.json"))?)?;
        Ok(estimates.median.point_estimate)
    }
}

impl Rounds {
    /// The median of a side, in ns.
    pub(crate) fn nanos(&self, name: &str) -> f64 {
        median(self.0.get(name).cloned().unwrap_or_default())
    }

    /// How many times as long `name` takes as `other`: the median over the rounds.
    pub(crate) fn ratio(&self, name: &str, other: &str) -> f64 {
        let empty = Vec::new();
        let (side, others) = (self.0.get(name).unwrap_or(&empty), self.0.get(other).unwrap_or(&empty));
        median(side.iter().zip(others).map(|(side, other)| side / other).collect())
    }
}

/// The middle of a few figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
