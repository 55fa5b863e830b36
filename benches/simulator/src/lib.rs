//! What the simulations of the lab are measured beside: the design's reference, the rules of other libraries, and
//! services in which nothing happens. Everything is a function of its seeds.

pub mod noise;
pub mod reference;
pub mod rules;

pub use halfopen_lab::simulate::{Answer, Breaker, Outcome, Policy, Scenario, Scores, Seconds, Set};
pub use halfopen_lab::simulate::{catalogue, chance, drawn, policy, run, scenario, score, service, value};

#[cfg(test)]
mod tests {
    use halfopen::CircuitBreakerConfig;

    use crate::catalogue::scenarios;
    use crate::reference::{Numbers, Reference};
    use crate::score::{catalogue, run};
    use crate::value::Value;
    use crate::{Breaker, Policy};

    fn product(seed: u64) -> Box<dyn Policy> {
        Box::new(Breaker::new(CircuitBreakerConfig::adaptive(), seed))
    }

    fn reference(seed: u64) -> Box<dyn Policy> {
        Box::new(Reference::new(Numbers::default(), seed))
    }

    #[test]
    fn the_breaker_decides_as_well_as_its_reference() {
        let names = ["noisy10", "outage60", "flapping", "quota-bucket", "cold-outage"];
        let mut scenarios = scenarios();
        scenarios.retain(|scenario| names.contains(&&*scenario.name));
        let results = run(&scenarios, &[1], &[&product, &reference]);
        let [ours, wanted] = [0, 1].map(|policy| catalogue(&scenarios, &results, Value::InTime, policy));
        for (place, scenario) in scenarios.iter().enumerate() {
            let (ours, wanted) = (ours.each[place], wanted.each[place]);
            assert!((ours - wanted).abs() < 0.05, "{}: {ours} for {wanted}", scenario.name);
            assert!(wanted > 0.8, "{}: {wanted}", scenario.name);
        }
    }
}
