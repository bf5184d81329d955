//! What became of all requests, summed up.

use std::collections::BTreeMap;

use serde::Serialize;
use zae_limiter::{LimitSet, Timestamp};

use super::simulate::{Outcome, Verdict};
use super::trace::Trace;
use crate::plot::step_for;

/// Totals, and the same over time.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) requests: u64,
    pub(super) admitted: u64,
    /// Of the admitted, those that had waited.
    pub(super) delayed: u64,
    pub(super) denied: u64,
    pub(super) limits: Vec<LimitTotal>,
    pub(super) timeline: Timeline,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LimitTotal {
    /// Requests that it denied, alone or with others.
    pub(super) denied: u64,
    /// Net tokens.
    pub(super) consumed: i128,
    /// The highest share of the burst that was in use after any request.
    pub(super) peak_utilization: f64,
}

/// Requests by when they arrived, in spans of equal length.
#[derive(Debug)]
pub(super) struct Timeline {
    /// The length of a span in ms.
    pub(super) step: u64,
    /// The spans from the first request to the last, those without any included.
    pub(super) spans: Vec<Span>,
    first: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Span {
    pub(super) admitted: u64,
    pub(super) denied: u64,
    /// Of each limit, the highest share of the burst in use.
    pub(super) utilization: Vec<f64>,
}

impl Report {
    /// No outcome yet of the requests of `trace`; over time in at most `spans` spans.
    pub(super) fn new(trace: &Trace, limits: &LimitSet, spans: u64) -> Self {
        Self {
            requests: 0,
            admitted: 0,
            delayed: 0,
            denied: 0,
            limits: vec![LimitTotal::default(); limits.len()],
            timeline: Timeline::new(trace, limits.len(), spans),
        }
    }

    pub(super) fn add(&mut self, outcome: &Outcome) {
        self.requests += 1;
        match outcome.verdict {
            Verdict::Admitted => self.admitted += 1,
            Verdict::Delayed => {
                self.admitted += 1;
                self.delayed += 1;
            }
            Verdict::Denied => self.denied += 1,
        }
        for (total, limit) in self.limits.iter_mut().zip(&outcome.limits) {
            total.denied += u64::from(limit.exceeded);
            total.consumed += i128::from(limit.consumed);
            total.peak_utilization = total.peak_utilization.max(limit.utilization);
        }
        self.timeline.add(outcome);
    }
}

impl Timeline {
    fn new(trace: &Trace, limits: usize, most: u64) -> Self {
        let (Some(first), Some(last)) = (trace.rows.first(), trace.rows.last()) else {
            return Self { step: 1, spans: Vec::new(), first: 0 };
        };
        let step = step_for(first.at..last.at, most);
        let (first, last) = (first.at.as_millis() / step, last.at.as_millis() / step);
        let empty = Span { utilization: vec![0.0; limits], ..Span::default() };
        // At most `most`, by the choice of the step.
        let spans = (first..=last).map(|_| empty.clone()).collect();
        Self { step, spans, first }
    }

    fn add(&mut self, outcome: &Outcome) {
        let place = outcome.row.at.as_millis() / self.step - self.first;
        let Some(span) = usize::try_from(place).ok().and_then(|place| self.spans.get_mut(place)) else {
            return;
        };
        match outcome.verdict {
            Verdict::Admitted | Verdict::Delayed => span.admitted += 1,
            Verdict::Denied => span.denied += 1,
        }
        for (utilization, limit) in span.utilization.iter_mut().zip(&outcome.limits) {
            *utilization = utilization.max(limit.utilization);
        }
    }

    /// Each span with its start.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Timestamp, &Span)> {
        (self.first..).map(|number| Timestamp::from_millis(number * self.step)).zip(&self.spans)
    }
}

/// The report for scripts.
#[derive(Debug, Serialize)]
pub(super) struct JsonReport<'a> {
    requests: u64,
    admitted: u64,
    denied: u64,
    delayed: u64,
    skipped: u64,
    first_time: Option<String>,
    last_time: Option<String>,
    entities: u64,
    limits: BTreeMap<&'a str, JsonLimit>,
    elapsed_seconds: f64,
}

#[derive(Debug, Serialize)]
struct JsonLimit {
    denied: u64,
    consumed: i128,
    peak_utilization: f64,
}

impl<'a> JsonReport<'a> {
    pub(super) fn new(report: &Report, trace: &Trace, limits: &'a LimitSet, elapsed_seconds: f64) -> Self {
        let limit = |total: &LimitTotal| JsonLimit {
            denied: total.denied,
            consumed: total.consumed,
            peak_utilization: total.peak_utilization,
        };
        let names = limits.iter().map(|limit| limit.name().as_str());
        Self {
            requests: report.requests,
            admitted: report.admitted,
            denied: report.denied,
            delayed: report.delayed,
            skipped: trace.skipped,
            first_time: trace.rows.first().map(|row| row.at.to_string()),
            last_time: trace.rows.last().map(|row| row.at.to_string()),
            entities: trace.entity_count(),
            limits: names.zip(report.limits.iter().map(limit)).collect(),
            elapsed_seconds,
        }
    }
}
