//! Permits to call the authorization server, shared fairly between portals.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::super::queues::{Busy, PortalQueues, QueueLimits, Turn};
use super::error::IntrospectionError;

const MAX_CALLS_PER_PORTAL: usize = 64;

const MAX_CALLS: usize = 4096;

/// A portal has at most a quarter of the permits, and one of its calls waits for another. So a call
/// waits for at most one call of each other portal that waits.
pub(super) struct Permits {
    all: Semaphore,
    queues: PortalQueues,
}

impl Permits {
    pub(super) fn new(permits: usize) -> Self {
        let permits = permits.min(Semaphore::MAX_PERMITS);
        Self {
            all: Semaphore::new(permits),
            queues: PortalQueues::new(QueueLimits {
                running_per_portal: (permits / 4).max(1),
                calls_per_portal: MAX_CALLS_PER_PORTAL,
                calls: MAX_CALLS,
            }),
        }
    }

    /// Waits for a permit, if there is room to wait.
    pub(super) async fn acquire(&self, member_id: &str) -> Result<Permit<'_>, IntrospectionError> {
        let entered = self.queues.enter(member_id).await;
        // The portal's own turn first, so that a call that waits for it holds nothing else.
        let turn = entered.map_err(|Busy| IntrospectionError::Busy)?;
        let front = turn.front().await;
        // Never closed.
        let of_all = self.all.acquire().await.ok();
        drop(front);
        Ok(Permit {
            _of_all: of_all,
            _turn: turn,
        })
    }
}

pub(super) struct Permit<'a> {
    _of_all: Option<SemaphorePermit<'a>>,
    _turn: Turn<'a>,
}

#[cfg(test)]
mod tests {
    use std::future::{Future, pending};
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    type Call<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

    /// Returns a call that waits for its permit and then keeps it.
    fn call(permits: &Permits, portal: usize) -> Call<'_> {
        let mut call = Box::pin(async move {
            let _permit = permits.acquire(&portal.to_string()).await;
            pending::<()>().await;
        });
        poll(&mut call);
        call
    }

    fn poll(call: &mut Pin<Box<impl Future + ?Sized>>) {
        let mut context = Context::from_waker(Waker::noop());
        assert!(call.as_mut().poll(&mut context).is_pending());
    }

    #[test]
    fn one_portal_never_has_all_permits() {
        let permits = Permits::new(16);
        let mut flood: Vec<_> = (0..100).map(|_| call(&permits, 0)).collect();
        assert_eq!(permits.all.available_permits(), 12);
        let others: Vec<_> = (1..=12).map(|portal| call(&permits, portal)).collect();
        assert_eq!(permits.all.available_permits(), 0);
        // The portal's own calls wait for their turn.
        drop(others);
        drop(flood.drain(..2));
        assert_eq!(permits.all.available_permits(), 14);
        flood.iter_mut().for_each(poll);
        assert_eq!(permits.all.available_permits(), 12);
    }

    #[test]
    fn portals_take_turns_for_the_permits() {
        let permits = Permits::new(8);
        // Three portals have 6 of the permits, a fourth the last two, and all have more calls.
        let mut floods: Vec<Vec<_>> = (0..4)
            .map(|portal| (0..20).map(|_| call(&permits, portal)).collect())
            .collect();
        let mut late: Vec<_> = (0..20).map(|_| call(&permits, 4)).collect();
        let mut other = Box::pin(permits.acquire("other"));
        poll(&mut other);
        assert_eq!(permits.all.available_permits(), 0);
        // One call of the fifth portal waits, so the second permit is free for the other portal.
        floods[0].drain(..2);
        late.iter_mut().for_each(poll);
        let mut context = Context::from_waker(Waker::noop());
        assert!(other.as_mut().poll(&mut context).is_ready());
    }

    #[test]
    fn waiting_calls_are_bounded_and_leave_nothing_behind() {
        let permits = Permits::new(1);
        let all = (0..MAX_CALLS).map(|at| call(&permits, at / MAX_CALLS_PER_PORTAL));
        let mut all: Vec<_> = all.collect();
        let portals = MAX_CALLS / MAX_CALLS_PER_PORTAL;
        assert_eq!(permits.queues.len(), (portals, MAX_CALLS));
        let is_busy = |portal: &str| {
            let mut acquire = Box::pin(permits.acquire(portal));
            let mut context = Context::from_waker(Waker::noop());
            let polled = acquire.as_mut().poll(&mut context);
            matches!(polled, Poll::Ready(Err(IntrospectionError::Busy)))
        };
        assert!(is_busy("0") && is_busy("new"));
        all.truncate(MAX_CALLS_PER_PORTAL);
        assert!(is_busy("0") && !is_busy("new"));
        drop(all);
        assert_eq!(permits.queues.len(), (0, 0));
        assert_eq!(permits.all.available_permits(), 1);
    }
}
