//! The worker: takes the first entry of each partition, handles it and ends the attempt.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, sleep, sleep_until};
use tower_bitrix24::inbox::{EntryHandler, Outcome, Record};

use crate::{BoxError, Broker, Taken};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Set to a deadline once the worker stops.
pub(crate) type Stop = watch::Receiver<Option<Instant>>;

/// Works on every partition, on one entry of each at a time. Once it stops it takes no more entries,
/// and at the deadline it gives back those that still run.
pub(crate) async fn work<B: Broker>(
    broker: B,
    handler: EntryHandler<Router>,
    lease: Duration,
    stop: Stop,
) {
    let mut partitions = JoinSet::new();
    for partition in 0..broker.partitions() {
        let partition = Partition {
            broker: broker.clone(),
            handler: handler.clone(),
            partition,
            lease,
            stop: stop.clone(),
        };
        partitions.spawn(partition.work());
    }
    while partitions.join_next().await.is_some() {}
}

struct Partition<B> {
    broker: B,
    handler: EntryHandler<Router>,
    partition: u32,
    lease: Duration,
    stop: Stop,
}

impl<B: Broker> Partition<B> {
    async fn work(self) {
        let mut pause = FIRST_PAUSE;
        while self.stop.borrow().is_none() {
            // Before the call, so that the lease never ends here later than in the broker.
            let held_until = Instant::now() + self.lease;
            match self.broker.take(self.partition).await {
                Ok(taken) => {
                    pause = FIRST_PAUSE;
                    if let Some(taken) = taken {
                        self.handle(taken, held_until).await;
                    }
                }
                Err(error) => {
                    self.report("take an entry", &error);
                    let mut stop = self.stop.clone();
                    tokio::select! {
                        _ = stop.changed() => {}
                        () = sleep(pause) => {}
                    }
                    pause = (pause * 2).min(MAX_PAUSE);
                }
            }
        }
    }

    async fn handle(&self, taken: Taken<B::Receipt>, held_until: Instant) {
        let Taken { record, receipt } = taken;
        let outcome = match record {
            Ok(record) => self.attempt(record, &receipt, held_until).await,
            Err(error) => Some(Outcome::Dead { error }),
        };
        let Some(outcome) = outcome else {
            let partition = self.partition;
            eprintln!("partition {partition}: the lease ended, another worker takes the entry");
            return;
        };
        // If it never succeeds, the entry runs again once its lease is over.
        let deadline = Instant::now() + self.lease;
        while let Err(error) = self.broker.finish(&receipt, &outcome).await {
            self.report("end an attempt", &error);
            if Instant::now() >= deadline {
                return;
            }
            sleep(FIRST_PAUSE).await;
        }
    }

    /// Returns `None` if another worker may have the entry.
    async fn attempt(
        &self,
        record: Record,
        receipt: &B::Receipt,
        mut held_until: Instant,
    ) -> Option<Outcome> {
        let mut handling = pin!(self.handler.handle(record));
        let mut stopped = pin!(deadline(self.stop.clone()));
        let third = self.lease / 3;
        let mut ticks = interval_at(Instant::now() + third, third);
        loop {
            tokio::select! {
                outcome = &mut handling => return Some(outcome),
                () = &mut stopped => return Some(Outcome::Released),
                _ = ticks.tick() => {}
            }
            let extended_until = Instant::now() + self.lease;
            match self.broker.extend(receipt).await {
                Ok(true) => held_until = extended_until,
                Ok(false) => return None,
                Err(error) => self.report("extend a lease", &error),
            }
            if Instant::now() >= held_until {
                return None;
            }
        }
    }

    fn report(&self, what: &str, error: &BoxError) {
        eprintln!("partition {}: cannot {what}: {error}", self.partition);
    }
}

/// Waits until the worker stops, and then for its deadline.
async fn deadline(mut stop: Stop) {
    let deadline = match stop.wait_for(Option::is_some).await {
        Ok(deadline) => *deadline,
        Err(_) => None,
    };
    if let Some(deadline) = deadline {
        sleep_until(deadline).await;
    }
}
