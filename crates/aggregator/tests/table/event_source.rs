//! What Lambda's event source mapping does with the records of a shard: batches, retries, bisecting, partial failures
//! and dead letters.

use serde_json::{Value, json};

use crate::runtime_api::{Answer, RuntimeApi};

/// How records are handed over.
pub(crate) struct EventSource<'a> {
    pub(crate) function: &'a RuntimeApi,
    pub(crate) batch_size: usize,
    pub(crate) retries: usize,
    /// Whether a batch is split in two if the function fails. That does not count as a retry.
    pub(crate) bisect: bool,
}

impl EventSource<'_> {
    /// Hands all records over, in their order, and tells which batches were given up.
    pub(crate) fn deliver(&self, records: &[Value]) -> Vec<Vec<Value>> {
        let mut dead = Vec::new();
        for batch in records.chunks(self.batch_size) {
            self.hand_over(batch, self.retries, &mut dead);
        }
        dead
    }

    fn hand_over(&self, batch: &[Value], retries: usize, dead: &mut Vec<Vec<Value>>) {
        match self.function.invoke(&json!({ "Records": batch })) {
            Answer::Error(_) if self.bisect && batch.len() > 1 => {
                let (one, other) = batch.split_at(batch.len() / 2);
                self.hand_over(one, retries, dead);
                self.hand_over(other, retries, dead);
            }
            Answer::Error(_) => self.again(batch, retries, dead),
            Answer::Response(response) => match first_failure(batch, &response) {
                None => {}
                // Everything before it is through.
                Some(0) => self.again(batch, retries, dead),
                Some(first) => self.hand_over(&batch[first..], retries, dead),
            },
        }
    }

    fn again(&self, batch: &[Value], retries: usize, dead: &mut Vec<Vec<Value>>) {
        if retries == 0 {
            dead.push(batch.to_vec());
        } else {
            self.hand_over(batch, retries - 1, dead);
        }
    }
}

/// The lowest of the sequence numbers that are reported.
fn first_failure(batch: &[Value], response: &Value) -> Option<usize> {
    let reported = response["batchItemFailures"].as_array().unwrap();
    let place = |failure: &Value| {
        let id = failure["itemIdentifier"].as_str().filter(|id| !id.is_empty()).unwrap();
        batch.iter().position(|record| record["dynamodb"]["SequenceNumber"] == id).unwrap()
    };
    reported.iter().map(place).min()
}
