//! A bounded queue for each portal, so that a flood for one portal waits apart from the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Calls wait in the queue of their portal. A queue exists while a call of its portal runs or waits.
pub(super) struct PortalQueues {
    limits: QueueLimits,
    portals: Mutex<Portals>,
}

#[derive(Clone, Copy)]
pub(super) struct QueueLimits {
    /// Calls of one portal that run.
    pub(super) running_per_portal: usize,
    /// Calls of one portal that run or wait.
    pub(super) calls_per_portal: usize,
    /// Calls of all portals that run or wait.
    pub(super) calls: usize,
}

#[derive(Default)]
struct Portals {
    by_id: HashMap<Box<str>, Portal>,
    calls: usize,
}

struct Portal {
    running: Arc<Semaphore>,
    front: Arc<Semaphore>,
    calls: usize,
}

/// Too many calls run and wait.
#[derive(Debug)]
pub(super) struct Busy;

impl PortalQueues {
    pub(super) fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            portals: Mutex::default(),
        }
    }

    /// Waits for the portal's turn, if there is room to wait. Calls of one portal take turns in
    /// their order.
    pub(super) async fn enter(&self, member_id: &str) -> Result<Turn<'_>, Busy> {
        let (queued, running) = self.queue(member_id)?;
        // Never closed.
        let running = running.acquire_owned().await.ok();
        Ok(Turn {
            _running: running,
            queued,
        })
    }

    fn queue(&self, member_id: &str) -> Result<(Queued<'_>, Arc<Semaphore>), Busy> {
        let limits = &self.limits;
        let mut portals = self.portals();
        let calls = portals
            .by_id
            .get(member_id)
            .map_or(0, |portal| portal.calls);
        if portals.calls >= limits.calls || calls >= limits.calls_per_portal {
            return Err(Busy);
        }
        portals.calls += 1;
        let portal = portals
            .by_id
            .entry(member_id.into())
            .or_insert_with(|| Portal {
                running: Arc::new(Semaphore::new(limits.running_per_portal)),
                front: Arc::new(Semaphore::new(1)),
                calls: 0,
            });
        portal.calls += 1;
        let queued = Queued {
            queues: self,
            member_id: member_id.into(),
            front: portal.front.clone(),
        };
        Ok((queued, portal.running.clone()))
    }

    fn portals(&self) -> MutexGuard<'_, Portals> {
        self.portals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of queues and of the calls in them.
    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        let portals = self.portals();
        (portals.by_id.len(), portals.calls)
    }
}

/// A call that runs.
pub(super) struct Turn<'a> {
    _running: Option<OwnedSemaphorePermit>,
    queued: Queued<'a>,
}

impl Turn<'_> {
    /// Waits until no other call of the portal holds this permit. A call holds it while it waits for
    /// what all portals share, so that each portal waits with one call.
    pub(super) async fn front(&self) -> Option<OwnedSemaphorePermit> {
        self.queued.front.clone().acquire_owned().await.ok()
    }
}

/// A call that runs or waits.
struct Queued<'a> {
    queues: &'a PortalQueues,
    member_id: Box<str>,
    front: Arc<Semaphore>,
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        let mut portals = self.queues.portals();
        portals.calls -= 1;
        if let Some(portal) = portals.by_id.get_mut(&self.member_id) {
            portal.calls -= 1;
            if portal.calls == 0 {
                portals.by_id.remove(&self.member_id);
            }
        }
    }
}
