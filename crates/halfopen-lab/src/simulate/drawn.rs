//! Scenarios that are drawn from a law: any number of them, by seed.

use super::chance::Chance;
use super::policy::Seconds;
use super::scenario::{Arrivals, Scenario};
use super::service::{Description, Kind, Latency, Phase, Queue, Steps};

/// One incident each, of any kind, at any rate: log-uniform rates, lengths and shares.
pub fn random(count: usize, seed: u64) -> Vec<Scenario> {
    let seed = seed.wrapping_mul(7919).wrapping_add(17);
    let chance = |place: usize| Chance::seeded(seed.wrapping_add(place as u64 * 104_729));
    (0..count).map(|place| one_incident(place, &mut chance(place))).collect()
}

/// Incidents like recorded ones: short, partial and repeated, with background failures in clumps, slow answers
/// that are useful, bursts, and load that grows.
pub fn shaped(count: usize, seed: u64) -> Vec<Scenario> {
    let seed = seed.wrapping_mul(6151).wrapping_add(5);
    let chance = |place: usize| Chance::seeded(seed.wrapping_add(place as u64 * 15_485_863));
    (0..count).map(|place| like_recorded(place, &mut chance(place))).collect()
}

/// The incident of a random scenario.
struct Incident {
    rate: f64,
    failing: f64,
    latency: Latency,
    begin: Seconds,
    end: Seconds,
}

fn one_incident(place: usize, chance: &mut Chance) -> Scenario {
    let is_model = chance.even() < 0.3;
    let latency = any_latency(is_model, chance);
    let rate = if is_model { chance.log_between(0.1, 10.0) } else { chance.log_between(0.3, 300.0) };
    let failing = if chance.even() < 0.5 {
        chance.log_between(0.0003, 0.02)
    } else {
        chance.between(0.02, if is_model { 0.15 } else { 0.08 })
    };
    let length = chance.log_between(5.0, 400.0).max(40.0 / rate);
    let kind = chance.place(10);
    // In a queue, one call must be a small part of the capacity.
    let is_queue = matches!(kind, 7 | 8);
    let rate = if is_queue { rate.max(3.0 / latency.median) } else { rate };
    let begin = (500.0 / rate).clamp(120.0, 2000.0);
    let incident = Incident { rate, failing, latency, begin, end: begin + length };
    let drawn = incident.draw(kind, chance);
    let mut scenario = Scenario {
        name: format!("random{place:04}"),
        kind: drawn.name.into(),
        length: incident.end + (3.0 * length).clamp(60.0, 600.0),
        clients: 1,
        arrivals: Arrivals::Steady(rate),
        service: Description { failing: drawn.failing, kind: drawn.kind, latency },
        dead: drawn.dead,
        harmless: false,
    };
    if is_queue && rate > 10.0 {
        scenario.clients = 1 + chance.place(8);
    }
    scenario
}

fn any_latency(is_model: bool, chance: &mut Chance) -> Latency {
    let sigma = chance.between(0.3, 0.9);
    if is_model {
        let median = chance.log_between(1.0, 8.0);
        return Latency {
            median,
            sigma,
            useful_for: 8.0 * median,
            timeout: 20.0 * median,
            ..Latency::LANGUAGE_MODEL
        };
    }
    let median = chance.log_between(0.005, 0.3);
    Latency {
        median,
        sigma,
        useful_for: 10.0 * median,
        timeout: (40.0 * median).clamp(0.5, 10.0),
        failure: 0.2 * median,
    }
}

struct Drawn {
    name: &'static str,
    failing: f64,
    kind: Kind,
    dead: Vec<(Seconds, Seconds)>,
}

impl Incident {
    fn draw(&self, kind: usize, chance: &mut Chance) -> Drawn {
        let Incident { rate, failing, begin, end, .. } = *self;
        let all = vec![(begin, end)];
        let phase = Phase::new(begin, end);
        let phases = |name, phases, dead| Drawn { name, failing, kind: Kind::Phases(phases), dead };
        match kind {
            0 | 1 => phases("outage", vec![phase.failing(chance.between(0.85, 1.0))], all),
            2 => phases("hang", vec![phase.hanging(1.0)], all),
            3 | 4 => {
                let share = chance.between(0.15, 0.85);
                let (name, dead) =
                    if share > 0.5 { ("brownout above half", all) } else { ("brownout below half", vec![]) };
                phases(name, vec![phase.failing(share)], dead)
            }
            5 => {
                let times = chance.log_between(2.0, 40.0);
                let name = if times.round() < 8.0 { "slow below x8" } else { "slow above x8" };
                phases(name, vec![phase.slower(times)], vec![])
            }
            6 => {
                let (down, up) = (chance.log_between(0.5, 20.0), chance.log_between(2.0, 40.0));
                let (mut dead, mut now) = (Vec::new(), begin);
                while now < end {
                    dead.push((now, (now + down).min(end)));
                    now += down + up;
                }
                let down = dead.iter().map(|(begin, end)| Phase::new(*begin, *end).failing(1.0)).collect();
                phases("flap", down, dead)
            }
            7 | 8 => self.queue(kind == 7, chance),
            _ => {
                let part = chance.between(0.3, 0.9) * rate;
                let retry_after = (chance.even() < 0.6).then(|| (2.0 / part).max(1.0));
                let steps = Steps::new([(0.0, 1e6), (begin, part), (end, 1e6)]);
                let burst = (part * chance.between(0.5, 5.0)).max(2.0);
                let kind = Kind::Bucket { rate: steps, burst, retry_after };
                Drawn { name: "quota", failing, kind, dead: vec![] }
            }
        }
    }

    fn queue(&self, is_overload: bool, chance: &mut Chance) -> Drawn {
        let Incident { rate, failing, latency, begin, end } = *self;
        let rate = rate.max(2.0);
        let (failing, enough) = (failing.min(0.05), 1.3 * rate);
        if is_overload {
            let part = chance.between(0.2, 0.8) * rate;
            let queue = Queue {
                refuses_at: Some(2.5 * latency.timeout),
                ..Queue::with([(0.0, enough), (begin, part), (end, enough)])
            };
            return Drawn { name: "overload", failing, kind: Kind::Queue(queue), dead: vec![] };
        }
        let dead = vec![(begin, end)];
        let queue = Queue {
            down: dead.clone(),
            cold: chance.between(0.1, 0.5),
            warm_after: rate * chance.between(3.0, 30.0),
            crashes_at: Some(latency.timeout),
            crash: chance.between(3.0, 20.0),
            ..Queue::with([(0.0, enough)])
        };
        Drawn { name: "fragile", failing, kind: Kind::Queue(queue), dead }
    }
}

fn like_recorded(place: usize, chance: &mut Chance) -> Scenario {
    let median = chance.log_between(0.004, 0.25);
    let sigma = chance.between(0.5, 1.2);
    let failure = median * [0.02, 0.4, 1.5, 3.0][chance.place(4)];
    let latency = Latency { median, sigma, useful_for: (10.0 * median).max(1.0), timeout: 5.0, failure };
    let rate = chance.log_between(0.3, 60.0);
    let failing = chance.log_between(0.0003, 0.05);
    let warm = (300.0 / rate).clamp(20.0, 600.0);
    let length = warm + 400.0_f64.max(200.0 / rate);
    let mut phases = clumps(length, chance);
    let mut dead = Vec::new();
    let kind = chance.place(5);
    let name = match kind {
        0 | 1 => {
            episodes(rate, warm, length, &mut phases, &mut dead, chance);
            "episodes"
        }
        2 => {
            let times = chance.log_between(4.0, 100.0);
            phases.push(Phase::new(warm, warm + 120.0_f64.max(40.0 / rate)).slower(times));
            "slow"
        }
        3 => {
            let times = chance.between(2.0, 7.0);
            phases.push(Phase::new(10.0, 40.0).slower_from(1.0, times));
            phases.push(Phase::new(40.0, length).slower(times));
            "load grows"
        }
        _ => "background",
    };
    let mut scenario = Scenario {
        name: format!("shaped{place:04}"),
        kind: name.into(),
        length,
        clients: 1,
        arrivals: Arrivals::Steady(rate),
        service: Description { failing, kind: Kind::Phases(phases), latency },
        dead,
        harmless: kind == 4,
    };
    if chance.even() < 0.5 {
        let period = chance.between(1.0, 8.0);
        scenario.arrivals =
            Arrivals::Bursts { base: 0.5 * rate, period, length: 0.1 * period, rate: 5.5 * rate };
    }
    scenario
}

/// Background failures: a few tenths of a second in which most calls fail.
fn clumps(length: Seconds, chance: &mut Chance) -> Vec<Phase> {
    let every = chance.log_between(20.0, 400.0);
    let (mut phases, mut now) = (Vec::new(), chance.exponential(1.0 / every));
    while now < length {
        let lasts = chance.between(0.1, 1.0);
        phases.push(Phase::new(now, now + lasts).failing(chance.between(0.3, 0.9)));
        now += lasts + chance.exponential(1.0 / every);
    }
    phases
}

/// One to eight episodes: half of them below two seconds, half of the gaps below four.
fn episodes(
    rate: f64,
    warm: Seconds,
    length: Seconds,
    phases: &mut Vec<Phase>,
    dead: &mut Vec<(Seconds, Seconds)>,
    chance: &mut Chance,
) {
    let mut now = warm;
    for _ in 0..1 + chance.place(8) {
        let lasts = chance.log_normal(2.0, 2.2).clamp(0.5, 120.0).max(3.0 / rate);
        let share = chance.between(0.33, 1.0);
        let edge = (lasts / 3.0).min(2.4) * chance.even();
        phases.push(Phase::new(now, now + edge).failing_from(0.0, share));
        let middle = Phase::new(now + edge, now + lasts);
        phases.push(if chance.even() < 0.3 { middle.hanging(share) } else { middle.failing(share) });
        phases.push(Phase::new(now + lasts, now + lasts + edge).failing_from(share, 0.0));
        if share > 0.5 {
            dead.push((now, now + lasts));
        }
        now += lasts + edge + chance.log_normal(4.0, 2.1).clamp(0.5, 120.0);
        if now > length - 20.0 {
            break;
        }
    }
}
