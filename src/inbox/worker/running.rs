//! The attempts that run, and their leases.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::task::{AbortHandle, Id};
use tokio::time::{Instant, sleep_until};

use crate::inbox::store::{Owned, Record};

#[derive(Default)]
pub(super) struct Running(HashMap<Id, Attempt>);

pub(super) struct Attempt {
    pub(super) record: Record,
    pub(super) task: AbortHandle,
    pub(super) lease_until: Instant,
    /// The lease ended, and others may have the entry. The handler ends at its next await.
    pub(super) is_lost: bool,
}

impl Attempt {
    pub(super) fn owned(&self) -> Owned {
        Owned {
            seq: self.record.seq,
            attempt: self.record.attempts,
        }
    }

    fn lose(&mut self) {
        self.is_lost = true;
        self.task.abort();
    }
}

impl Running {
    pub(super) fn insert(&mut self, attempt: Attempt) {
        self.0.insert(attempt.task.id(), attempt);
    }

    pub(super) fn remove(&mut self, task: Id) -> Option<Attempt> {
        self.0.remove(&task)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those whose leases are not lost. A handler that blocks its thread ends late or never.
    pub(super) fn held(&self) -> impl Iterator<Item = &Attempt> {
        self.0.values().filter(|attempt| !attempt.is_lost)
    }

    pub(super) fn holds_any(&self) -> bool {
        self.held().next().is_some()
    }

    pub(super) fn is_held(&self, task: Id) -> bool {
        self.0.get(&task).is_some_and(|attempt| !attempt.is_lost)
    }

    /// Returns the number of each portal.
    pub(super) fn of_portals(&self) -> Vec<(String, usize)> {
        let mut portals: HashMap<&str, usize> = HashMap::new();
        for attempt in self.0.values() {
            *portals.entry(&attempt.record.entry.member_id).or_default() += 1;
        }
        let portals = portals.into_iter();
        portals
            .map(|(portal, running)| (portal.to_owned(), running))
            .collect()
    }

    /// Returns the end of the lease that ends first.
    pub(super) fn lease_end(&self) -> Option<Instant> {
        self.held().map(|attempt| attempt.lease_until).min()
    }

    /// Waits for a call of the store. Others may have the entries whose leases end meanwhile, so their
    /// handlers are stopped, but not before the call has taken this long.
    pub(super) async fn during<T>(&mut self, call: impl Future<Output = T>, grace: Duration) -> T {
        let mut call = pin!(call);
        let grace = Instant::now() + grace;
        loop {
            let end = self.lease_end().map(|end| end.max(grace));
            tokio::select! {
                biased;
                output = &mut call => return output,
                () = sleep_until(end.unwrap_or(grace)), if end.is_some() => self.lose_ended(),
            }
        }
    }

    /// Stops the handlers whose leases have ended.
    pub(super) fn lose_ended(&mut self) {
        let now = Instant::now();
        let ended = self
            .0
            .values_mut()
            .filter(|attempt| attempt.lease_until <= now);
        ended
            .filter(|attempt| !attempt.is_lost)
            .for_each(Attempt::lose);
    }

    /// Sets the end of the extended leases, and stops the handlers of those that are lost.
    pub(super) fn extended(&mut self, tasks: &[Id], extended: &[bool], lease_until: Instant) {
        for (at, task) in tasks.iter().enumerate() {
            match self.0.get_mut(task) {
                Some(attempt) if extended.get(at) == Some(&true) => {
                    attempt.lease_until = lease_until;
                }
                Some(attempt) => attempt.lose(),
                None => {}
            }
        }
    }
}
