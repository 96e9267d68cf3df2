//! Payloads that several scopes share.

use serde::{Deserialize, Serialize};

use crate::form::{FormReader, Mismatch};

/// The id of the object that the event is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ItemId {
    /// The id (`ID`).
    #[serde(rename = "ID")]
    pub id: u64,
}

impl ItemId {
    /// Reads the id, which in most events is all there is, without a deserializer.
    pub(crate) fn read(data: &FormReader<'_>) -> Result<Self, Mismatch> {
        match data.only_id() {
            Some(id) => Ok(Self { id }),
            None => data.fields(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::payload::samples;

    #[test]
    fn item_id_samples_are_typed() {
        let codes = [
            "ONBOOKINGADD",
            "ONBOOKINGDELETE",
            "ONBOOKINGRESOURCEADD",
            "ONBOOKINGRESOURCEDELETE",
            "ONBOOKINGRESOURCETYPEADD",
            "ONBOOKINGRESOURCETYPEDELETE",
            "ONBOOKINGRESOURCETYPEUPDATE",
            "ONBOOKINGRESOURCEUPDATE",
            "ONBOOKINGUPDATE",
            "ONBOOKINGWAITLISTITEMADD",
            "ONBOOKINGWAITLISTITEMDELETE",
            "ONBOOKINGWAITLISTITEMUPDATE",
            "ONCRMTIMELINECOMMENTADD",
            "ONCRMTIMELINECOMMENTDELETE",
            "ONCRMTIMELINECOMMENTUPDATE",
        ];
        let items = samples::read(&codes, FormReader::data::<ItemId>);
        let ids = [66, 66, 10, 10, 9, 9, 9, 10, 66, 1, 1, 1, 999, 999, 999];
        assert!(items.iter().map(|item| item.id).eq(ids));
    }

    #[test]
    fn item_id_in_another_case_is_an_unknown_key() {
        let form = "event=ONCRMDEALADD&data[FIELDS][ID]=5&data[FIELDS][id]=x";
        assert_eq!(samples::data(form).fields::<ItemId>().unwrap().id, 5);
        let form = "event=ONCRMDEALADD&data[FIELDS][id]=5";
        assert!(samples::data(form).fields::<ItemId>().is_err());
    }
}
