//! Permits to call the authorization server, shared fairly between portals.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::error::IntrospectionError;

/// Calls of one portal that run or wait.
const MAX_CALLS_PER_PORTAL: usize = 64;

/// Calls of all portals that run or wait.
const MAX_CALLS: usize = 4096;

/// A portal has at most a quarter of the permits, and its other calls wait apart from those of other
/// portals. So calls for one portal never take a permit that another portal waits for.
pub(super) struct Permits {
    all: Semaphore,
    per_portal: usize,
    portals: Mutex<Portals>,
}

#[derive(Default)]
struct Portals {
    by_id: HashMap<Box<str>, Portal>,
    calls: usize,
}

struct Portal {
    permits: Arc<Semaphore>,
    calls: usize,
}

impl Permits {
    pub(super) fn new(permits: usize) -> Self {
        let permits = permits.min(Semaphore::MAX_PERMITS);
        Self {
            all: Semaphore::new(permits),
            per_portal: (permits / 4).max(1),
            portals: Mutex::default(),
        }
    }

    /// Waits for a permit, if there is room to wait.
    pub(super) async fn acquire(&self, member_id: &str) -> Result<Permit<'_>, IntrospectionError> {
        let (queued, of_portal) = self.queue(member_id)?;
        // The portal's own permit first, so that a call that waits for it holds no other. Neither
        // semaphore is ever closed.
        let of_portal = of_portal.acquire_owned().await.ok();
        let of_all = self.all.acquire().await.ok();
        Ok(Permit {
            _of_all: of_all,
            _of_portal: of_portal,
            _queued: queued,
        })
    }

    fn queue(&self, member_id: &str) -> Result<(Queued<'_>, Arc<Semaphore>), IntrospectionError> {
        let mut portals = self.portals();
        let calls = portals
            .by_id
            .get(member_id)
            .map_or(0, |portal| portal.calls);
        if portals.calls >= MAX_CALLS || calls >= MAX_CALLS_PER_PORTAL {
            return Err(IntrospectionError::Busy);
        }
        portals.calls += 1;
        let portal = portals
            .by_id
            .entry(member_id.into())
            .or_insert_with(|| Portal {
                permits: Arc::new(Semaphore::new(self.per_portal)),
                calls: 0,
            });
        portal.calls += 1;
        let queued = Queued {
            permits: self,
            member_id: member_id.into(),
        };
        Ok((queued, portal.permits.clone()))
    }

    fn portals(&self) -> MutexGuard<'_, Portals> {
        self.portals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Permit<'a> {
    _of_all: Option<SemaphorePermit<'a>>,
    _of_portal: Option<OwnedSemaphorePermit>,
    _queued: Queued<'a>,
}

/// A call that runs or waits.
struct Queued<'a> {
    permits: &'a Permits,
    member_id: Box<str>,
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        let mut portals = self.permits.portals();
        portals.calls -= 1;
        if let Some(portal) = portals.by_id.get_mut(&self.member_id) {
            portal.calls -= 1;
            if portal.calls == 0 {
                portals.by_id.remove(&self.member_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future, pending};
    use std::pin::Pin;
    use std::task::{Context, Waker};

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
    fn waiting_calls_are_bounded_and_leave_nothing_behind() {
        let permits = Permits::new(1);
        let all = (0..MAX_CALLS).map(|at| call(&permits, at / MAX_CALLS_PER_PORTAL));
        let mut all: Vec<_> = all.collect();
        let portals = || permits.portals().by_id.len();
        assert_eq!(portals(), MAX_CALLS / MAX_CALLS_PER_PORTAL);
        assert!(matches!(permits.queue("0"), Err(IntrospectionError::Busy)));
        assert!(matches!(
            permits.queue("new"),
            Err(IntrospectionError::Busy)
        ));
        all.truncate(MAX_CALLS_PER_PORTAL);
        assert!(matches!(permits.queue("0"), Err(IntrospectionError::Busy)));
        assert!(permits.queue("new").is_ok());
        drop(all);
        assert_eq!((portals(), permits.portals().calls), (0, 0));
        assert_eq!(permits.all.available_permits(), 1);
    }
}
