//! The function by itself.

fn main() -> Result<(), lambda_runtime::Error> {
    zae_limiter_aggregator::lambda::run()
}
