use std::time::Duration;

/// The health of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Healthy,
    /// Slow answers, and 30 % errors.
    BrownOut,
    /// Every connection is reset.
    Dead,
    /// Nine of ten requests get a 503 with `Retry-After`.
    Refusing,
    /// Accepts every request and answers none.
    Hang,
    /// Its workers take five times as long, so that a queue forms.
    Slowed,
    /// Answers again, with decreasing errors and delays.
    Recovering,
}

impl Health {
    /// Returns true if the script makes the server fail or fall behind.
    pub(crate) fn is_sick(self) -> bool {
        match self {
            Self::BrownOut | Self::Dead | Self::Refusing | Self::Hang | Self::Slowed => true,
            Self::Healthy | Self::Recovering => false,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::BrownOut => "brown-out",
            Self::Dead => "dead",
            Self::Refusing => "refusing",
            Self::Hang => "hang",
            Self::Slowed => "slowed",
            Self::Recovering => "recovering",
        }
    }
}

/// One scene: the server is in this health from one script time to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene {
    pub(crate) health: Health,
    pub(crate) from: Duration,
    pub(crate) to: Duration,
}

impl Scene {
    /// The elapsed part of the scene, 0..1.
    pub(crate) fn progress(&self, now: Duration) -> f64 {
        now.saturating_sub(self.from).div_duration_f64(self.to - self.from).min(1.0)
    }
}

/// Consecutive scenes of an outage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outage {
    pub(crate) name: String,
    pub(crate) from: Duration,
    pub(crate) to: Duration,
}

/// The scenes in order; empty if the server is not ours.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    scenes: Vec<Scene>,
    length: Duration,
}

impl Script {
    /// The script of the demonstration: sixty seconds, four outages.
    ///
    /// The last outage is short, and the time after it long: the retries of a client without a breaker keep the
    /// server overloaded after the cause of the outage has gone.
    pub(crate) fn of_the_demonstration() -> Self {
        Self::new(&[
            (Health::Healthy, 4),
            (Health::BrownOut, 5),
            (Health::Dead, 4),
            (Health::Recovering, 2),
            (Health::Healthy, 3),
            (Health::Refusing, 5),
            (Health::Healthy, 3),
            (Health::Hang, 5),
            (Health::Recovering, 2),
            (Health::Healthy, 3),
            (Health::Slowed, 4),
            (Health::Healthy, 20),
        ])
    }

    /// No scenes: the server behind `--url`, called for this long.
    pub(crate) fn unknown(length: Duration) -> Self {
        Self { scenes: Vec::new(), length }
    }

    fn new(acts: &[(Health, u64)]) -> Self {
        let mut scenes = Vec::with_capacity(acts.len());
        let mut from = Duration::ZERO;
        for &(health, seconds) in acts {
            let to = from + Duration::from_secs(seconds);
            scenes.push(Scene { health, from, to });
            from = to;
        }
        Self { scenes, length: from }
    }

    pub(crate) fn scenes(&self) -> &[Scene] {
        &self.scenes
    }

    pub(crate) fn length(&self) -> Duration {
        self.length
    }

    /// The scene at this time; the last one continues after the end.
    pub(crate) fn scene_at(&self, now: Duration) -> Option<&Scene> {
        self.scenes.iter().find(|scene| now < scene.to).or(self.scenes.last())
    }

    pub(crate) fn health_at(&self, now: Duration) -> Option<Health> {
        self.scene_at(now).map(|scene| scene.health)
    }

    pub(crate) fn is_sick_at(&self, now: Duration) -> bool {
        self.health_at(now).is_some_and(Health::is_sick)
    }

    pub(crate) fn outages(&self) -> Vec<Outage> {
        let mut outages: Vec<Outage> = Vec::new();
        for scene in self.scenes.iter().filter(|scene| scene.health.is_sick()) {
            match outages.last_mut() {
                Some(last) if last.to == scene.from => {
                    last.to = scene.to;
                    last.name = format!("{}, {}", last.name, scene.health.name());
                }
                _ => outages.push(Outage {
                    name: scene.health.name().to_owned(),
                    from: scene.from,
                    to: scene.to,
                }),
            }
        }
        outages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn sick_scenes_in_a_row_are_one_outage() {
        let script = Script::new(&[
            (Health::Healthy, 1),
            (Health::BrownOut, 1),
            (Health::Dead, 2),
            (Health::Healthy, 1),
        ]);

        assert_eq!(
            script.outages(),
            [Outage { name: "brown-out, dead".to_owned(), from: SECOND, to: 4 * SECOND }]
        );
    }

    #[test]
    fn a_scene_ends_where_the_next_begins() {
        let script = Script::new(&[(Health::Healthy, 1), (Health::Dead, 1), (Health::Recovering, 1)]);

        assert_eq!(script.health_at(SECOND - Duration::from_nanos(1)), Some(Health::Healthy));
        assert_eq!(script.health_at(SECOND), Some(Health::Dead));
        assert_eq!(script.health_at(9 * SECOND), Some(Health::Recovering));
    }

    #[test]
    fn the_demonstration_takes_sixty_seconds() {
        let script = Script::of_the_demonstration();

        assert_eq!(script.length(), 60 * SECOND);
        assert_eq!(script.health_at(Duration::ZERO), Some(Health::Healthy));
        assert_eq!(script.health_at(script.length()), Some(Health::Healthy));
    }
}
