//! Unix time in whole seconds.

use std::time::{Duration, SystemTime};

pub(super) fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs().try_into().unwrap_or(i64::MAX))
}

pub(super) fn unix_after(now: i64, duration: Duration) -> i64 {
    now.saturating_add(duration.as_secs().try_into().unwrap_or(i64::MAX))
}
