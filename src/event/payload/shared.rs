use serde::{Deserialize, Serialize};

/// The id of what the event is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ItemId {
    /// The id (`ID`; for calendars `id`).
    #[serde(rename = "ID", alias = "id")]
    pub id: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::data::Data;
    use crate::event::payload::samples;

    #[test]
    fn the_samples_of_ids_beside_fields_are_read_whole() {
        let upper = [
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
        let items = samples::read(&upper, Data::data::<ItemId>);
        let ids = [66, 66, 10, 10, 9, 9, 9, 10, 66, 1, 1, 1, 999, 999, 999];
        assert!(items.iter().map(|item| item.id).eq(ids));

        let lower = [
            "ONCALENDARENTRYADD",
            "ONCALENDARENTRYDELETE",
            "ONCALENDARENTRYUPDATE",
            "ONCALENDARSECTIONADD",
            "ONCALENDARSECTIONDELETE",
            "ONCALENDARSECTIONUPDATE",
        ];
        let items = samples::read(&lower, Data::data::<ItemId>);
        let ids = [1414, 1412, 1414, 202, 202, 202];
        assert!(items.iter().map(|item| item.id).eq(ids));
    }

    #[test]
    fn a_workgroup_topic_s_id_is_read_from_either_place() {
        for form in [
            "event=ONSONETGROUPSUBJECTADD&data[ID]=5",
            "event=ONSONETGROUPSUBJECTADD&data[FIELDS][ID]=5",
        ] {
            assert_eq!(
                samples::data(form).either::<ItemId>().unwrap().id,
                5,
                "{form}"
            );
        }
    }
}
