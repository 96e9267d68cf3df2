//! Sets the gauges and purges old entries, beside the worker.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Settings;
use crate::inbox::service::Inbox;
use crate::inbox::store::InboxStore;
use crate::telemetry;

const GAUGES_INTERVAL: Duration = Duration::from_secs(15);
const PURGE_INTERVAL: Duration = Duration::from_secs(60);

/// Ends with the worker, also if that panics.
pub(super) struct Housekeeping(JoinHandle<()>);

impl Drop for Housekeeping {
    fn drop(&mut self) {
        self.0.abort();
        if std::thread::panicking() {
            telemetry::inbox::worker_panicked();
        }
    }
}

pub(super) fn spawn<S: InboxStore + 'static>(inbox: Inbox<S>, settings: Settings) -> Housekeeping {
    Housekeeping(tokio::spawn(async move {
        let mut ticks = interval(GAUGES_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut purged: Option<Instant> = None;
        loop {
            ticks.tick().await;
            // First, since a purge may take long.
            if telemetry::inbox::HAS_GAUGES {
                if let Some(stats) = report(inbox.stats().await) {
                    telemetry::inbox::gauges(&telemetry::inbox::Gauges {
                        waiting: stats.waiting,
                        running: stats.running,
                        dead: stats.dead,
                        blocked_lanes: stats.blocked_lanes,
                        oldest_waiting: Duration::from_millis(
                            stats.oldest_waiting_ms.unwrap_or_default(),
                        ),
                    });
                }
            }
            if purged.is_none_or(|purged| purged.elapsed() >= PURGE_INTERVAL) {
                let outcome = inbox.purge(settings.keep_done, settings.keep_dead).await;
                report(outcome);
                purged = Some(Instant::now());
            }
        }
    }))
}

fn report<T, E>(outcome: Result<T, E>) -> Option<T>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    outcome
        .map_err(|error| telemetry::inbox::worker_failed(&*error.into()))
        .ok()
}
