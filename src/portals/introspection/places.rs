//! The places in which proofs run, shared fairly between portals.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::error::Failure;

/// How many proofs of one portal run or wait at a time.
const MOST_OF_A_PORTAL: usize = 64;

/// How many proofs run or wait at a time, those of all portals together.
const MOST: usize = 4096;

/// A portal has a quarter of the places at the most, and its other proofs wait apart from those of
/// other portals. So however many come for one, they take no place that another waits for.
pub(super) struct Places {
    all: Semaphore,
    /// How many places a portal may have.
    share: usize,
    portals: Mutex<PortalVerifier>,
}

#[derive(Default)]
struct PortalVerifier {
    by_id: HashMap<Box<str>, Portal>,
    proofs: usize,
}

struct Portal {
    places: Arc<Semaphore>,
    proofs: usize,
}

impl Places {
    pub(super) fn new(places: usize) -> Self {
        let places = places.min(Semaphore::MAX_PERMITS);
        Self {
            all: Semaphore::new(places),
            share: (places / 4).max(1),
            portals: Mutex::default(),
        }
    }

    /// Waits for a turn to come, if there is room to wait.
    pub(super) async fn wait(&self, member_id: &str) -> Result<Place<'_>, Failure> {
        let (queued, of_portal) = self.queue(member_id)?;
        // The portal's own comes first: what waits for it must not wait among the others. Neither
        // is ever closed.
        let of_portal = of_portal.acquire_owned().await.ok();
        let of_all = self.all.acquire().await.ok();
        Ok(Place {
            _of_all: of_all,
            _of_portal: of_portal,
            _queued: queued,
        })
    }

    fn queue(&self, member_id: &str) -> Result<(Queued<'_>, Arc<Semaphore>), Failure> {
        let mut portals = self.portals();
        let of_portal = portals.by_id.get(member_id);
        let of_portal = of_portal.map_or(0, |portal| portal.proofs);
        if portals.proofs >= MOST || of_portal >= MOST_OF_A_PORTAL {
            return Err(Failure::Busy);
        }
        portals.proofs += 1;
        let portal = portals
            .by_id
            .entry(member_id.into())
            .or_insert_with(|| Portal {
                places: Arc::new(Semaphore::new(self.share)),
                proofs: 0,
            });
        portal.proofs += 1;
        let queued = Queued {
            places: self,
            member_id: member_id.into(),
        };
        Ok((queued, portal.places.clone()))
    }

    fn portals(&self) -> MutexGuard<'_, PortalVerifier> {
        self.portals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn of a proof, until it is dropped.
pub(super) struct Place<'a> {
    _of_all: Option<SemaphorePermit<'a>>,
    _of_portal: Option<OwnedSemaphorePermit>,
    _queued: Queued<'a>,
}

/// A proof that runs or waits.
struct Queued<'a> {
    places: &'a Places,
    member_id: Box<str>,
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        let mut portals = self.places.portals();
        portals.proofs -= 1;
        if let Some(portal) = portals.by_id.get_mut(&self.member_id) {
            portal.proofs -= 1;
            if portal.proofs == 0 {
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

    type Proof<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

    /// A proof of the portal that waits for its place, and then keeps it.
    fn proof(places: &Places, portal: usize) -> Proof<'_> {
        let mut proof = Box::pin(async move {
            let _place = places.wait(&portal.to_string()).await;
            pending().await
        });
        poll(&mut proof);
        proof
    }

    fn poll(proof: &mut Pin<Box<impl Future + ?Sized>>) {
        let mut context = Context::from_waker(Waker::noop());
        assert!(proof.as_mut().poll(&mut context).is_pending());
    }

    #[test]
    fn one_portal_never_has_all_places() {
        let places = Places::new(16);
        let mut flood: Vec<_> = (0..100).map(|_| proof(&places, 0)).collect();
        assert_eq!(places.all.available_permits(), 12);
        let others: Vec<_> = (1..=12).map(|portal| proof(&places, portal)).collect();
        assert_eq!(places.all.available_permits(), 0);
        // The portal's own wait for their turn.
        drop(others);
        drop(flood.drain(..2));
        assert_eq!(places.all.available_permits(), 14);
        flood.iter_mut().for_each(poll);
        assert_eq!(places.all.available_permits(), 12);
    }

    #[test]
    fn those_that_wait_are_bounded_and_leave_nothing_behind() {
        let places = Places::new(1);
        let all = (0..MOST).map(|at| proof(&places, at / MOST_OF_A_PORTAL));
        let mut all: Vec<_> = all.collect();
        let portals = || places.portals().by_id.len();
        assert_eq!(portals(), MOST / MOST_OF_A_PORTAL);
        assert!(matches!(places.queue("0"), Err(Failure::Busy)));
        assert!(matches!(places.queue("new"), Err(Failure::Busy)));
        all.truncate(MOST_OF_A_PORTAL);
        assert!(matches!(places.queue("0"), Err(Failure::Busy)));
        assert!(places.queue("new").is_ok());
        drop(all);
        assert_eq!((portals(), places.portals().proofs), (0, 0));
        assert_eq!(places.all.available_permits(), 1);
    }
}
