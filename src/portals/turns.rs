//! Changes of one portal: one at a time in this process, and repeated while other processes change it.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::queues::{PortalQueues, QueueLimits, Turn};
use crate::verify::VerifyError;

/// The time of a change, in timeouts of a call of the store.
const CHANGE_TIMEOUTS: u32 = 5;

const QUEUE_LIMITS: QueueLimits = QueueLimits {
    running_per_portal: 1,
    calls_per_portal: 256,
    calls: 16 * 1024,
};

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const MAX_PAUSE: Duration = Duration::from_millis(250);

/// A deadline further off than this may overflow the clock.
const MAX_TIMEOUT: Duration = Duration::from_secs(30 * 365 * 86_400);

#[derive(Clone)]
pub(super) struct Turns(Arc<PortalQueues>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(PortalQueues::new(QUEUE_LIMITS)))
    }
}

impl Turns {
    /// Waits until no other call of this process changes the portal.
    pub(super) async fn take(
        &self,
        member_id: &str,
        deadline: Instant,
    ) -> Result<Turn<'_>, VerifyError> {
        match timeout_at(deadline, self.0.enter(member_id)).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) => Err(VerifyError::unavailable(
                "too many changes of the portal's tokens run and wait",
            )),
            Err(_) => Err(contended()),
        }
    }
}

pub(super) struct Attempts {
    pub(super) deadline: Instant,
    pause: Duration,
}

impl Attempts {
    pub(super) fn new(store_timeout: Duration) -> Self {
        let total = store_timeout.saturating_mul(CHANGE_TIMEOUTS);
        Self {
            deadline: Instant::now() + total.min(MAX_TIMEOUT),
            pause: FIRST_PAUSE,
        }
    }

    /// Moves the deadline by what else than the store took time.
    pub(super) fn extend(&mut self, time: Duration) {
        self.deadline += time;
    }

    /// Waits before the next attempt, for another time than other processes.
    pub(super) async fn pause(&mut self) -> Result<(), VerifyError> {
        let pause = jittered(self.pause);
        self.pause = (self.pause * 2).min(MAX_PAUSE);
        if Instant::now() + pause >= self.deadline {
            return Err(contended());
        }
        sleep(pause).await;
        Ok(())
    }
}

/// Returns a random time between a half and the whole of `pause`.
fn jittered(pause: Duration) -> Duration {
    // Keyed at random, anew each time.
    let random = RandomState::new().build_hasher().finish();
    let half = pause / 2;
    let [low, high, ..] = random.to_ne_bytes();
    half + half.mul_f64(f64::from(u16::from_ne_bytes([low, high])) / f64::from(u16::MAX))
}

fn contended() -> VerifyError {
    VerifyError::unavailable("the portal's tokens changed during every attempt to change them")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn attempts_pause_for_different_times_and_end_at_the_deadline() {
        let pauses: std::collections::HashSet<_> = (0..100).map(|_| jittered(MAX_PAUSE)).collect();
        assert!(pauses.len() > 50, "{pauses:?}");
        assert!(
            pauses
                .iter()
                .all(|pause| *pause >= MAX_PAUSE / 2 && *pause <= MAX_PAUSE)
        );

        let began = Instant::now();
        let mut attempts = Attempts::new(Duration::from_secs(2));
        let mut count = 0;
        while attempts.pause().await.is_ok() {
            count += 1;
        }
        assert!((40..100).contains(&count), "{count}");
        assert!(began.elapsed() <= Duration::from_secs(10));
        assert!(began.elapsed() > Duration::from_secs(9));
        Attempts::new(Duration::MAX).pause().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn changes_of_one_portal_take_turns_and_delay_no_other_portal() {
        let turns = Turns::default();
        let deadline = Instant::now() + Duration::from_secs(1);
        let first = turns.take("a", deadline).await.unwrap();
        drop(turns.take("b", deadline).await.unwrap());
        assert!(turns.take("a", deadline).await.is_err());
        assert_eq!(Instant::now(), deadline);
        drop(first);
        assert!(turns.take("a", deadline).await.is_ok());
        assert_eq!(turns.0.len(), (0, 0));
    }
}
