use halfopen::{CircuitBreakerError, Outcome, Rejected, circuit_breaker};

pub struct Error;

fn wrong_type(_: CircuitBreakerError<Error>) -> Option<u32> {
    None
}

#[circuit_breaker("payments", fallback = wrong_type)]
fn charge() -> Result<u32, Error> {
    Ok(7)
}

#[circuit_breaker("payments", fallback = missing)]
async fn refund() -> Result<(), Error> {
    Ok(())
}

fn no_classifier(_: u32) -> Outcome {
    Outcome::Success
}

fn error(_: Rejected) -> Error {
    Error
}

#[circuit_breaker("payments", classify = no_classifier, error = error)]
fn cancel() -> Result<(), Error> {
    Ok(())
}

#[circuit_breaker("payments")]
async fn without_from() -> Result<(), Error> {
    Ok(())
}

#[circuit_breaker("payments", error = no_classifier)]
fn wrong_error() -> Result<(), Error> {
    Ok(())
}

fn main() {}
