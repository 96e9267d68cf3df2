//! The log lines of stores in databases.

/// Records that connections lead to another database than their settings do now.
pub(crate) fn database_replaced() {
    #[cfg(feature = "tracing")]
    tracing::error!(
        target: "tower_bitrix24",
        "the file of a SQLite store was moved, removed or replaced while it was open: what is stored from now \
         on is not with what was stored before"
    );
}
