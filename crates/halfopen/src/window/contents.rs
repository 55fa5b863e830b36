use super::samples::Samples;
use crate::clock::Tick;
use crate::config::CircuitBreakerConfig;

/// The [`Samples`] of a window, which are allocated for the first outcome that is no plain success, or whose bucket is not
/// the first: most of a hundred thousand breakers never have one.
#[derive(Debug)]
pub(super) enum Contents {
    /// Nothing but plain successes of the first bucket, which are in the stripes.
    Plain {
        /// The configuration in force.
        config: CircuitBreakerConfig,
        /// The moment at which the window began.
        began: Tick,
    },
    /// Everything else.
    Full(Box<Samples>),
}

impl Contents {
    pub(super) fn new(config: CircuitBreakerConfig, now: Tick) -> Contents {
        Contents::Plain { config, began: now }
    }

    pub(super) fn config(&self) -> &CircuitBreakerConfig {
        match self {
            Contents::Plain { config, .. } => config,
            Contents::Full(samples) => samples.config(),
        }
    }

    /// Asks the samples, without allocating them: a look at every breaker must not make each of them larger.
    pub(super) fn ask<T>(&self, ask: impl FnOnce(&Samples) -> T) -> T {
        match self {
            Contents::Plain { config, began } => ask(&Samples::new(config.clone(), *began)),
            Contents::Full(samples) => ask(samples),
        }
    }

    /// Returns the samples to be changed, allocated if they are not yet.
    pub(super) fn samples(&mut self) -> &mut Samples {
        if let Contents::Plain { config, began } = self {
            *self = Contents::Full(Box::new(Samples::new(config.clone(), *began)));
        }
        let Contents::Full(samples) = self else { unreachable!("replaced above") };
        samples
    }

    /// Puts other rules in force over the same window.
    pub(super) fn set_rules(&mut self, rules: CircuitBreakerConfig) {
        match self {
            Contents::Plain { config, .. } => *config = rules,
            Contents::Full(samples) => samples.set_rules(rules),
        }
    }
}
