//! Migrations: the statements that bring tables up to date.

use std::future::Future;
use std::time::Duration;

use super::dialect::Dialect;
use super::error::StoreError;
use super::pool::within;
use super::transaction::Transaction;

/// Bounds the opening of tables that are up to date.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);

/// Bounds the steps: an index of a large table takes minutes.
const STEPS_TIMEOUT: Duration = Duration::from_secs(600);

/// The statements that lead from each version of a store's tables to the next.
///
/// A table of the store has a row for each version that the database has reached.
pub(crate) struct Migrations {
    /// Waits for migrations of other processes, if the begin of a transaction does not.
    pub(crate) lock: Option<&'static str>,
    /// Selects 1 if the table of versions exists, and 0 otherwise. `IF NOT EXISTS` does not do: a
    /// role that may not create anything can use an existing table.
    pub(crate) has_versions: &'static str,
    pub(crate) create_versions: &'static str,
    /// Selects the highest version.
    pub(crate) version: &'static str,
    /// Inserts the version `$1`.
    pub(crate) insert_version: &'static str,
    /// Bounds each statement of a step, if those of a session have a limit.
    pub(crate) patience: Option<&'static str>,
    pub(crate) steps: &'static [&'static str],
    /// Later versions up to this one only add to the tables, so that a program that does not know them
    /// works on: during a rolling deploy, and after it was rolled back.
    pub(crate) additive_until: i64,
}

impl Migrations {
    /// Brings the tables up to date.
    pub(crate) async fn run<D: Dialect>(
        &self,
        begin: impl Future<Output = Result<Transaction<D>, StoreError>>,
    ) -> Result<(), StoreError> {
        let looking = within(Some(OPEN_TIMEOUT), async {
            let mut transaction = begin.await?;
            if let Some(lock) = self.lock {
                transaction.execute(lock, &[]).await?;
            }
            let version = match transaction.number(self.has_versions).await? {
                Some(1) => Some(transaction.number(self.version).await?.unwrap_or(0)),
                _ => None,
            };
            Ok((transaction, version))
        });
        let (mut transaction, version) = looking.await?;
        within(Some(STEPS_TIMEOUT), async {
            if version.is_none() {
                transaction.execute(self.create_versions, &[]).await?;
            }
            for (version, step) in self.pending(version.unwrap_or(0))? {
                if let Some(patience) = self.patience {
                    transaction.execute(patience, &[]).await?;
                }
                transaction.execute(step, &[]).await?;
                transaction
                    .execute(self.insert_version, &[version.into()])
                    .await?;
            }
            transaction.commit().await
        })
        .await
    }

    /// Returns each version after this one, with the step that leads to it.
    fn pending(
        &self,
        version: i64,
    ) -> Result<impl Iterator<Item = (i64, &'static str)>, StoreError> {
        let done = usize::try_from(version).unwrap_or_default();
        let pending = match self.steps.get(done..) {
            Some(pending) => pending,
            None if version <= self.additive_until => &[],
            None => return Err(StoreError::newer_schema()),
        };
        Ok((version.max(0) + 1..).zip(pending.iter().copied()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::StoreErrorKind;
    use super::*;

    #[test]
    fn pending_steps_are_those_after_the_version_and_none_of_a_newer_one() {
        let pending = |version, additive_until| {
            let migrations = Migrations {
                lock: None,
                has_versions: "",
                create_versions: "",
                version: "",
                insert_version: "",
                patience: None,
                steps: &["one", "two"],
                additive_until,
            };
            migrations.pending(version).map(Iterator::collect::<Vec<_>>)
        };
        assert_eq!(pending(0, 0).unwrap(), [(1, "one"), (2, "two")]);
        assert_eq!(pending(1, 0).unwrap(), [(2, "two")]);
        assert_eq!(pending(2, 0).unwrap(), []);
        assert_eq!(
            pending(3, 0).unwrap_err().kind(),
            StoreErrorKind::NewerSchema
        );
        assert_eq!(pending(9, 9).unwrap(), []);
        assert_eq!(
            pending(10, 9).unwrap_err().kind(),
            StoreErrorKind::NewerSchema
        );
    }
}
