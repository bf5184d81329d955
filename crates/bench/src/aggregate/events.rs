//! Batches as Lambda sends them.

use serde_json::{Value, json};

/// Makes records of buckets on a resource of their own, one after the other.
pub(crate) struct Events {
    resource: String,
    sequence: u64,
}

impl Events {
    pub(crate) fn new(resource: &str) -> Self {
        Self { resource: resource.to_owned(), sequence: 0 }
    }

    /// A batch of records of the next writes to `buckets` buckets, in turn.
    pub(crate) fn batch(&mut self, size: usize, buckets: usize) -> String {
        let records: Vec<Value> = (0..size).map(|place| self.record(place % buckets)).collect();
        json!({ "Records": records }).to_string()
    }

    fn record(&mut self, bucket: usize) -> Value {
        self.sequence += 1;
        let number = |number: u64| json!({ "N": number.to_string() });
        let (pk, sk) = (format!("ENTITY#key-{bucket}"), format!("#BUCKET#{}", self.resource));
        let keys = json!({ "PK": { "S": pk }, "SK": { "S": sk } });
        // All attributes that the store writes for two limits.
        let image = |count: u64| {
            let mut image = keys.clone();
            for limit in ["rpm", "tpm"] {
                image[format!("{limit}.v")] = json!({ "N": "102424320000000000" });
                image[format!("{limit}.tc")] = number(count * 1_000);
                image[format!("{limit}.lm")] = json!({ "S": "1000/1000/1000/60" });
            }
            image["ac"] = number(count);
            image["ttl"] = number(1_707_000_000);
            image["w.abcdef"] = number(1_706_738_400_000_000 + count);
            image["GSI2PK"] = json!({ "S": format!("RESOURCE#{}", self.resource) });
            image["GSI2SK"] = json!({ "S": format!("BUCKET#key-{bucket}") });
            image
        };
        json!({
            "eventID": format!("{:032x}", self.sequence), "eventName": "MODIFY", "eventVersion": "1.1",
            "eventSource": "aws:dynamodb", "awsRegion": "us-east-1",
            "eventSourceARN": "arn:aws:dynamodb:us-east-1:1:table/limits/stream/2024-01-31T00:00:00.000",
            "dynamodb": {
                "ApproximateCreationDateTime": 1_706_738_400.0, "Keys": keys, "SizeBytes": 700,
                "SequenceNumber": format!("{:021}", self.sequence), "StreamViewType": "NEW_AND_OLD_IMAGES",
                "OldImage": image(self.sequence - 1), "NewImage": image(self.sequence),
            }
        })
    }
}
