//! A service, the calls that arrive, and the stretches in which they should not be made.

use super::chance::Chance;
use super::policy::Seconds;
use super::service::Description;

/// When calls arrive.
#[derive(Clone, Copy, Debug)]
pub enum Arrivals {
    /// Independently of each other, so many a second.
    Steady(f64),
    /// The same with bursts.
    Bursts {
        /// Calls a second between them.
        base: f64,
        /// From the begin of a burst to the begin of the next one.
        period: Seconds,
        /// Of a burst.
        length: Seconds,
        /// Calls a second in a burst.
        rate: f64,
    },
}

impl Arrivals {
    /// Returns the moments at which calls arrive before `end`.
    pub fn until(&self, end: Seconds, chance: &mut Chance) -> Vec<Seconds> {
        let most = match *self {
            Arrivals::Steady(rate) => rate,
            Arrivals::Bursts { base, rate, .. } => base.max(rate),
        };
        let (mut moments, mut now) = (Vec::new(), 0.0);
        loop {
            now += chance.exponential(most);
            if now >= end {
                return moments;
            }
            if chance.even() * most <= self.rate(now) {
                moments.push(now);
            }
        }
    }

    fn rate(&self, now: Seconds) -> f64 {
        match *self {
            Arrivals::Steady(rate) => rate,
            Arrivals::Bursts { period, length, rate, .. } if now % period < length => rate,
            Arrivals::Bursts { base, .. } => base,
        }
    }
}

/// A service under calls.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Names it in its set.
    pub name: String,
    /// What happens.
    pub kind: String,
    /// How long it is watched.
    pub length: Seconds,
    /// Breakers of their own, among which the calls are distributed evenly.
    pub clients: usize,
    /// When calls arrive.
    pub arrivals: Arrivals,
    /// The service that they call.
    pub service: Description,
    /// Stretches in which most calls are not worth making.
    pub dead: Vec<(Seconds, Seconds)>,
    /// Whether every rejection is a loss.
    pub harmless: bool,
}

impl Scenario {
    /// Returns whether `now` is in a dead stretch.
    pub fn is_dead(&self, now: Seconds) -> bool {
        self.dead.iter().any(|(begin, end)| (*begin..*end).contains(&now))
    }
}
