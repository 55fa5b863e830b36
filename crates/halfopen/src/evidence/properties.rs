//! What holds of an adaptive breaker whatever happens to it.

use proptest::prelude::*;

use super::adaptive::{Adaptive, Admitted, End, Mode, Numbers, Step};
use super::belief::{Belief, Prior, Seconds, TRIP_WORTH};
use crate::random::SplitMix64;

fn prior() -> impl Strategy<Value = Prior> {
    (0.0..0.4, 0.1..0.9, -9.0..-2.0_f64).prop_map(|(normal, wanted, onset): (f64, f64, f64)| Prior {
        normal,
        break_even: wanted.max(normal + 0.15).min(0.95),
        onset: 10_f64.powf(onset),
    })
}

/// A result, and how long after the one before.
fn results() -> impl Strategy<Value = Vec<(bool, Seconds)>> {
    let gap = prop_oneof![Just(0.0), 0.0..0.1, 0.0..10.0, 0.0..10_000.0];
    proptest::collection::vec((any::<bool>(), gap), 1..60)
}

proptest! {
    #[test]
    fn a_belief_sums_to_one(prior in prior(), results in results()) {
        let (mut belief, mut now) = (Belief::healthy(), 0.0);
        for (bad, gap) in results {
            now += gap;
            let (bad, good) = if bad { (1.0, 0.0) } else { (0.0, 1.0) };
            belief.observe(&prior, bad, good, 0.0, now);
            prop_assert!((belief.sum() - 1.0).abs() < 1e-9, "{belief:?}");
            prop_assert!((0.0..=1.0).contains(&belief.up()), "{belief:?}");
        }
    }

    #[test]
    fn no_good_result_costs_more_than_the_onset(prior in prior(), results in results()) {
        let (mut belief, mut now) = (Belief::healthy(), 0.0);
        for (bad, gap) in results {
            now += gap;
            belief.advance(now);
            let before = belief.worth(&prior);
            let (bad, good) = if bad { (1.0, 0.0) } else { (0.0, 1.0) };
            belief.observe(&prior, bad, good, 0.0, now);
            // What begins to be believed down is worth as little as the deepest level, at most 1 / break-even less.
            let slack = prior.onset * (1.0 + 1.0 / prior.break_even) + 1e-9;
            prop_assert!(good == 0.0 || belief.worth(&prior) >= before - slack, "{before} {belief:?}");
        }
    }

    #[test]
    fn the_worth_rises_with_time_alone(prior in prior(), bad in 1..30, gaps in results()) {
        let (mut belief, mut now) = (Belief::healthy(), 0.0);
        for _ in 0..bad {
            belief.observe(&prior, 1.0, 0.0, 0.0, now);
        }
        for (_, gap) in gaps {
            let before = belief.worth(&prior);
            now += gap;
            belief.advance(now);
            prop_assert!(belief.worth(&prior) >= before - 1e-9);
        }
    }

    #[test]
    fn a_rejected_stretch_ends_in_a_probe(
        seed in any::<u64>(),
        gap in prop_oneof![Just(0.001), Just(0.02), Just(1.0), Just(7.0)],
        ends in proptest::collection::vec(0..4_u8, 20..200),
    ) {
        let mut scene = Scene::new(seed);
        for end in ends {
            let stretch = scene.rejected_for(gap);
            // The gap is 30 s, spread by a quarter; the next call comes up to one gap later.
            prop_assert!(stretch <= 30.0 * 1.25 + gap + 1e-6, "rejected for {stretch} s");
            scene.finish(end);
        }
    }

    #[test]
    fn the_steps_follow_the_mode(seed in any::<u64>(), ends in proptest::collection::vec(0..4_u8, 20..400)) {
        let mut scene = Scene::new(seed);
        for end in ends {
            scene.rejected_for(0.05);
            scene.finish(end);
            if let Some(last) = scene.steps.last() {
                let mode = match last {
                    Step::Opened(_) => Mode::Open,
                    Step::Ramps { .. } => Mode::Ramp,
                    Step::Closed => Mode::Closed,
                    Step::Degraded { .. } => continue,
                };
                prop_assert_eq!(mode, scene.breaker.mode());
            }
            let share = scene.breaker.share(scene.now);
            prop_assert!((0.0..=1.0).contains(&share));
            match scene.breaker.mode() {
                Mode::Closed => prop_assert_eq!(share, 1.0),
                Mode::Open => prop_assert_eq!(share, 0.0),
                Mode::Ramp => prop_assert!(share >= 0.02 * 0.999),
            }
        }
    }
}

#[test]
fn independent_failures_at_the_normal_share_pass() {
    for (seed, normal) in [(1, 0.001), (2, 0.01), (3, 0.05), (4, 0.1), (5, 0.2), (6, 0.35)] {
        let mut scene = Scene::new(seed);
        for call in 0..100_000 {
            scene.now += 0.02;
            let admitted = scene.admit();
            let call = admitted.unwrap_or_else(|| panic!("rejected at call {call} and a share of {normal}"));
            let bad = scene.rolls.share() < normal;
            scene.record(call, if bad { End::Failed } else { End::Good }, 0.05);
        }
        assert!(scene.steps.is_empty(), "at {normal}: {:?}", scene.steps);
        let learned = scene.breaker.baseline().share();
        assert!((learned - normal).abs() < 0.2 * normal + 0.005, "learned {learned} where it is {normal}");
    }
}

#[test]
fn an_outage_opens_and_its_end_closes() {
    let mut scene = Scene::new(7);
    scene.run(600, End::Good);
    scene.run(20, End::Failed);
    assert_eq!(scene.breaker.mode(), Mode::Open);
    let (prior, belief) = (scene.breaker.prior(scene.now), scene.breaker.belief());
    assert!(belief.worth(&prior) < TRIP_WORTH && belief.sick(&prior) > 0.9);
    scene.run(3_000, End::Failed);
    let probes = scene.admitted - 600;
    assert!((20..400).contains(&probes), "{probes} calls of 3,020 were sent to a dead dependency");
    scene.run(3_000, End::Good);
    assert_eq!(scene.breaker.mode(), Mode::Closed);
    let kinds: Vec<_> = scene.steps.iter().map(std::mem::discriminant).collect();
    assert_eq!(kinds.len(), 3, "one opening, one ramp, one closing: {:?}", scene.steps);
}

#[test]
fn a_server_that_asks_for_silence_gets_it() {
    let mut scene = Scene::new(9);
    scene.run(100, End::Good);
    scene.run(20, End::Throttled { hint: Some(5.0) });
    assert_eq!(scene.breaker.mode(), Mode::Open);
    // The first of the twenty calls after the fourth throttle may lie 1.4 s back.
    let before = scene.admitted;
    scene.run(30, End::Good);
    assert_eq!(scene.admitted, before, "nothing for the rest of 5 s");
    scene.run(30, End::Good);
    assert!(scene.admitted > before && scene.breaker.mode() != Mode::Open);
}

/// A breaker, its calls one after the other, and its steps.
struct Scene {
    breaker: Adaptive,
    rolls: SplitMix64,
    steps: Vec<Step>,
    now: Seconds,
    out: Option<Admitted>,
    admitted: u32,
}

impl Scene {
    fn new(seed: u64) -> Scene {
        let mut rolls = SplitMix64::new(seed);
        let breaker = Adaptive::new(Numbers::default(), None, 0.0, &mut rolls);
        Scene { breaker, rolls, steps: Vec::new(), now: 0.0, out: None, admitted: 0 }
    }

    fn admit(&mut self) -> Option<Admitted> {
        let admitted = self.breaker.admit(self.now, &mut self.rolls, &mut self.steps);
        self.admitted += u32::from(admitted.is_some());
        admitted
    }

    fn record(&mut self, call: Admitted, end: End, took: Seconds) {
        self.breaker.record(call, end, took, self.now, &mut self.rolls, &mut self.steps);
    }

    /// Calls that come a tenth of a second apart, and end immediately if they are admitted.
    fn run(&mut self, calls: u32, end: End) {
        for _ in 0..calls {
            self.now += 0.1;
            if let Some(call) = self.admit() {
                self.record(call, end, 0.01);
            }
        }
    }

    /// Asks until a call is admitted; returns for how long none was.
    fn rejected_for(&mut self, gap: Seconds) -> Seconds {
        let start = self.now;
        loop {
            self.now += gap;
            if let Some(call) = self.admit() {
                self.out = Some(call);
                return self.now - start;
            }
            if self.now - start > 1_000.0 {
                return f64::INFINITY;
            }
        }
    }

    fn finish(&mut self, end: u8) {
        let Some(call) = self.out.take() else { return };
        let end = match end {
            0 => End::Good,
            3 => End::Throttled { hint: None },
            _ => End::Failed,
        };
        self.record(call, end, 0.01);
    }
}
