//! The scenarios with a name: twelve in which every rejection is a loss, and 24 incidents.

use super::policy::Seconds;
use super::scenario::{Arrivals, Scenario};
use super::service::{Description, Kind, Latency, Phase, Queue, Steps};

/// All of them.
pub fn scenarios() -> Vec<Scenario> {
    let mut all = calm();
    all.extend(incidents());
    all.extend(throttled());
    all.extend(language_models());
    all.extend(on_a_queue());
    all
}

/// A scenario that is built step by step: a microservice at 50 calls a second, of which one in a thousand fails.
struct Draft {
    name: &'static str,
    kind: &'static str,
    length: Seconds,
    rate: f64,
    failing: f64,
    latency: Latency,
    phases: Vec<Phase>,
    dead: Vec<(Seconds, Seconds)>,
}

fn draft(name: &'static str, kind: &'static str, length: Seconds) -> Draft {
    Draft {
        name,
        kind,
        length,
        rate: 50.0,
        failing: 0.001,
        latency: Latency::MICROSERVICE,
        phases: Vec::new(),
        dead: Vec::new(),
    }
}

impl Draft {
    fn rate(self, rate: f64) -> Draft {
        Draft { rate, ..self }
    }

    fn noise(self, failing: f64) -> Draft {
        Draft { failing, ..self }
    }

    fn latency(self, latency: Latency) -> Draft {
        Draft { latency, ..self }
    }

    /// A phase in which calling stays right.
    fn phase(mut self, phase: Phase) -> Draft {
        self.phases.push(phase);
        self
    }

    /// A phase in which it does not.
    fn dead(mut self, begin: Seconds, end: Seconds, change: impl Fn(Phase) -> Phase) -> Draft {
        self.dead.push((begin, end));
        self.phase(change(Phase::new(begin, end)))
    }

    fn harmless(self) -> Scenario {
        Scenario { harmless: true, ..self.incident() }
    }

    fn incident(mut self) -> Scenario {
        let phases = Kind::Phases(std::mem::take(&mut self.phases));
        self.with(phases)
    }

    fn with(self, kind: Kind) -> Scenario {
        Scenario {
            name: self.name.into(),
            kind: self.kind.into(),
            length: self.length,
            clients: 1,
            arrivals: Arrivals::Steady(self.rate),
            service: Description { failing: self.failing, kind, latency: self.latency },
            dead: self.dead,
            harmless: false,
        }
    }
}

const BURSTS: Arrivals = Arrivals::Bursts { base: 1.0, period: 20.0, length: 1.0, rate: 200.0 };

fn calm() -> Vec<Scenario> {
    let wide = Latency { sigma: 0.9, ..Latency::LANGUAGE_MODEL };
    let patient = Latency { useful_for: 1.9, timeout: 5.0, ..Latency::MICROSERVICE };
    let for_two_minutes = || Phase::new(180.0, 300.0);
    vec![
        draft("healthy", "nothing happens", 900.0).harmless(),
        draft("noisy10", "one call in ten fails, as always", 900.0).rate(20.0).noise(0.1).harmless(),
        draft("noisy20-cold", "one in five fails, as always, from the first call on", 600.0)
            .rate(5.0)
            .noise(0.2)
            .harmless(),
        draft("latdrift3", "answers take three times as long, and are in time", 420.0)
            .phase(for_two_minutes().slower(3.0))
            .harmless(),
        draft("brownout20", "one call in five fails", 420.0).phase(for_two_minutes().failing(0.2)).harmless(),
        draft("brownout40", "two calls in five fail", 420.0).phase(for_two_minutes().failing(0.4)).harmless(),
        draft("part1of5-hang", "one instance of five hangs", 420.0)
            .phase(for_two_minutes().hanging(0.2))
            .harmless(),
        draft("levelshift", "15 % fail from now on", 600.0)
            .noise(0.01)
            .phase(Phase::new(180.0, 600.0).failing(0.15))
            .harmless(),
        Scenario { arrivals: BURSTS, ..draft("bursty-ok", "bursts of calls", 600.0).noise(0.01).harmless() },
        draft("llm-normal", "a language model whose latency varies widely", 3600.0)
            .rate(2.0)
            .latency(wide)
            .noise(0.05)
            .harmless(),
        draft("noisy35", "35 % fail, as always", 900.0).rate(20.0).noise(0.35).harmless(),
        draft("slow-forever", "answers take eight times as long from now on, and are in time", 780.0)
            .latency(patient)
            .phase(Phase::new(180.0, 780.0).slower(8.0))
            .harmless(),
    ]
}

fn all_fail(phase: Phase) -> Phase {
    phase.failing(1.0)
}

fn all_hang(phase: Phase) -> Phase {
    phase.hanging(1.0)
}

fn incidents() -> Vec<Scenario> {
    let repeated = |draft: Draft, times: u32, every: Seconds, length: Seconds| {
        let begins = (0..times).map(|time| 180.0 + every * f64::from(time));
        begins.fold(draft, |draft, begin| draft.dead(begin, begin + length, all_fail)).incident()
    };
    let gradual = draft("gradual", "failures rise to all within two minutes", 540.0)
        .phase(Phase::new(180.0, 300.0).failing_from(0.0, 1.0))
        .phase(Phase::new(300.0, 360.0).failing(1.0));
    vec![
        draft("outage60", "a minute", 360.0).dead(180.0, 240.0, all_fail).incident(),
        draft("hang60", "calls hang for a minute", 360.0).dead(180.0, 240.0, all_hang).incident(),
        draft("outage600", "ten minutes", 1000.0).dead(180.0, 780.0, all_fail).incident(),
        draft("brownout60", "three calls in five fail", 480.0)
            .dead(180.0, 300.0, |p| p.failing(0.6))
            .incident(),
        draft("brownout80", "four calls in five fail", 480.0)
            .dead(180.0, 300.0, |p| p.failing(0.8))
            .incident(),
        draft("slow20", "answers take twenty times as long", 360.0)
            .dead(180.0, 240.0, |p| p.slower(20.0))
            .incident(),
        repeated(draft("flapping", "five seconds down, five up", 480.0), 12, 10.0, 5.0),
        repeated(draft("blips", "half a second down in each twenty", 480.0), 15, 20.0, 0.5),
        draft("lowtraffic", "ten minutes at a call in five seconds", 3600.0)
            .rate(0.2)
            .noise(0.005)
            .dead(1800.0, 2400.0, all_fail)
            .incident(),
        Scenario {
            arrivals: BURSTS,
            ..draft("bursty-outage", "a minute with bursts of calls", 600.0)
                .noise(0.01)
                .dead(305.0, 365.0, all_fail)
                .incident()
        },
        draft("noisy10-60", "from one call in ten to three in five", 720.0)
            .rate(20.0)
            .noise(0.1)
            .dead(300.0, 420.0, |p| p.failing(0.6))
            .incident(),
        draft("noisy10-100", "from one call in ten to all", 720.0)
            .rate(20.0)
            .noise(0.1)
            .dead(300.0, 360.0, all_fail)
            .incident(),
        Draft { dead: vec![(240.0, 360.0)], ..gradual }.incident(),
        draft("cold-outage", "a minute from the first call on", 240.0).dead(0.0, 60.0, all_fail).incident(),
        draft("highrate", "twenty seconds at a thousand calls a second", 120.0)
            .rate(1000.0)
            .dead(60.0, 80.0, all_fail)
            .incident(),
        draft("double", "half a minute, and again after ten seconds", 420.0)
            .dead(180.0, 210.0, all_fail)
            .dead(220.0, 250.0, all_fail)
            .incident(),
    ]
}

fn throttled() -> Vec<Scenario> {
    let bucket = |retry_after| Kind::Bucket {
        rate: Steps::new([(0.0, 1e6), (180.0, 20.0), (480.0, 1e6)]),
        burst: 40.0,
        retry_after,
    };
    let twice = |name, kind| draft(name, kind, 600.0).rate(40.0).noise(0.005);
    let calls = Steps::new([(0.0, 1e9), (180.0, 600.0), (480.0, 1e9)]);
    vec![
        draft("quota-window", "twice the calls that each minute may hold", 600.0)
            .rate(20.0)
            .noise(0.005)
            .with(Kind::Quota { period: 60.0, calls }),
        twice("quota-bucket", "twice the rate of a token bucket").with(bucket(Some(1.0))),
        twice("quota-nohint", "the same without a hint").with(bucket(None)),
    ]
}

fn language_models() -> Vec<Scenario> {
    let model =
        |name, kind, rate| draft(name, kind, 1500.0).rate(rate).latency(Latency::LANGUAGE_MODEL).noise(0.04);
    vec![
        model("llm-529", "most answers are `overloaded`, the rest is slow", 2.0)
            .dead(900.0, 1080.0, |p| p.failing(0.85).slower(3.0))
            .incident(),
        model("llm-hang", "calls hang for three minutes", 2.0).dead(900.0, 1080.0, all_hang).incident(),
        model("llm-stall", "calls hang for twelve seconds", 4.0).dead(900.0, 912.0, all_hang).incident(),
    ]
}

fn on_a_queue() -> Vec<Scenario> {
    let fragile = Queue {
        down: vec![(180.0, 240.0)],
        cold: 0.15,
        warm_after: 2000.0,
        crashes_at: Some(2.0),
        crash: 10.0,
        ..Queue::with([(0.0, 260.0)])
    };
    let overloaded =
        Queue { refuses_at: Some(5.0), ..Queue::with([(0.0, 130.0), (180.0, 50.0), (300.0, 130.0)]) };
    let recovery = draft("slow-recovery", "a cold server after an outage, which crashes if overrun", 480.0)
        .rate(200.0)
        .with(Kind::Queue(fragile));
    let overload = draft("overload", "the capacity falls to half of the demand", 480.0)
        .rate(100.0)
        .with(Kind::Queue(overloaded));
    vec![
        Scenario { clients: 10, dead: vec![(180.0, 240.0)], ..recovery },
        Scenario { clients: 5, ..overload },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_twelve_calm_ones_and_24_incidents() {
        let all = scenarios();
        let names: std::collections::BTreeSet<_> = all.iter().map(|scenario| &scenario.name).collect();
        assert_eq!((names.len(), all.iter().filter(|scenario| scenario.harmless).count()), (36, 12));
    }
}
