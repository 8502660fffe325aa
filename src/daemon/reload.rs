//! Another configuration: looked at, taken over, and taken back when an operator wanted to confirm it
//! and did not.

use super::event_loop::Daemon;
use super::world::sources;
use super::{files, notify, start};
use crate::config::{Config, Outline};
use crate::control::{Code, FailureKind, PlanView, Reply};
use crate::gateway::Gateway;
use crate::gateway::world::{Answer, Host};
use crate::moment::Moment;
use crate::os::clock::Clock;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{info, warn};

/// What is said of the configuration when another one is refused.
const KEPT: &str = "the running configuration stays";

/// A configuration that nobody has confirmed yet.
#[derive(Debug)]
pub(super) struct Unconfirmed {
    /// Until when somebody has to.
    pub until: Instant,
    /// The one before it.
    before: Config,
}

impl Daemon {
    /// Goes over to what the file says now. When that is not valid, or takes a restart, the running
    /// configuration stays, and the error says why. Unless somebody confirms it within `confirm`, the
    /// configuration before it comes back.
    pub(super) fn reload(&mut self, confirm: Option<Duration>) -> Result<String, String> {
        notify::reloading();
        let outcome = self.try_reload(confirm);
        if let Err(sentence) = &outcome {
            self.gateway.take_note(Code::ReloadFailed, sentence.as_str(), self.clock.now());
        }
        notify::ready(match &outcome {
            Ok(_) => "reloaded",
            Err(_) => "the last reload failed; the configuration before it is running",
        });
        outcome
    }

    fn try_reload(&mut self, confirm: Option<Duration>) -> Result<String, String> {
        let config = self.load()?;
        let before = self.gateway.config().clone();
        let mut sentence = format!("reloaded; {}", self.adopt(config)?);
        // What was there before the first of several tries is what comes back.
        let before = self.unconfirmed.take().map_or(before, |standing| standing.before);
        if let Some(patience) = confirm {
            self.unconfirmed = Some(Unconfirmed { until: Instant::now() + patience, before });
            let seconds = patience.as_secs();
            sentence += &format!("; taken back in {seconds} s unless confirmed: vpnctl confirm");
        }
        info!("{sentence}");
        Ok(sentence)
    }

    /// What the file says now, if it may run here.
    fn load(&self) -> Result<Config, String> {
        let config = files::load(&self.path, false);
        let config = config.map_err(|error| format!("{error:#}\n{KEPT}"))?;
        start::check_privileges(&config).map_err(|error| format!("{error:#}; {KEPT}"))?;
        Ok(config.numbered_like(self.gateway.config()))
    }

    /// Takes a configuration over; says what that touches.
    fn adopt(&mut self, config: Config) -> Result<String, String> {
        let config = self.gateway.placed(config);
        let outline = Outline::of(&config);
        self.claims.extend(&outline).map_err(|error| format!("{error:#}; {KEPT}"))?;
        let now = self.clock.now();
        let ways = Answer::Sources(sources(Host::questions(&config).remotes));
        self.gateway.handle_world(vec![ways], now);
        let at = &mut Moment::new(now, Clock::wall(), &mut self.random);
        let reloaded = self.gateway.reconfigure(config, at);
        let reloaded = reloaded.map_err(|error| format!("{error}; {KEPT}"))?;
        self.lans.keep_only(&outline);
        self.ask_for_ways();
        self.place();
        self.watch_lans();
        // Also those that a configuration which comes back has had before: they may be newer by now.
        self.papers.watch(self.gateway.config());
        self.carry_out();
        self.listen_in_tcp();
        self.claims.keep_only(&outline);
        self.world.look();
        Ok(reloaded.to_string())
    }

    /// What a reload would do.
    pub(super) fn plan(&self) -> Reply {
        let config = match self.load() {
            Ok(config) => self.gateway.placed(config),
            Err(sentence) => return Reply::failed(FailureKind::InvalidConfig, sentence),
        };
        let gateway = self.gateway.config().gateway.name.clone();
        Reply::Plan(match Gateway::plan(self.gateway.config(), &config) {
            Ok(plan) => PlanView { gateway, ..plan },
            Err(needs) => {
                PlanView { gateway, refused: Some(needs.to_string()), ..PlanView::default() }
            }
        })
    }

    /// The configuration that runs is to stay.
    pub(super) fn confirm(&mut self) -> Reply {
        match self.unconfirmed.take() {
            Some(_) => Reply::done("confirmed: this configuration stays"),
            None => Reply::failed(FailureKind::NotNow, "there is nothing to confirm"),
        }
    }

    /// Nobody has confirmed the configuration that runs: the one before it comes back.
    pub(super) fn roll_back(&mut self) {
        let Some(Unconfirmed { before, .. }) = self.unconfirmed.take() else { return };
        let before = before.numbered_like(self.gateway.config());
        let told = match self.adopt(before) {
            Ok(touched) => format!(
                "not confirmed: the configuration before is running again ({touched}); the file is as it \
                 was written, and the next reload or start takes it"
            ),
            Err(sentence) => format!("not confirmed, and not taken back: {sentence}"),
        };
        warn!("{told}");
        self.gateway.take_note(Code::RolledBack, told, self.clock.now());
    }
}
