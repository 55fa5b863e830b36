use std::sync::Arc;
use std::time::Duration;

use halfopen::{Classify, rejection};
use http::{Response, Uri};
use http_body_util::BodyExt;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower::{BoxError, ServiceExt};

use crate::answer::Answers;
use crate::clients::{Body, Client, Making};
use crate::ledger::{End, Ledger};
use crate::random::Dice;
use crate::request::{self, Sender};
use crate::sent::SentAt;

/// The maximum of concurrent callers. Only a server that hangs under a high `--rate` comes near it; a caller
/// that arrives beyond it fails.
const MOST_WAITING: usize = 512;

/// The callers of one client: they arrive independently of the responses to earlier callers (an open loop, as
/// on the internet).
pub(crate) struct Load {
    pub(crate) sender: Sender,
    pub(crate) client: Client,
    pub(crate) uri: Uri,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) making: Making,
    pub(crate) arrivals: Arrivals,
}

/// The arrival times, in script time: a seeded Poisson stream, the same for both clients.
#[derive(Clone)]
pub(crate) struct Arrivals {
    dice: Dice,
    per_second: f64,
    next: Duration,
    end: Duration,
}

struct Caller {
    client: Client,
    ledger: Arc<Ledger>,
    making: Making,
    arrival: Duration,
}

impl Arrivals {
    pub(crate) fn new(seed: u64, per_second: f64, end: Duration) -> Self {
        Self { dice: Dice::new(seed), per_second, next: Duration::ZERO, end }
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.next += self.dice.gap(self.per_second);
        (self.next < self.end).then_some(self.next)
    }
}

impl Load {
    /// Runs the script to its end, and then until every caller has a result or has given up.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops all its callers; those that waited stay unfinished in the ledger.
    pub(crate) async fn run(self) {
        let mut waiting = JoinSet::new();
        for (number, arrival) in (1_u64..).zip(self.arrivals.clone()) {
            tokio::time::sleep_until(self.making.pace.at(arrival)).await;
            while waiting.try_join_next().is_some() {}
            self.ledger.arrived(arrival);
            if waiting.len() < MOST_WAITING {
                waiting.spawn(self.caller(arrival).call(request::get(self.uri.clone(), self.sender, number)));
            } else {
                self.ledger.ended(arrival, self.making.pace.now(), End::Failed);
            }
        }
        tokio::time::sleep_until(self.making.pace.at(self.arrivals.end)).await;
        while waiting.join_next().await.is_some() {}
    }

    fn caller(&self, arrival: Duration) -> Caller {
        Caller { client: self.client.clone(), ledger: Arc::clone(&self.ledger), making: self.making, arrival }
    }
}

impl Caller {
    async fn call(self, request: request::HttpRequest) {
        let result = self.client.clone().oneshot(request).await;
        let end = self.end_of(result).await;
        self.ledger.ended(self.arrival, self.making.pace.now(), end);
    }

    async fn end_of(&self, result: Result<Response<Body>, BoxError>) -> End {
        if result.as_ref().is_err_and(|error| rejection(error.as_ref()).is_some()) {
            return End::Rejected;
        }
        if Answers::new(self.making.pace).classify(&result).is_failure() {
            return End::Failed;
        }
        match result {
            Ok(response) => self.read(response).await,
            Err(_) => End::Failed,
        }
    }

    /// A response is complete only with its body.
    async fn read(&self, response: Response<Body>) -> End {
        let sent = response.extensions().get::<SentAt>().map_or(self.arrival, |sent| sent.0);
        let mut body = response.into_body();
        let to_the_end = async {
            while let Some(frame) = body.frame().await {
                frame?;
            }
            Ok::<(), BoxError>(())
        };
        match timeout(self.making.pace.real(self.making.timeout), to_the_end).await {
            Ok(Ok(())) => End::Answered { sent },
            Ok(Err(_)) | Err(_) => End::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_arrivals() {
        let arrivals = |seed| Arrivals::new(seed, 20.0, Duration::from_secs(60)).collect::<Vec<_>>();

        assert_eq!(arrivals(7), arrivals(7));
        assert_ne!(arrivals(7), arrivals(8));
    }

    #[test]
    fn arrivals_have_the_rate_and_stop_at_the_end() {
        let arrivals: Vec<_> = Arrivals::new(7, 20.0, Duration::from_secs(600)).collect();

        assert!((11_000..13_000).contains(&arrivals.len()), "{} arrivals", arrivals.len());
        assert!(arrivals.is_sorted());
        assert!(arrivals.iter().all(|arrival| *arrival < Duration::from_secs(600)));
    }
}
