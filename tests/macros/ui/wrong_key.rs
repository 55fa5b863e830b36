use halfopen::circuit_breaker;

#[circuit_breaker("payments", fallbak = cached)]
async fn charge() -> Result<(), std::io::Error> {
    Ok(())
}

fn main() {}
