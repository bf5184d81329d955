//! The command line's replay of a real trace.

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::report::{Report, Target};
use crate::say::say;

const TRACE: &str = "../shared/data/azure-llm-code-2023.csv";

pub(super) fn run(report: &mut Report) -> Result<(), Box<dyn Error>> {
    if !Path::new(TRACE).exists() {
        say(&format!("{TRACE} is not there: its replay is not measured"));
        return Ok(());
    }
    let started = Instant::now();
    let status = Command::new("target/release/zae-limiter")
        .args(["replay", TRACE, "--json", "--limit", "rpm=100/min", "--limit", "tpm=1M/min"])
        .args(["--consume", "rpm=1", "--consume", "tpm=ContextTokens"])
        .args(["--settle", "tpm=ContextTokens+GeneratedTokens"])
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        return Err("the replay failed".into());
    }
    // It has one thread, so its processor time is no more than this.
    report.hold("replay of 8,819 requests", started.elapsed().as_secs_f64(), "s", Target::AtMost(0.5));
    Ok(())
}
