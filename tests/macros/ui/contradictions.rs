use halfopen::circuit_breaker;

#[circuit_breaker("payments", fallback = cached, error = std::io::Error::other)]
async fn charge() -> Result<(), std::io::Error> {
    Ok(())
}

#[circuit_breaker("payments", error = std::io::Error::other)]
async fn refund() -> Result<(), halfopen::CircuitBreakerError<std::io::Error>> {
    Ok(())
}

#[circuit_breaker("payments", fallback = one, fallback = two)]
async fn cancel() -> Result<(), std::io::Error> {
    Ok(())
}

#[circuit_breaker("payments")]
fn boxed() -> std::pin::Pin<Box<dyn Future<Output = Result<(), std::io::Error>>>> {
    let future = Box::pin(async { Ok(()) });
    future
}

fn main() {}
