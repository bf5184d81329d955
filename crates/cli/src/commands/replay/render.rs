//! The report for people: tables and bars in a terminal, and charts.

use zae_limiter::core::usage::HOUR_MS;
use zae_limiter::{LimitSet, Timestamp};

use super::report::{Report, Timeline};
use super::trace::Trace;
use crate::output::{
    Align, BAD, Cell, DIM, GOOD, Meter, STRONG, Table, bar, duration_in_words, grouped, split_bar,
};
use crate::plot::{GREEN, Panel, RED};

/// Characters of the bars over time.
const WIDTH: u32 = 40;
const DAY_MS: u64 = 24 * HOUR_MS;

/// The whole report.
pub(super) fn text(report: &Report, trace: &Trace, limits: &LimitSet) -> String {
    let mut text = summary(report, trace);
    text.push('\n');
    text.push_str(&limits_table(report, limits));
    if report.requests > 0 {
        text.push('\n');
        text.push_str(&over_time(&report.timeline));
    }
    text
}

fn summary(report: &Report, trace: &Trace) -> String {
    let when = match (trace.rows.first(), trace.rows.last()) {
        (Some(first), Some(last)) => {
            let lasting = duration_in_words(last.at.since(first.at));
            format!(" from {} to {} ({lasting})", first.at, last.at)
        }
        _ => String::new(),
    };
    let whose = match trace.entities.len() {
        0 => String::new(),
        1 => " of 1 entity".to_owned(),
        entities => format!(" of {} entities", grouped(entities as u64)),
    };
    let skipped = match trace.skipped {
        0 => String::new(),
        rows => format!("malformed rows left out: {}\n", grouped(rows)),
    };
    format!(
        "{STRONG}{}{STRONG:#} requests{whose}{when}\n\
         {GOOD}admitted{GOOD:#} {} ({}), of these delayed {}; {BAD}denied{BAD:#} {} ({})\n{skipped}",
        grouped(report.requests),
        grouped(report.admitted),
        percent(report.admitted, report.requests),
        grouped(report.delayed),
        grouped(report.denied),
        percent(report.denied, report.requests),
    )
}

fn limits_table(report: &Report, limits: &LimitSet) -> String {
    let mut table = Table::new([
        ("LIMIT", Align::Left),
        ("DENIED", Align::Right),
        ("CONSUMED", Align::Right),
        ("PEAK USE OF THE BURST", Align::Left),
        ("", Align::Right),
    ]);
    for (limit, total) in limits.iter().zip(&report.limits) {
        table.row([
            limit.into(),
            grouped(total.denied).into(),
            grouped(total.consumed).into(),
            bar(total.peak_utilization, Meter::Used),
            format!("{:.1} %", total.peak_utilization * 100.0).into(),
        ]);
    }
    table.render()
}

fn over_time(timeline: &Timeline) -> String {
    let most = timeline.iter().map(|(_, span)| span.admitted + span.denied).max().unwrap_or(0);
    let mut table = Table::new([
        ("TIME (UTC)", Align::Left),
        ("ADMITTED", Align::Right),
        ("DENIED", Align::Right),
        ("", Align::Left),
    ]);
    let mut bars = vec![String::new()];
    for (start, span) in timeline.iter() {
        let denied = Cell::styled(grouped(span.denied), if span.denied > 0 { BAD } else { DIM });
        table.row([label(start, timeline.step).into(), grouped(span.admitted).into(), denied, "".into()]);
        bars.push(split_bar(span.admitted, span.denied, most, WIDTH));
    }
    let lines = table.render();
    lines.lines().zip(bars).map(|(line, bar)| format!("{line}  {bar}").trim_end().to_owned() + "\n").collect()
}

/// The start of a span, as exactly as the spans are fine.
fn label(start: Timestamp, step: u64) -> String {
    let text = start.to_string().replace('T', " ");
    let text = text.trim_end_matches('Z');
    if step.is_multiple_of(DAY_MS) {
        text.get(..10).unwrap_or(text).to_owned()
    } else if step.is_multiple_of(60_000) {
        text.get(..16).unwrap_or(text).to_owned()
    } else {
        text.to_owned()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "0 %".to_owned() } else { format!("{:.1} %", 100.0 * part as f64 / whole as f64) }
}

/// Requests over time, and how much of each limit was in use.
#[expect(clippy::cast_precision_loss, reason = "heights in a chart")]
pub(super) fn panels(timeline: &Timeline, limits: &LimitSet) -> Vec<Panel> {
    if timeline.spans.is_empty() {
        return Vec::new();
    }
    let every = duration_in_words(std::time::Duration::from_millis(timeline.step));
    let mut requests =
        Panel::stacked(format!("requests every {every}"), &[("admitted", GREEN), ("denied", RED)]);
    let mut use_of = Panel::lines(
        format!("highest share of the burst in use, every {every}"),
        limits.iter().map(|limit| limit.name().to_string()),
    );
    for (start, span) in timeline.iter() {
        let end = Timestamp::from_millis(start.as_millis() + timeline.step);
        requests.bar(start, end, &[span.admitted as f64, span.denied as f64]);
        // Between requests nothing was measured.
        let measured = span.admitted + span.denied > 0;
        use_of.point(start, measured.then(|| span.utilization.clone()));
    }
    vec![requests, use_of]
}
