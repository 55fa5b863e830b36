use halfopen::circuit_breaker;

#[circuit_breaker("payments")]
async fn charge() {}

#[circuit_breaker("payments")]
fn balance() -> Option<u64> {
    None
}

#[circuit_breaker("payments")]
fn later() -> impl Future<Output = u64> {
    async { 7 }
}

fn main() {}
