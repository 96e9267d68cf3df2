use serde::{Deserialize, Serialize};

/// The id of what the event is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ItemId {
    /// The id (`ID`).
    #[serde(rename = "ID", alias = "id")]
    pub id: u64,
}
