//! The end, in order.

use super::event_loop::{Daemon, Input};
use super::notify;
use crate::gateway::Gateway;
use crate::moment::Moment;
use crate::os::clock::Clock;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tracing::info;

/// How long peers and hosts have to go elsewhere while everything is still carried; and without a packet
/// after which they have.
const LEADING_AWAY: Duration = Duration::from_secs(2);
const LEFT: Duration = Duration::from_millis(500);
/// How long hosts and peers that have no other way have to hear of the end before the SAs are deleted.
const WITHDRAWAL: Duration = Duration::from_millis(300);
/// How long the peers have to acknowledge that the SAs are deleted.
const FAREWELL: Duration = Duration::from_secs(1);

impl Daemon {
    /// Ends in order: others take over first, then sessions end and SAs go, then routes and addresses.
    pub(super) async fn end(mut self) {
        notify::stopping();
        info!("ending");
        self.gateway.lead_away(self.now());
        self.carry_out();
        let clock = self.clock;
        self.run_for(LEADING_AWAY, |gateway| gateway.quiet_for(clock.now()) >= LEFT).await;
        self.gateway.withdraw(self.now());
        self.carry_out();
        self.run_for(WITHDRAWAL, |_| false).await;
        let now = self.now();
        self.gateway.shutdown(&mut Moment::new(now, Clock::wall(), &mut self.random));
        self.carry_out();
        self.run_for(FAREWELL, Gateway::is_idle).await;
        self.world.finish().await;
        info!("ended");
    }

    /// Goes on for a while or until `done`, deaf to signals and operators: neither another
    /// configuration nor another tunnel may begin now.
    async fn run_for(&mut self, time: Duration, done: impl Fn(&Gateway) -> bool) {
        let end = Instant::now() + time;
        while !done(&self.gateway) {
            let input = tokio::select! {
                input = self.next_input() => input,
                () = sleep_until(end) => return,
            };
            match input {
                Input::Signal(_) | Input::Call(_) => continue,
                other => self.handle(other),
            }
            self.carry_out();
        }
    }
}
