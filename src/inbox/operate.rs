//! The operations for an operator: list, get, retry, discard, replay, purge.

use std::time::Duration;

use super::entry::clean_member_id;
use super::request::StoredRequest;
use super::service::Inbox;
use super::store::{BlockedLane, Filter, InboxStore, Record, State, Stats};

/// An entry with its request, as [`Inbox::get`] returns it. `Debug` is safe to log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenedEntry {
    /// The entry as it is stored.
    pub record: Record,
    /// The event or the callback, whose serialized form has no tokens. The error says why the entry does not open:
    /// its body was removed, none of the keys sealed it, or it was changed.
    pub request: Result<StoredRequest, String>,
}

impl<S: InboxStore + 'static> Inbox<S> {
    /// Returns the entries that match, by ascending sequence number. The next page begins
    /// [after](Filter::after) the last one.
    ///
    /// # Errors
    ///
    /// Returns an error if the store fails.
    pub async fn list(&self, filter: &Filter, limit: usize) -> Result<Vec<Record>, S::Error> {
        self.store.list(filter, limit).await
    }

    /// Returns an entry with its request, or `None` if there is none with this sequence number.
    ///
    /// # Errors
    ///
    /// Returns an error if the store fails.
    pub async fn get(&self, seq: i64) -> Result<Option<OpenedEntry>, S::Error> {
        let mut records = self.store.list(&Filter::new().seq(seq), 1).await?;
        let Some(record) = records.pop() else {
            return Ok(None);
        };
        let request = StoredRequest::open(&self.keys, &record.entry)
            .map(|(request, _)| request)
            .map_err(|error| error.to_string());
        Ok(Some(OpenedEntry { record, request }))
    }

    /// Returns the lanes whose oldest entry has failed and waits for its next attempt, with that entry
    /// and the number of those behind it. They are sorted by its sequence number. The next page begins
    /// after the last one, the first after 0.
    ///
    /// # Errors
    ///
    /// Returns an error if the store fails.
    pub async fn blocked_lanes(
        &self,
        after: i64,
        limit: usize,
    ) -> Result<Vec<BlockedLane>, S::Error> {
        self.store.blocked_lanes(after, limit).await
    }

    /// Makes a dead entry wait again, or an entry that waits for its next attempt due at once. It has
    /// all attempts again. Returns `false` if there is no such entry.
    ///
    /// # Errors
    ///
    /// Returns an error if the store fails.
    pub async fn retry(&self, seq: i64) -> Result<bool, S::Error> {
        let retried = self.store.reopen(&Filter::new().seq(seq), false).await?;
        self.stored.send_replace(());
        Ok(retried > 0)
    }

    /// Makes all matching dead entries wait again. Returns their number.
    ///
    /// # Errors
    ///
    /// Returns an error if the store fails.
    pub async fn retry_dead(&self, filter: Filter) -> Result<u64, S::Error> {
        let retried = self.store.reopen(&filter.state(State::Dead), false).await?;
        self.stored.send_replace(());
        Ok(retried)
    }

    /// Hands matching done and dead entries out again, with
    /// [`Delivery::replayed`](super::Delivery::replayed) set. Returns their number. Only entries whose
    /// body is stored are replayed: the stores of this crate remove that of a done entry, unless they
    /// are set to keep it.
    ///
    /// # Errors
    ///
    /// Returns an error if the store fails.
    pub async fn replay(&self, filter: &Filter) -> Result<u64, S::Error> {
        let replayed = self.store.reopen(filter, true).await?;
        self.stored.send_replace(());
        Ok(replayed)
    }

    /// Discards a waiting or dead entry: it is done, and its body is removed. Returns `false` if there
    /// is no such entry.
    ///
    /// # Errors
    ///
    /// Returns an error if the store fails.
    pub async fn discard(&self, seq: i64) -> Result<bool, S::Error> {
        self.store.discard(seq).await
    }

    /// Deletes entries that have been done or dead for longer than this. Workers do it by themselves.
    /// Returns the number of entries.
    ///
    /// # Errors
    ///
    /// Returns an error if the store fails.
    pub async fn purge(&self, done: Duration, dead: Duration) -> Result<u64, S::Error> {
        self.store.purge(done, dead).await
    }

    /// Deletes all entries of a portal that were accepted before the call, in any state. Returns the number
    /// of entries.
    ///
    /// A handler that runs for one of them is stopped as its worker next extends the lease, after a third of
    /// it at most. An event of the same object that comes after the call does not wait for that.
    ///
    /// A database keeps what this version of the crate cannot read: rows of `bitrix24_inbox_accepted` and
    /// `bitrix24_inbox_backlog` that a later version wrote, which it gives their place, and those that were
    /// changed.
    ///
    /// # Errors
    ///
    /// Returns an error if the store fails.
    pub async fn remove_portal(&self, member_id: &str) -> Result<u64, S::Error> {
        self.store.remove_portal(&clean_member_id(member_id)).await
    }

    /// Returns the number of entries in each state.
    ///
    /// # Errors
    ///
    /// Returns an error if the store fails.
    pub async fn stats(&self) -> Result<Stats, S::Error> {
        self.store.stats().await
    }
}
