//! Payloads of the scope `calendar`.

use serde::{Deserialize, Serialize};

/// An event of a calendar, or a calendar itself. Documentation pages: *OnCalendarEntryAdd*,
/// *OnCalendarSectionAdd* and the like.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[non_exhaustive]
pub struct CalendarItem {
    /// The id (`id`).
    pub id: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::payload::samples;
    use crate::form::FormReader;

    #[test]
    fn calendar_samples_are_typed() {
        let codes = [
            "ONCALENDARENTRYADD",
            "ONCALENDARENTRYDELETE",
            "ONCALENDARENTRYUPDATE",
            "ONCALENDARSECTIONADD",
            "ONCALENDARSECTIONDELETE",
            "ONCALENDARSECTIONUPDATE",
        ];
        let items = samples::read(&codes, FormReader::data::<CalendarItem>);
        let ids = [1414, 1412, 1414, 202, 202, 202];
        assert!(items.iter().map(|item| item.id).eq(ids));
    }

    #[test]
    fn calendar_id_in_another_case_is_an_unknown_key() {
        let form = "event=ONCALENDARENTRYADD&data[id]=5&data[ID]=x";
        assert_eq!(samples::parse::<CalendarItem>(form).unwrap().id, 5);
    }
}
