//! What is counted with `metrics`.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use super::call::{Call, Outcome};

const TAKES: &str = "zae_limiter_takes_total";
const SECONDS: &str = "zae_limiter_store_call_seconds";
const ERRORS: &str = "zae_limiter_store_errors_total";

pub(super) fn describe() {
    describe_counter!(TAKES, Unit::Count, "Takes that the store decided, by resource and decision");
    describe_histogram!(SECONDS, Unit::Seconds, "How long the store took to answer, by call");
    describe_counter!(ERRORS, Unit::Count, "Calls that the store did not answer, by call and kind of error");
}

pub(super) fn report(call: Call<'_>, outcome: Outcome<'_>, took: Duration) {
    histogram!(SECONDS, "call" => call.name).record(took);
    match outcome {
        Outcome::Done => {}
        Outcome::Admitted | Outcome::Denied => {
            let resource = call.resource.map_or_else(String::new, ToString::to_string);
            counter!(TAKES, "resource" => resource, "decision" => outcome.as_str()).increment(1);
        }
        Outcome::Failed(_) | Outcome::Cancelled => {
            counter!(ERRORS, "call" => call.name, "kind" => outcome.as_str()).increment(1);
        }
    }
}
