//! What limits should have done: token buckets as the textbook has them, a balance and a refill clock, in integers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    pub(super) name: &'static str,
    pub(super) amount: u64,
    pub(super) period_s: u64,
    pub(super) burst: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) millis: u64,
    pub(super) entity: String,
    /// Of each limit: asked for, and settled to.
    pub(super) tokens: Vec<(u64, u64)>,
}

/// The balance is counted in 1 / period of a millitoken, the period in ms, so that a ms brings in a whole number.
#[derive(Clone, Debug)]
struct Bucket {
    balance: i128,
    refilled_at: u64,
    inflow: i128,
    period: i128,
    burst: i128,
}

impl Bucket {
    fn full(limit: &Limit, now: u64) -> Self {
        let period = i128::from(limit.period_s) * 1_000;
        let burst = i128::from(limit.burst) * 1_000 * period;
        Self { balance: burst, refilled_at: now, inflow: i128::from(limit.amount) * 1_000, period, burst }
    }

    fn refill(&mut self, now: u64) {
        self.balance = (self.balance + i128::from(now - self.refilled_at) * self.inflow).min(self.burst);
        self.refilled_at = now;
    }

    fn cost(&self, tokens: i128) -> i128 {
        tokens * 1_000 * self.period
    }

    /// Ms until so many tokens are there; `None` if they never are.
    fn wait(&self, tokens: u64) -> Option<u64> {
        let cost = self.cost(tokens.into());
        let missing = (cost - self.balance).max(0);
        let millis = (missing + self.inflow - 1) / self.inflow;
        (cost <= self.burst).then(|| u64::try_from(millis).unwrap())
    }

    fn change(&mut self, tokens: i128) {
        self.balance = (self.balance - self.cost(tokens)).min(self.burst);
    }

    /// The share of the burst that is not there, to the millitoken.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    fn utilization(&self) -> f64 {
        let burst = self.burst / self.period;
        (burst - self.balance.div_euclid(self.period)) as f64 / burst as f64
    }
}

#[derive(Clone, Debug, Default)]
struct Total {
    denied: u64,
    consumed: i128,
    peak: f64,
}

pub(super) struct Model {
    limits: &'static [Limit],
    wait_ms: u64,
    buckets: BTreeMap<String, Vec<Bucket>>,
    totals: Vec<Total>,
}

impl Model {
    pub(super) fn new(limits: &'static [Limit], wait_ms: u64) -> Self {
        Self { limits, wait_ms, buckets: BTreeMap::new(), totals: vec![Total::default(); limits.len()] }
    }

    /// The report on requests in the order of their file.
    pub(super) fn replay(mut self, requests: &[Request]) -> Value {
        let (mut admitted, mut denied, mut delayed) = (0_u64, 0_u64, 0_u64);
        // What is to be tried: when, whether for the first time, the place in the file. The least is next.
        let mut events: BTreeSet<(u64, bool, usize)> =
            requests.iter().enumerate().map(|(place, request)| (request.millis, true, place)).collect();
        while let Some((now, first, place)) = events.pop_first() {
            let request = &requests[place];
            match self.attempt(request, now) {
                Ok(()) => {
                    admitted += 1;
                    delayed += u64::from(!first);
                }
                Err(Some(wait)) if now + wait <= request.millis + self.wait_ms => {
                    events.insert((now + wait, false, place));
                }
                Err(_) => {
                    denied += 1;
                    let buckets = &self.buckets[&request.entity];
                    for ((bucket, total), (asked, _)) in
                        buckets.iter().zip(&mut self.totals).zip(&request.tokens)
                    {
                        total.denied += u64::from(bucket.balance < bucket.cost((*asked).into()));
                    }
                }
            }
            for (bucket, total) in self.buckets[&request.entity].iter().zip(&mut self.totals) {
                total.peak = total.peak.max(bucket.utilization());
            }
        }
        let limits: Map<String, Value> = self
            .limits
            .iter()
            .zip(&self.totals)
            .map(|(limit, total)| {
                let consumed = i64::try_from(total.consumed).unwrap();
                let total =
                    json!({"denied": total.denied, "consumed": consumed, "peak_utilization": total.peak});
                (limit.name.to_owned(), total)
            })
            .collect();
        json!({
            "requests": requests.len(), "admitted": admitted, "denied": denied, "delayed": delayed,
            "entities": self.buckets.len(), "limits": limits,
        })
    }

    /// Takes and settles; else the longest wait, if there is an end to it.
    fn attempt(&mut self, request: &Request, now: u64) -> Result<(), Option<u64>> {
        let buckets = self.buckets.entry(request.entity.clone());
        let buckets =
            buckets.or_insert_with(|| self.limits.iter().map(|limit| Bucket::full(limit, now)).collect());
        for bucket in buckets.iter_mut() {
            bucket.refill(now);
        }
        let waits = buckets.iter().zip(&request.tokens).map(|(bucket, (asked, _))| bucket.wait(*asked));
        let longest = waits.collect::<Option<Vec<u64>>>().map(|waits| waits.into_iter().max().unwrap_or(0));
        if longest != Some(0) {
            return Err(longest);
        }
        for ((bucket, total), (asked, settled)) in
            buckets.iter_mut().zip(&mut self.totals).zip(&request.tokens)
        {
            bucket.change((*asked).into());
            bucket.change(i128::from(*settled) - i128::from(*asked));
            total.consumed += i128::from(*settled);
        }
        Ok(())
    }
}
