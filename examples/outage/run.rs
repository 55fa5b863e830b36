use std::io;
use std::sync::Arc;
use std::time::Duration;

use halfopen::{CircuitBreaker, CircuitBreakerConfig};
use http::Uri;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tower::BoxError;

use crate::clients::{Client, Library, Making};
#[cfg(feature = "config")]
use crate::documented::documented;
use crate::ledger::Ledger;
use crate::load::{Arrivals, Load};
use crate::log::Log;
#[cfg(feature = "metrics")]
use crate::metrics;
use crate::options::Options;
use crate::pace::Pace;
use crate::protection::{self, Transition};
use crate::report::{Findings, Report};
use crate::request::Sender;
use crate::screen::Screen;
use crate::script::Script;
use crate::server::SickServer;
use crate::target::Target;
use crate::timeline::View;

/// The interval between frames.
const FRAME: Duration = Duration::from_millis(100);

/// One run, from the first arrival to the last answer.
struct Run {
    pace: Pace,
    script: Script,
    bare: Arc<Ledger>,
    protected: Arc<Ledger>,
    breaker: CircuitBreaker,
    transitions: UnboundedReceiver<Transition>,
    log: Log,
    tallest: u64,
}

/// Runs the script, or calls the server behind `--url`, and returns the figures.
///
/// # Errors
///
/// If the server cannot be started or reached, or the output cannot be written.
pub(crate) async fn run(options: &Options) -> Result<Report, BoxError> {
    // Before anything is started: an invalid document ends the run here.
    #[cfg(feature = "config")]
    let documented = options.config.as_deref().map(documented).transpose()?;
    #[cfg(not(feature = "config"))]
    let documented = None;
    let target = Target::of(options).await?;
    let uri = target.uri().clone();
    let script = target.script(options);
    let mut screen = Screen::new(options.json);
    screen.say(&opening_words(options, &uri, &script))?;

    // The clock starts after all setup that takes time.
    let pace = Pace::starting_now(options.speed());
    let config = match documented {
        Some(config) => config,
        None => protection::settings(options.breaker, options.timeout(), pace)?,
    };
    let mut run = Run::new(options, script, pace, config);
    #[cfg(feature = "metrics")]
    if let Some(address) = options.metrics {
        let address = metrics::serve(address, run.breaker.clone()).await?;
        screen.say(&format!("metrics of the breaker: curl http://{address}/metrics"))?;
    }
    let server = target.start(&run.script, pace, options.seed);
    let load = run.load(options, &uri);
    let interrupted = run.watch(load, &mut screen).await?;

    let ran_for = pace.now().min(run.script.length());
    let seen = server.as_ref().map(SickServer::seen);
    let findings = Findings {
        script: &run.script,
        bare: &run.bare,
        protected: &run.protected,
        log: &run.log,
        seen,
        ran_for,
    };
    Ok(Report {
        seed: options.seed,
        speed: options.speed(),
        rate_per_second: options.rate,
        client: options.client,
        server: uri.to_string(),
        interrupted,
        ran_for_seconds: crate::report::rounded(ran_for),
        script: findings.scenes(),
        bare: findings.client(Sender::Bare),
        protected: findings.client(Sender::Protected),
        outages: findings.outages(),
        transitions: findings.transitions(),
    })
}

impl Run {
    fn new(options: &Options, script: Script, pace: Pace, config: CircuitBreakerConfig) -> Self {
        let (listener, transitions) = mpsc::unbounded_channel();
        Self {
            breaker: protection::breaker(config, pace, options.seed, listener),
            bare: Arc::new(Ledger::new(script.clone())),
            protected: Arc::new(Ledger::new(script.clone())),
            pace,
            script,
            transitions,
            log: Log::default(),
            tallest: u64::from(options.rate) * 3 / 2,
        }
    }

    /// Starts both clients under the same load; the set is empty when the last caller has its result.
    fn load(&self, options: &Options, uri: &Uri) -> JoinSet<()> {
        let making = Making {
            library: options.client,
            pace: self.pace,
            seed: options.seed,
            timeout: options.timeout(),
        };
        let arrivals = Arrivals::new(options.seed, f64::from(options.rate), self.script.length());
        let load = |sender: Sender, client: Client, ledger: &Arc<Ledger>| Load {
            sender,
            client,
            uri: uri.clone(),
            ledger: Arc::clone(ledger),
            making,
            arrivals: arrivals.clone(),
        };
        let bare = making.bare(uri, Arc::clone(&self.bare));
        let protected = making.protected(uri, Arc::clone(&self.protected), self.breaker.clone());
        let mut both = JoinSet::new();
        both.spawn(load(Sender::Bare, bare, &self.bare).run());
        both.spawn(load(Sender::Protected, protected, &self.protected).run());
        both
    }

    /// Draws until the load is over; returns true if Ctrl-C was pressed before.
    async fn watch(&mut self, mut load: JoinSet<()>, screen: &mut Screen) -> io::Result<bool> {
        let mut frames = interval(FRAME);
        frames.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let interrupt = tokio::signal::ctrl_c();
        tokio::pin!(interrupt);
        let interrupted = loop {
            tokio::select! {
                pressed = &mut interrupt => {
                    pressed?;
                    load.shutdown().await;
                    break true;
                }
                Some(transition) = self.transitions.recv() => self.note(&transition, screen)?,
                ended = load.join_next() => match ended {
                    Some(ended) => ended.map_err(io::Error::other)?,
                    None => break false,
                },
                _ = frames.tick() => screen.draw(&self.view())?,
            }
        };
        while let Ok(transition) = self.transitions.try_recv() {
            self.note(&transition, screen)?;
        }
        screen.draw(&self.view())?;
        Ok(interrupted)
    }

    fn note(&mut self, transition: &Transition, screen: &mut Screen) -> io::Result<()> {
        self.log.add(transition.clone());
        screen.transition(transition, &self.view())
    }

    fn view(&self) -> View<'_> {
        View {
            pace: self.pace,
            script: &self.script,
            bare: &self.bare,
            protected: &self.protected,
            log: &self.log,
            breaker: &self.breaker,
            tallest: self.tallest,
        }
    }
}

fn opening_words(options: &Options, uri: &Uri, script: &Script) -> String {
    let length = script.length().as_secs_f64();
    let library = match options.client {
        Library::Hyper => "hyper",
        #[cfg(feature = "reqwest")]
        Library::Reqwest => "reqwest",
        #[cfg(feature = "tonic")]
        Library::Tonic => "tonic",
    };
    format!(
        "two {library} clients, one bare, one protected by a breaker: {} requests/s each,\n\
         seed {}, {length:.0} s in {:.0} s: {uri}",
        options.rate,
        options.seed,
        length / options.speed(),
    )
}
