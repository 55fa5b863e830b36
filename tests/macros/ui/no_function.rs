use halfopen::circuit_breaker;

#[circuit_breaker("payments")]
struct Payments;

#[circuit_breaker("payments")]
const fn charge() -> Result<(), ()> {
    Ok(())
}

trait Charges {
    #[circuit_breaker("payments")]
    fn charge(&self) -> Result<(), std::io::Error>;
}

fn main() {}
