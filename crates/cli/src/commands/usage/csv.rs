//! Usage for spreadsheets: a line for each limit of each window.

use zae_limiter::UsageSnapshot;

use crate::exit::Failure;
use crate::output;

const HEADER: [&str; 8] =
    ["entity_id", "resource", "window_type", "window_start", "window_end", "total_events", "limit", "tokens"];

/// Writes snapshots to stdout. A window in which only acquires were counted has one line, without a limit.
pub(super) fn print(snapshots: &[UsageSnapshot]) -> Result<(), Failure> {
    let failed = |error: csv::Error| Failure::other(format!("cannot write the output: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEADER).map_err(failed)?;
    for snapshot in snapshots {
        let window = [
            snapshot.entity_id.to_string(),
            snapshot.resource.to_string(),
            snapshot.window.to_string(),
            snapshot.window_start.to_string(),
            snapshot.window_end.to_string(),
            snapshot.total_events.to_string(),
        ];
        let mut line = |limit: String, tokens: String| {
            writer.write_record(window.iter().chain([&limit, &tokens])).map_err(failed)
        };
        if snapshot.counters.is_empty() {
            line(String::new(), String::new())?;
        }
        for (limit, amount) in &snapshot.counters {
            line(limit.to_string(), amount.whole_tokens().to_string())?;
        }
    }
    let bytes = writer.into_inner().map_err(|error| Failure::other(error.to_string()))?;
    // Names are text, and so is all else.
    output::print(&String::from_utf8_lossy(&bytes))
}
