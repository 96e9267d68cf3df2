//! Migrations: the statements that bring tables up to date.

use super::StoreError;

/// How the tables are laid out: the statements that lead from each version to the next.
///
/// The table `bitrix24_portal_schema` has a row for each version that the database has been brought
/// to.
pub(super) struct Schema(pub(super) &'static [&'static str]);

impl Schema {
    /// The versions that are missing after the one that the database has, with what leads to each.
    pub(super) fn after(
        &self,
        version: i64,
    ) -> Result<impl Iterator<Item = (i64, &'static str)>, StoreError> {
        let done = usize::try_from(version).unwrap_or_default();
        let missing = self.0.get(done..).ok_or_else(StoreError::newer_schema)?;
        Ok((version.max(0) + 1..).zip(missing.iter().copied()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portals::StoreErrorKind;

    #[test]
    fn only_what_is_missing_is_done_and_nothing_to_a_newer_one() {
        let schema = Schema(&["one", "two"]);
        let after = |version| schema.after(version).map(Iterator::collect::<Vec<_>>);
        assert_eq!(after(0).unwrap(), [(1, "one"), (2, "two")]);
        assert_eq!(after(1).unwrap(), [(2, "two")]);
        assert_eq!(after(2).unwrap(), []);
        assert_eq!(after(3).unwrap_err().kind(), StoreErrorKind::NewerSchema);
    }
}
