//! `Backoff`: when a failed entry is due again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The pauses between the attempts of an entry, and their number.
///
/// The pause doubles after each attempt, up to a maximum, and is varied by a fifth so that entries
/// that failed together do not come back together.
///
/// ```
/// use std::time::Duration;
///
/// use tower_bitrix24::inbox::Backoff;
///
/// let backoff = Backoff::default();
/// let first = backoff.delay(1).expect("there is a second attempt");
/// assert!(first >= Duration::from_secs(12) && first <= Duration::from_secs(18));
/// assert!(backoff.delay(19).is_some());
/// assert_eq!(backoff.delay(20), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Backoff {
    first: Duration,
    max: Duration,
    max_attempts: u32,
}

impl Backoff {
    /// Creates a backoff of 15 seconds, doubling to an hour, with 20 attempts: about 12 hours.
    pub const fn new() -> Self {
        Self {
            first: Duration::from_secs(15),
            max: Duration::from_secs(60 * 60),
            max_attempts: 20,
        }
    }

    /// Sets the pause after the first attempt. Defaults to 15 seconds.
    pub const fn first(mut self, pause: Duration) -> Self {
        self.first = pause;
        self
    }

    /// Sets the longest pause. Defaults to an hour.
    pub const fn max(mut self, pause: Duration) -> Self {
        self.max = pause;
        self
    }

    /// Sets the number of attempts after which an entry is dead. Defaults to 20.
    ///
    /// # Panics
    ///
    /// Panics if `attempts` is 0.
    #[track_caller]
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        assert!(attempts > 0, "an entry needs at least 1 attempt");
        self.max_attempts = attempts;
        self
    }

    /// Returns the pause after this attempt, the first being 1. Returns `None` if it was the last.
    pub fn delay(&self, attempt: u32) -> Option<Duration> {
        if attempt >= self.max_attempts {
            return None;
        }
        let doublings = attempt.saturating_sub(1).min(31);
        let pause = self.first.saturating_mul(1 << doublings).min(self.max);
        // The keys of a `RandomState` are random, so the hash of anything is.
        let random = RandomState::new().hash_one(attempt) % 401;
        Some(pause.saturating_mul(800 + random as u32) / 1000)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_maximum_and_last_about_12_hours() {
        let backoff = Backoff::new();
        let pauses: Vec<f64> = (1..)
            .map_while(|attempt| backoff.delay(attempt))
            .map(|pause| pause.as_secs_f64())
            .collect();
        assert_eq!(pauses.len(), 19);
        for (at, pause) in pauses.iter().enumerate() {
            let exact = (15.0 * f64::powi(2.0, at as i32)).min(3600.0);
            assert!(
                *pause >= exact * 0.799 && *pause <= exact * 1.201,
                "{at}: {pause}"
            );
        }
        let hours = pauses.iter().sum::<f64>() / 3600.0;
        assert!((9.0..15.0).contains(&hours), "{hours}");
    }

    #[test]
    fn pauses_are_varied() {
        let delays: Vec<_> = (0..20).map(|_| Backoff::new().delay(1)).collect();
        assert!(delays.iter().any(|delay| *delay != delays[0]));
    }
}
