//! The normal behaviour: the share of bad calls, the latency of the successes, and the rate of arrivals.

use crate::policy::Seconds;

/// The normal share of bad calls.
#[derive(Clone, Copy, Debug)]
pub struct Baseline {
    share: f64,
    calls: f64,
}

impl Default for Baseline {
    fn default() -> Baseline {
        Baseline::new()
    }
}

impl Baseline {
    /// 5 %, with the weight of 20 calls.
    pub fn new() -> Baseline {
        Baseline { share: 0.05, calls: 20.0 }
    }

    /// The share.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// The share above which a call is not worth making.
    pub fn break_even(&self, chosen: f64) -> f64 {
        chosen.max(self.share + 0.15).min(0.95)
    }

    /// Learns from a call, `elapsed` after the one before.
    pub fn learn(&mut self, bad: bool, elapsed: Seconds, chosen: f64) {
        self.calls += 1.0;
        self.step(bad, (1.0 / self.calls).max(least_step(elapsed)), chosen);
    }

    /// Learns from a call by this part, or by more while few are known.
    pub fn learn_by(&mut self, bad: bool, part: f64, chosen: f64) {
        self.calls += 1.0;
        self.step(bad, (1.0 / self.calls).max(part), chosen);
    }

    /// Learns from good calls together.
    pub fn learn_good(&mut self, calls: u32, part: f64) {
        let before = self.calls;
        self.calls += f64::from(calls);
        self.share *= (before / self.calls).min((1.0 - part).powi(calls as i32));
    }

    /// Learns from good calls in deep doubt.
    pub fn forget(&mut self, calls: u32, part: f64) {
        self.share *= (1.0 - part).powi(calls as i32);
    }

    /// Learns from a call by this part.
    pub fn step(&mut self, bad: bool, part: f64, chosen: f64) {
        let bad = f64::from(u8::from(bad));
        self.share = (self.share + part * (bad - self.share)).min(0.8 * chosen.max(0.3));
    }
}

fn least_step(elapsed: Seconds) -> f64 {
    (elapsed / 300.0).min(1e-3)
}

/// The latency of the successes: the centre and the mean deviation of its logarithm.
#[derive(Clone, Copy, Debug)]
pub struct Latencies {
    centre: f64,
    spread: f64,
    known: f64,
}

impl Default for Latencies {
    fn default() -> Latencies {
        Latencies::new()
    }
}

impl Latencies {
    /// Nothing.
    pub fn new() -> Latencies {
        Latencies { centre: 0.0, spread: 0.4, known: 0.0 }
    }

    /// The 95 % quantile, after twenty successes.
    pub fn p95(&self) -> Option<Seconds> {
        (self.known >= 20.0).then(|| self.quantile())
    }

    fn quantile(&self) -> Seconds {
        (self.centre + 2.0617 * self.spread).exp()
    }

    /// The typical latency: zero before five successes, and at most 10 s.
    pub fn typical(&self) -> Seconds {
        if self.known < 5.0 { 0.0 } else { self.centre.exp().min(10.0) }
    }

    /// The age at which a call has had the time to end.
    pub fn ripe_after(&self) -> Seconds {
        self.quantile().min(10.0 * self.typical())
    }

    /// Learns from a success, `elapsed` after the one before.
    pub fn learn(&mut self, took: Seconds, elapsed: Seconds) {
        let log = took.max(1e-6).ln();
        self.known += 1.0;
        if self.known == 1.0 {
            self.centre = log;
            return;
        }
        let part = (1.0 / self.known).max(least_step(elapsed));
        let reach = if self.known < 20.0 { 10.0 } else { 4.0 * self.spread.max(0.05) };
        let off = (log - self.centre).clamp(-reach, reach);
        self.centre += part * off;
        self.spread += 0.5 * part * (off.abs() - self.spread);
    }

    /// Accepts a slow success as normal, in part.
    pub fn accept(&mut self, took: Seconds, elapsed: Seconds) {
        let part = (elapsed.clamp(0.0, 30.0) / 100.0).min(0.5);
        self.centre += part * (took.max(1e-6).ln() - self.centre).max(0.0);
    }
}

/// The rate at which calls arrive, over half a minute.
#[derive(Clone, Copy, Debug)]
pub struct Arrivals {
    born: Seconds,
    rate: f64,
    at: Seconds,
}

const MEMORY: Seconds = 30.0;

impl Arrivals {
    /// None yet.
    pub fn new(now: Seconds) -> Arrivals {
        Arrivals { born: now - 0.05, rate: 0.0, at: now }
    }

    /// Counts calls that arrived.
    pub fn arrive(&mut self, now: Seconds, calls: f64) {
        self.rate = self.faded(now) + calls / MEMORY;
        self.born -= (self.at - now).max(0.0);
        self.at = now;
    }

    /// Calls a second.
    pub fn rate(&self, now: Seconds) -> f64 {
        let filled = 1.0 - (-(now - self.born).max(1e-3) / MEMORY).exp();
        (self.faded(now) / filled.max(1e-3)).max(1e-3)
    }

    fn faded(&self, now: Seconds) -> f64 {
        self.rate * (-(now - self.at).max(0.0) / MEMORY).exp()
    }
}
