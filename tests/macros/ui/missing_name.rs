use halfopen::circuit_breaker;

#[circuit_breaker]
async fn charge() -> Result<(), std::io::Error> {
    Ok(())
}

#[circuit_breaker(registry = halfopen::Registry::global())]
async fn refund() -> Result<(), std::io::Error> {
    Ok(())
}

#[circuit_breaker(7)]
async fn cancel() -> Result<(), std::io::Error> {
    Ok(())
}

#[circuit_breaker("")]
async fn void() -> Result<(), std::io::Error> {
    Ok(())
}

fn main() {}
