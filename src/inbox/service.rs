//! `Inbox`: a store with the keys that seal its entries.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use super::commit::Committer;
use super::receive::Receive;
use super::seal::{InboxKey, Keyring};
use super::store::Accept;

/// A durable inbox over a store. A clone is cheap and shares it.
///
/// The [module](crate::inbox) has an example and the promises.
pub struct Inbox<S> {
    pub(super) store: Arc<S>,
    pub(super) keys: Arc<Keyring>,
    pub(super) stored: Arc<watch::Sender<()>>,
    committer: Arc<Committer>,
    coalesce: bool,
}

impl<S: Accept + 'static> Inbox<S> {
    /// The default of [`max_waiting`](InboxBuilder::max_waiting): 4,096 events.
    pub const DEFAULT_MAX_WAITING: usize = 4096;

    /// The default of [`max_waiting_bytes`](InboxBuilder::max_waiting_bytes): 64 MiB.
    pub const DEFAULT_MAX_WAITING_BYTES: usize = 64 * 1024 * 1024;

    /// Returns a builder of an inbox whose entries are sealed with this key.
    pub fn builder(store: S, key: InboxKey) -> InboxBuilder<S> {
        InboxBuilder::new(store, Keyring::new(key))
    }

    /// Returns a builder of an inbox whose entries are **not sealed**.
    ///
    /// **Dangerous.** The tokens of all portals are readable in the database and its backups, and
    /// whoever can write to the database can forge events.
    pub fn insecure_unsealed(store: S) -> InboxBuilder<S> {
        InboxBuilder::new(store, Keyring::insecure_unsealed())
    }

    /// Returns the service that stores events and responds after the commit. It belongs behind an
    /// [`EventLayer`](crate::EventLayer).
    pub fn receive(&self) -> Receive {
        Receive {
            committer: self.committer.clone(),
            keys: self.keys.clone(),
            coalesce: self.coalesce,
            fallback: None,
        }
    }

    /// Returns the store.
    pub fn store(&self) -> &S {
        &self.store
    }
}

impl<S> Clone for Inbox<S> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            keys: self.keys.clone(),
            stored: self.stored.clone(),
            committer: self.committer.clone(),
            coalesce: self.coalesce,
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for Inbox<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("store", &self.store)
            .field("coalesce", &self.coalesce)
            .finish_non_exhaustive()
    }
}

/// A builder of an [`Inbox`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct InboxBuilder<S> {
    store: S,
    keys: Keyring,
    coalesce: bool,
    max_waiting: usize,
    max_waiting_bytes: usize,
}

impl<S: Accept + 'static> InboxBuilder<S> {
    fn new(store: S, keys: Keyring) -> Self {
        Self {
            store,
            keys,
            coalesce: false,
            max_waiting: Inbox::<S>::DEFAULT_MAX_WAITING,
            max_waiting_bytes: Inbox::<S>::DEFAULT_MAX_WAITING_BYTES,
        }
    }

    /// Adds a key that opens entries but seals none: to change the key, make the new one the first and
    /// keep the old one here until its entries are gone.
    pub fn old_key(mut self, key: InboxKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Merges updates of an object while they wait: only events that say nothing but the object's id,
    /// with the same code and handler, and only into the last entry of the lane, if it was never
    /// tried. Defaults to `false`.
    pub const fn coalesce(mut self, coalesce: bool) -> Self {
        self.coalesce = coalesce;
        self
    }

    /// Sets the maximum number of events that wait to be committed. Further ones are rejected with 503
    /// immediately. One portal may fill three quarters of the room, so that its flood costs no other
    /// portal an event. Defaults to 4,096.
    ///
    /// # Panics
    ///
    /// Panics if `events` is 0.
    #[track_caller]
    pub const fn max_waiting(mut self, events: usize) -> Self {
        assert!(events > 0, "an inbox needs room for at least 1 event");
        self.max_waiting = events;
        self
    }

    /// Sets the maximum number of bytes of events that wait to be committed, of which one portal may
    /// fill three quarters. Defaults to 64 MiB.
    pub const fn max_waiting_bytes(mut self, bytes: usize) -> Self {
        self.max_waiting_bytes = bytes;
        self
    }

    /// Returns the inbox.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub fn build(self) -> Inbox<S> {
        let store = Arc::new(self.store);
        let stored = Arc::new(watch::Sender::new(()));
        let committer = Committer::spawn(
            store.clone(),
            stored.clone(),
            self.max_waiting,
            self.max_waiting_bytes,
        );
        Inbox {
            store,
            keys: Arc::new(self.keys),
            stored,
            committer: Arc::new(committer),
            coalesce: self.coalesce,
        }
    }
}
