//! Support of the inboxes in brokers: the envelope, the worker and the commands.

pub mod cloud_event;
#[path = "../../../support/graceful.rs"]
mod graceful;
mod run;
mod work;

use std::error::Error;
use std::future::Future;

use tower_bitrix24::inbox::{Accept, Entry, Outcome, Record};

pub use self::run::{Options, run};

/// The error of a broker.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A broker that keeps entries in partitions and hands the first of each to one worker at a time.
///
/// An entry is [in the partition of its lane](partition_of), so that the order of a lane is that of
/// its partition.
pub trait Broker: Accept<Error = BoxError> + Clone + 'static {
    /// The receipt that ends an attempt.
    type Receipt: Send + Sync;

    /// Returns the number of partitions.
    fn partitions(&self) -> u32;

    /// Takes the first entry of a partition and counts the attempt. Returns `None` if there is none,
    /// if it is not due yet, or if another worker has it.
    fn take(
        &self,
        partition: u32,
    ) -> impl Future<Output = Result<Option<Taken<Self::Receipt>>, BoxError>> + Send;

    /// Keeps the entry from other workers for another lease. Returns `false` if one may have it.
    fn extend(
        &self,
        receipt: &Self::Receipt,
    ) -> impl Future<Output = Result<bool, BoxError>> + Send;

    /// Ends the attempt. A dead entry is moved to the dead letters.
    fn finish(
        &self,
        receipt: &Self::Receipt,
        outcome: &Outcome,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Returns the numbers of entries that wait or run, and of dead letters.
    fn stats(&self) -> impl Future<Output = Result<Stats, BoxError>> + Send;

    /// Makes the dead letters wait again. Returns their number.
    fn retry_dead(&self) -> impl Future<Output = Result<u64, BoxError>> + Send;
}

/// An entry that a worker has taken.
#[derive(Debug)]
pub struct Taken<R> {
    /// The entry, or why the message is none.
    pub record: Result<Record, String>,
    /// The receipt that ends the attempt.
    pub receipt: R,
}

/// The numbers of entries.
#[derive(Clone, Copy, Debug)]
pub struct Stats {
    /// Entries that wait or run.
    pub waiting: u64,
    /// Dead letters.
    pub dead: u64,
}

/// Returns the partition of an entry: that of its lane, or any if it has none.
pub fn partition_of(entry: &Entry, partitions: u32) -> u32 {
    let hash = entry.lane.as_ref().unwrap_or(entry.key.as_bytes());
    let word = |from: usize| u32::from_be_bytes(std::array::from_fn(|at| hash[from + at]));
    // Lanes of one kind of object differ in their last bytes alone.
    (word(0) ^ word(28)) % partitions
}
