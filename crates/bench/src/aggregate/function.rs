//! The function as a process: how soon it answers, how fast it counts, and how much memory it takes.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use super::events::Events;
use super::runtime_api::{Answer, RuntimeApi};
use crate::report::{Report, Target};

/// The table of the suite.
pub(crate) const TABLE: &str = "limits";
/// Batches of 1,000 that the function gets.
const BATCHES: u32 = 20;

/// Measures `program`, started as a function.
pub(crate) fn run(program: &Path, endpoint: &str, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let bootstrap = folder.path().join("bootstrap");
    std::fs::copy(program, &bootstrap)?;
    let variables = [("TABLE_NAME", TABLE), ("AWS_ENDPOINT_URL", endpoint)];
    let empty = serde_json::json!({ "Records": [] });
    let mut starts = Vec::new();
    for _ in 0..5 {
        let since = Instant::now();
        let function = RuntimeApi::start(&bootstrap, &variables);
        accepted(function.invoke(&empty))?;
        starts.push(since.elapsed().as_secs_f64() * 1_000.0);
    }
    starts.sort_by(f64::total_cmp);
    report.note("cold start to the first response, median of 5", starts[2], "ms");
    let function = RuntimeApi::start(&bootstrap, &variables);
    for buckets in [1, 1_000] {
        let mut events = Events::new(&format!("function {buckets}"));
        let batches: Vec<Value> = (0..BATCHES)
            .map(|_| serde_json::from_str(&events.batch(1_000, buckets)))
            .collect::<Result<_, _>>()?;
        let since = Instant::now();
        for batch in &batches {
            accepted(function.invoke(batch))?;
        }
        let rate = f64::from(BATCHES) * 1_000.0 / since.elapsed().as_secs_f64();
        report.note(format!("function, batches of 1,000, {buckets} buckets"), rate, "records/s");
    }
    let peak = function.peak_memory()?;
    report.hold("function, batches of 1,000: peak memory", peak, "MB", Target::AtMost(64.0));
    Ok(())
}

fn accepted(answer: Answer) -> Result<(), Box<dyn Error>> {
    match answer {
        Answer::Response(response) if response["batchItemFailures"] == serde_json::json!([]) => Ok(()),
        Answer::Response(other) | Answer::Error(other) => Err(other.to_string().into()),
    }
}

impl RuntimeApi {
    /// The most memory that the function has had, in MB.
    fn peak_memory(&self) -> Result<f64, Box<dyn Error>> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process_id()))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        let kilobytes: f64 = peak.ok_or("the system does not tell")?.trim().parse()?;
        Ok(kilobytes / 1_000.0)
    }
}
